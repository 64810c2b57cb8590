"""Run records: the runs of a session, each with its replayable events."""

from collections.abc import Sequence

from sessionstore.errors import InvalidArgumentError
from sessionstore.v1 import run_pb2 as pb
from sessionstore.v1 import storage_pb2
from sessionstore.wire.methods import LOAD_RUN_RECORDS, SAVE_RUN_RECORDS
from sessionstore.wire.records import RUN_EVENT, RUN_RECORD
from sessionstore_server.backends.base import Backend, LogRange, View
from sessionstore_server.backends.checks import check_part
from sessionstore_server.services.checks import checked, checked_all
from sessionstore_server.services.handlers import Caller, HandlerTable
from sessionstore_server.services.keys import RUN_PREFIX, RUNS, run_events, run_record, session_key
from sessionstore_server.services.replacing import Wanted, commit_wanted
from sessionstore_server.services.responses import with_records


class RunService:
    """Answers `sessionstore.v1.RunService`."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def handlers(self) -> HandlerTable:
        """Return what answers which method."""
        return {SAVE_RUN_RECORDS: self.save_run_records, LOAD_RUN_RECORDS: self.load_run_records}

    async def save_run_records(self, request: pb.SaveRunRecordsRequest, caller: Caller) -> pb.SaveRunRecordsResponse:
        """Replace the runs of a session."""
        key, wanted = session_key(caller, request.session_id), wanted_runs(request.run_records)
        return await commit_wanted(self._backend, key, wanted, request, pb.SaveRunRecordsResponse)

    async def load_run_records(self, request: pb.LoadRunRecordsRequest, caller: Caller) -> bytes:
        """Return the runs of a session with all their events, in the order they were saved."""
        key = session_key(caller, request.session_id)
        view = await self._backend.read(key, documents=(RUNS, RUN_PREFIX), logs={RUN_PREFIX: LogRange()})
        if view is None or RUNS not in view.documents:
            return b""
        response = pb.LoadRunRecordsResponse(present=True, revision=view.revision)
        return with_records(response, run_records=stored_runs(view))


def wanted_runs(run_records: Sequence[pb.RunRecord]) -> Wanted:
    """Return what a session holds that has these runs.

    Errors: InvalidArgumentError for a run id that is empty or occurs twice, or a record with a faulty field.
    """
    documents: dict[str, bytes] = {}
    logs: dict[str, list[bytes]] = {}
    index = storage_pb2.StoredRuns()
    for position, record in enumerate(run_records):
        field, run_id = f"run_records[{position}]", record.snapshot.id
        check_part(f"{field}.snapshot.id", run_id)
        if run_record(run_id) in documents:
            raise InvalidArgumentError(field=f"{field}.snapshot.id", problem="another run has this id already")
        logs[run_events(run_id)] = checked_all(RUN_EVENT, f"{field}.events", record.events)
        documents[run_record(run_id)] = checked(RUN_RECORD, field, _without_events(record))
        index.run_ids.append(run_id)
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
        with_records(
            pb.RunRecord.FromString(view.documents[run_record(run_id)]), events=view.logs[run_events(run_id)].records
        )
        for run_id in stored_run_ids(view)
    ]


def stored_run_ids(view: View) -> Sequence[str]:
    """Return the ids of the runs, in order."""
    return storage_pb2.StoredRuns.FromString(view.documents.get(RUNS, b"")).run_ids
