"""The events of stored runs: where they end, and how more are added.

Whoever writes events, by an append or a commit, takes from here the rule for their sequences and the change that adds
them, so that the caps of `Retention` hold for all. A log is cut only when less than half of it still belongs to the
run; until then `StoredRunExtent` tells where the run begins, so that an append costs what it adds.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from sessionstore.errors import InvalidArgumentError
from sessionstore.v1 import run_pb2 as pb
from sessionstore.v1.storage_pb2 import StoredRunExtent
from sessionstore_server.backends.base import Change, Splice, View
from sessionstore_server.services.checks import MAX_COUNT
from sessionstore_server.services.keys import run_events, run_extent, run_record
from sessionstore_server.services.records.retention import UNLIMITED, Retention, event_json_bytes
from sessionstore_server.services.streams.log_reader import LogReader

NOT_STORED = "no run of this id is stored: save it first"


@dataclass(frozen=True, slots=True)
class RunEnd:
    """Where the events of a run end at a revision of its session."""

    log: LogReader
    next_sequence: int
    """What the next event must have."""
    dropped: int
    """How many records at the beginning of the log no longer belong to the run."""
    json_bytes: int | None
    """The size of the others, each as compact JSON; None: not known."""


def check_sequences(field: str, events: Sequence[pb.RunEventRecord], next_sequence: int, first: int = 0) -> None:
    """Refuse events that do not go on at `next_sequence` without gaps.

    Errors: InvalidArgumentError that names the event; they begin at `first` of the list `field`.
    """
    for number, event in enumerate(events):
        if next_sequence + number >= MAX_COUNT:
            problem = f"cannot be any: the run has its {MAX_COUNT} events, or more"
            raise InvalidArgumentError(field=f"{field}[{first + number}].sequence", problem=problem)
        if event.sequence != next_sequence + number:
            problem = f"must be {next_sequence + number}, since sequences go on without gaps, not {event.sequence}"
            raise InvalidArgumentError(field=f"{field}[{first + number}].sequence", problem=problem)


def next_sequence(record: pb.RunRecord) -> int:
    """Return the sequence that the next event of a whole run must have."""
    last = record.events[-1].sequence + 1 if record.events else 0
    return max(record.snapshot.event_count, last)


def with_events(field: str, record: pb.RunRecord, events: Sequence[pb.RunEventRecord]) -> pb.RunRecord:
    """Return a whole run with more events. Errors: as `check_sequences`."""
    check_sequences(field, events, next_sequence(record))
    extended = pb.RunRecord()
    extended.CopyFrom(record)
    extended.events.extend(events)
    if events:
        extended.snapshot.event_count = next_sequence(extended)
    return extended


def run_documents(run_id: str) -> tuple[str, str]:
    """Return the names of the documents that a view must show, so that it tells where the events of a run end."""
    return run_record(run_id), run_extent(run_id)


async def run_end(log: LogReader, run_id: str) -> RunEnd | None:
    """Return where the events of a run, of which `log` shows the documents, end; None when the run is not stored.

    Errors: RevisionNotKeptError when the revision has long passed.
    """
    if run_record(run_id) not in log.view.documents:
        return None
    if run_extent(run_id) in log.view.documents:
        extent = stored_extent(log.view, run_id)
        json_bytes = extent.json_bytes if extent.HasField("json_bytes") else None
        return RunEnd(log, extent.event_count, extent.dropped, json_bytes)
    record = stored_run(log.view, run_id)
    last = await log.read(max(0, log.length - 1))
    record.events.extend(map(pb.RunEventRecord.FromString, last))
    return RunEnd(log, next_sequence(record), 0, None)


async def added_events(run_id: str, end: RunEnd, records: Sequence[bytes], retention: Retention = UNLIMITED) -> Change:
    """Return the change that adds events, which follow, to a stored run that ends at `end`.

    It holds only at the revision of `end`: commit it on that condition. Errors: RevisionNotKeptError when the revision
    has long passed.
    """
    dropped, json_bytes = await _kept(end, records, retention)
    length = end.log.length + len(records)
    splice = Splice(records)
    if dropped > length - dropped:
        splice = Splice((*await end.log.read(dropped), *records[max(0, dropped - end.log.length) :]), keep=0)
        dropped = 0
    extent = StoredRunExtent(
        event_count=end.next_sequence + len(records), dropped=dropped, json_bytes=json_bytes
    ).SerializeToString()
    return Change({run_extent(run_id): extent}, {run_events(run_id): splice})


def removed_run(run_id: str) -> Change:
    """Return the change that removes a run; its id has to go from the list of runs, too."""
    return Change({run_record(run_id): None, run_extent(run_id): None}, {run_events(run_id): None})


def stored_run(view: View, run_id: str) -> pb.RunRecord:
    """Return a run, which must be stored, without its events, of a view of its documents."""
    record = pb.RunRecord.FromString(view.documents[run_record(run_id)])
    if run_extent(run_id) in view.documents:
        record.snapshot.event_count = stored_extent(view, run_id).event_count
    return record


def stored_events(view: View, run_id: str) -> Sequence[bytes]:
    """Return the events of a run, of a view of its documents and its whole log."""
    return view.logs[run_events(run_id)].records[stored_extent(view, run_id).dropped :]


def stored_extent(view: View, run_id: str) -> StoredRunExtent:
    """Return how far the events of a run reach; empty when none were added since the run was saved."""
    return StoredRunExtent.FromString(view.documents.get(run_extent(run_id), b""))


async def _kept(end: RunEnd, records: Sequence[bytes], retention: Retention) -> tuple[int, int | None]:
    """Return how many records no longer belong to the run with the new ones, and the size of the others."""
    length = end.log.length + len(records)
    if retention.max_run_bytes is None:
        return max(end.dropped, length - (retention.max_run_events or length)), None
    dropped, size = end.dropped, sum(map(_json_bytes, records))
    size += await _stored_bytes(end) if end.json_bytes is None else end.json_bytes
    oldest_first = _oldest_first(end, records)
    while not retention.has_room(length - dropped, size):
        dropped, size = dropped + 1, size - _json_bytes(await anext(oldest_first))
    return dropped, size


async def _stored_bytes(end: RunEnd) -> int:
    return sum([_json_bytes(record) async for record in _oldest_first(end, ())])


async def _oldest_first(end: RunEnd, records: Sequence[bytes]) -> AsyncIterator[bytes]:
    async for record in end.log.each(end.dropped, end.log.length):
        yield record
    for record in records:
        yield record


def _json_bytes(record: bytes) -> int:
    return event_json_bytes(pb.RunEventRecord.FromString(record))
