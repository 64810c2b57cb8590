"""Run records: the runs of a session, each with its replayable events, saved whole or appended, read and followed."""

from collections.abc import AsyncIterable, AsyncIterator, Sequence

from sessionstore.errors import InvalidArgumentError
from sessionstore.pages import page_limit
from sessionstore.v1 import run_pb2 as pb
from sessionstore.v1 import storage_pb2
from sessionstore.wire.methods import (
    APPEND_RUN_EVENTS,
    FOLLOW_RUN_EVENTS,
    LOAD_RUN_RECORDS,
    READ_RUN_EVENTS,
    SAVE_RUN_RECORDS,
)
from sessionstore.wire.records import RUN_EVENT, RUN_RECORD
from sessionstore_server.backends.base import Backend, Key, LogRange, View
from sessionstore_server.backends.checks import check_part
from sessionstore_server.services.checks import checked, checked_all
from sessionstore_server.services.handlers import Caller, HandlerTable
from sessionstore_server.services.keys import RUN_PREFIX, RUNS, run_events, run_record, session_key
from sessionstore_server.services.records.retention import UNLIMITED, Retention
from sessionstore_server.services.records.run_events import stored_events, stored_run
from sessionstore_server.services.replacing import Wanted, commit_wanted
from sessionstore_server.services.responses import with_records
from sessionstore_server.services.streams.append_targets import RunTarget
from sessionstore_server.services.streams.appending import Appender, first_step
from sessionstore_server.services.streams.event_pages import read_run_page
from sessionstore_server.services.streams.following import follow_run
from sessionstore_server.services.turns import Turns


class RunService:
    """Answers `sessionstore.v1.RunService`."""

    def __init__(self, backend: Backend, turns: Turns, retention: Retention = UNLIMITED) -> None:
        self._backend, self._turns, self._retention = backend, turns, retention

    def handlers(self) -> HandlerTable:
        """Return what answers which method."""
        return {
            SAVE_RUN_RECORDS: self.save_run_records,
            LOAD_RUN_RECORDS: self.load_run_records,
            APPEND_RUN_EVENTS: self.append_run_events,
            READ_RUN_EVENTS: self.read_run_events,
            FOLLOW_RUN_EVENTS: self.follow_run_events,
        }

    async def save_run_records(self, request: pb.SaveRunRecordsRequest, caller: Caller) -> pb.SaveRunRecordsResponse:
        """Replace the runs of a session."""
        key = session_key(caller, request.session_id)
        wanted = wanted_runs(request.run_records, self._retention)
        async with self._turns.of(key):
            return await commit_wanted(self._backend, key, wanted, request, pb.SaveRunRecordsResponse)

    async def load_run_records(self, request: pb.LoadRunRecordsRequest, caller: Caller) -> bytes:
        """Return the runs of a session with all their events, in the order they were saved."""
        key = session_key(caller, request.session_id)
        view = await self._backend.read(key, documents=(RUNS, RUN_PREFIX), logs={RUN_PREFIX: LogRange()})
        if view is None or RUNS not in view.documents:
            return b""
        response = pb.LoadRunRecordsResponse(present=True, revision=view.revision)
        return with_records(response, run_records=stored_runs(view))

    async def append_run_events(
        self, requests: AsyncIterable[pb.AppendRunEventsRequest], caller: Caller
    ) -> AsyncIterator[pb.AppendRunEventsResponse]:
        """Add what comes to a run; tell at first, and after each commit, how far the stream is."""
        steps = aiter(requests)
        start = await first_step(steps)
        check_part("run_id", start.run_id)
        key = session_key(caller, start.session_id)
        target = RunTarget(self._backend, key, start.run_id, self._retention)
        appender = Appender(self._backend, self._turns, target, start)
        async for position, revision in appender.progress(steps):
            yield pb.AppendRunEventsResponse(position=position, revision=revision)

    async def read_run_events(self, request: pb.ReadRunEventsRequest, caller: Caller) -> bytes:
        """Return a page of the events of a run; an empty response when the run is not stored."""
        key, limit = _run_key(request, caller), page_limit(request.page_size)
        page = await read_run_page(self._backend, key, request.run_id, _cursor(request), limit)
        if page is None:
            return b""
        response = pb.ReadRunEventsResponse(revision=page.revision)
        return with_records(response, page=[with_records(page.page, events=page.records)])

    async def follow_run_events(self, request: pb.FollowRunEventsRequest, caller: Caller) -> AsyncIterator[bytes]:
        """Send the events of a run behind a cursor, and those that are added, until the run has ended."""
        key = _run_key(request, caller)
        async for page in follow_run(self._backend, key, request.run_id, _cursor(request)):
            response = pb.FollowRunEventsResponse(retention_gap=page.page.retention_gap)
            yield with_records(response, run_events=page.records)


def _run_key(request: pb.ReadRunEventsRequest | pb.FollowRunEventsRequest, caller: Caller) -> Key:
    check_part("run_id", request.run_id)
    return session_key(caller, request.session_id)


def _cursor(request: pb.ReadRunEventsRequest | pb.FollowRunEventsRequest) -> int | None:
    return request.after_sequence if request.HasField("after_sequence") else None


def wanted_runs(run_records: Sequence[pb.RunRecord], retention: Retention = UNLIMITED) -> Wanted:
    """Return what a session holds that has these runs, or as many of them as are kept.

    Errors: InvalidArgumentError for a run id that is empty or occurs twice, or a record with a faulty field.
    """
    documents: dict[str, bytes] = {}
    logs: dict[str, list[bytes]] = {}
    created: dict[str, int] = {}
    for position, record in enumerate(run_records):
        field, run_id = f"run_records[{position}]", record.snapshot.id
        check_part(f"{field}.snapshot.id", run_id)
        if run_id in created:
            raise InvalidArgumentError(field=f"{field}.snapshot.id", problem="another run has this id already")
        created[run_id] = record.snapshot.created_at_ms
        events = checked_all(RUN_EVENT, f"{field}.events", record.events)
        logs[run_events(run_id)] = events[len(events) - len(retention.kept_events(record.events)) :]
        documents[run_record(run_id)] = checked(RUN_RECORD, field, _without_events(record))
    for run_id in retention.surplus_runs(list(created.items())):
        del created[run_id], documents[run_record(run_id)], logs[run_events(run_id)]
    index = storage_pb2.StoredRuns(run_ids=created)
    return Wanted({**documents, RUNS: index.SerializeToString()}, logs, below=RUN_PREFIX)


def _without_events(record: pb.RunRecord) -> pb.RunRecord:
    # A copy, since the request stays what the caller asked for.
    kept = pb.RunRecord()
    kept.CopyFrom(record)
    kept.ClearField("events")
    return kept


def stored_runs(view: View) -> list[bytes]:
    """Return the run records in a view of `RUNS` and everything below `RUN_PREFIX`, serialized."""
    return [
        with_records(stored_run(view, run_id), events=stored_events(view, run_id)) for run_id in stored_run_ids(view)
    ]


def stored_run_ids(view: View) -> Sequence[str]:
    """Return the ids of the runs, in order."""
    return storage_pb2.StoredRuns.FromString(view.documents.get(RUNS, b"")).run_ids
