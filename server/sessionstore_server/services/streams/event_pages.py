"""Pages of trace events by position, and of run events behind a cursor; what is not asked for is not read."""

from collections.abc import Sequence
from dataclasses import dataclass

from sessionstore.v1 import run_pb2
from sessionstore_server.backends.base import Backend, Key
from sessionstore_server.services.keys import TRACES, run_events, run_record
from sessionstore_server.services.records.run_events import run_documents, stored_extent, stored_run
from sessionstore_server.services.streams.log_reader import PAGE_BYTES, LogReader, at_one_revision, open_log

_FINAL = (run_pb2.RUN_STATUS_COMPLETED, run_pb2.RUN_STATUS_FAILED, run_pb2.RUN_STATUS_CANCELLED)


@dataclass(frozen=True, slots=True)
class TracePage:
    """Some trace events of a session."""

    revision: int
    is_present: bool
    """Whether any were ever saved."""
    records: Sequence[bytes]
    length: int
    """Of the whole list."""


@dataclass(frozen=True, slots=True)
class RunPage:
    """Some events of a run."""

    revision: int
    run: run_pb2.RunSnapshot
    page: run_pb2.RunEventPage
    """All but the events."""
    records: Sequence[bytes]
    """The events."""

    @property
    def has_ended(self) -> bool:
        """Whether no event is expected to follow those that are stored."""
        return self.run.status in _FINAL


async def read_trace_page(
    backend: Backend, key: Key, position: int, limit: int, page_bytes: int = PAGE_BYTES
) -> TracePage:
    """Return up to `limit` trace events from a position on."""

    async def read() -> TracePage:
        log = await open_log(backend, key, TRACES)
        if log is None:
            return TracePage(0, is_present=False, records=(), length=0)
        records = await log.page(position, limit, page_bytes)
        return TracePage(log.view.revision, TRACES in log.view.logs, records, log.length)

    return await at_one_revision(backend, key, read)


async def read_run_page(
    backend: Backend, key: Key, run_id: str, after_sequence: int | None, limit: int, page_bytes: int = PAGE_BYTES
) -> RunPage | None:
    """Return up to `limit` events of a run behind a cursor (None: from the beginning); None when it is not stored."""

    async def read() -> RunPage | None:
        log = await open_log(backend, key, run_events(run_id), run_documents(run_id))
        if log is None or run_record(run_id) not in log.view.documents:
            return None
        return await _run_page(log, run_id, after_sequence, limit, page_bytes)

    return await at_one_revision(backend, key, read)


async def _run_page(log: LogReader, run_id: str, after_sequence: int | None, limit: int, page_bytes: int) -> RunPage:
    run, dropped = stored_run(log.view, run_id).snapshot, stored_extent(log.view, run_id).dropped
    start = 0 if after_sequence is None else after_sequence + 1
    first = await _sequence_at(log, dropped)
    position = dropped if first is None else await _position_of(log, start, dropped, first)
    records = await log.page(position, limit, page_bytes)
    page = run_pb2.RunEventPage(
        first_available_sequence=first,
        latest_sequence_exclusive=run.event_count,
        next_after_sequence=_sequence(records[-1]) if records else after_sequence,
        retention_gap=start < run.event_count and (first is None or start < first),
        has_more=position + len(records) < log.length,
    )
    return RunPage(log.view.revision, run, page, records)


async def _position_of(log: LogReader, start: int, dropped: int, first: int) -> int:
    """Return where in the log the events from the sequence `start` on begin; `first` is that at `dropped`.

    Sequences rise. Without gaps the place is as far behind the first event as the sequences are apart, with gaps it
    is before that.
    """
    low, high = dropped, max(dropped, min(log.length, dropped + start - first))
    middle = high - 1
    while low < high:
        found = await _sequence_at(log, middle)
        if found is not None and found < start:
            low = middle + 1
        else:
            high = middle
        middle = (low + high) // 2
    return low


async def _sequence_at(log: LogReader, position: int) -> int | None:
    records = await log.read(position, position + 1)
    return _sequence(records[0]) if records else None


def _sequence(record: bytes) -> int:
    return run_pb2.RunEventRecord.FromString(record).sequence
