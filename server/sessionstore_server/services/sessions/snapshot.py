"""Whole snapshots: a session with all its records, saved as one commit and loaded at one revision."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Any

from google.protobuf.message import Message

from sessionstore.model import SNAPSHOT_SCHEMA_VERSION
from sessionstore.v1 import artifact_pb2, session_pb2
from sessionstore.v1 import snapshot_pb2 as pb
from sessionstore.wire.methods import LOAD_SNAPSHOT, SAVE_SNAPSHOT
from sessionstore.wire.records import SUBAGENT_TASK, TRACE_EVENT, VERIFICATION_REPORT
from sessionstore.wire.snapshot import ReceivedSnapshot, batches
from sessionstore_server.backends.base import Backend, LogRange, View
from sessionstore_server.services import keys
from sessionstore_server.services.aside import aside
from sessionstore_server.services.checks import checked_all
from sessionstore_server.services.handlers import Caller, HandlerTable
from sessionstore_server.services.records.artifact import read_with_artifacts, wanted_artifacts
from sessionstore_server.services.records.retention import UNLIMITED, Retention
from sessionstore_server.services.records.run import stored_run_ids, wanted_runs
from sessionstore_server.services.records.run_events import stored_events, stored_run
from sessionstore_server.services.replacing import Wanted, commit_wanted
from sessionstore_server.services.responses import with_records
from sessionstore_server.services.sessions.session import wanted_session
from sessionstore_server.services.turns import Turns

_LOGS = (keys.MESSAGES, keys.TRACES, keys.VERIFICATION, keys.SUBAGENT_TASKS, keys.RUN_PREFIX)
_DOCUMENTS = (keys.SESSION, keys.SNAPSHOT, keys.RUNS, keys.RUN_PREFIX)


class SnapshotService:
    """Answers `sessionstore.v1.SnapshotService`."""

    def __init__(self, backend: Backend, turns: Turns, retention: Retention = UNLIMITED) -> None:
        self._backend, self._turns, self._retention = backend, turns, retention

    def handlers(self) -> HandlerTable:
        """Return what answers which method."""
        return {SAVE_SNAPSHOT: self.save_snapshot, LOAD_SNAPSHOT: self.load_snapshot}

    async def save_snapshot(
        self, requests: AsyncIterable[pb.SaveSnapshotRequest], caller: Caller
    ) -> pb.SaveSnapshotResponse:
        """Replace everything a session holds, in one commit, once all parts are here."""
        received = ReceivedSnapshot()
        async for request in requests:
            received.take(request)
        header, session = received.complete()
        key = keys.session_key(caller, header.session_id, field="header.session_id")
        wanted = await aside(received.size, _wanted_snapshot, header, session, received.lists, self._retention)
        digest = received.digest()
        async with self._turns.of(key):
            return await commit_wanted(self._backend, key, wanted, header, pb.SaveSnapshotResponse, digest)

    async def load_snapshot(self, request: pb.LoadSnapshotRequest, caller: Caller) -> AsyncIterator[bytes]:
        """Send the parts of a snapshot; none when the session was never saved."""
        key = keys.session_key(caller, request.session_id)
        logs = dict.fromkeys(_LOGS, LogRange())
        view, manifest = await read_with_artifacts(self._backend, key, _DOCUMENTS, logs)
        if view is None or keys.SESSION not in view.documents:
            return
        for part in _parts(request.session_id, view, manifest or artifact_pb2.ArtifactManifest()):
            yield part


def _wanted_snapshot(
    header: pb.SnapshotHeader, session: session_pb2.SessionData, lists: dict[str, list[Any]], retention: Retention
) -> Wanted:
    base = wanted_session(session, lists["messages"])
    runs = wanted_runs(lists["run_records"], retention)
    artifacts = wanted_artifacts(
        artifact_pb2.ArtifactManifest(artifacts=lists["artifacts"], retained_uris=lists["retained_artifact_uris"])
    )
    return Wanted(
        documents={**base.documents, **runs.documents, **artifacts.documents, keys.SNAPSHOT: _kept_header(header)},
        logs={
            **base.logs,
            **runs.logs,
            keys.TRACES: checked_all(TRACE_EVENT, "trace_events", lists["trace_events"]),
            keys.VERIFICATION: checked_all(VERIFICATION_REPORT, "verification_reports", lists["verification_reports"]),
            keys.SUBAGENT_TASKS: checked_all(SUBAGENT_TASK, "subagent_tasks", lists["subagent_tasks"]),
        },
        below=runs.below,
        summary=base.summary,
        contents=artifacts.contents,
    )


def _kept_header(header: pb.SnapshotHeader) -> bytes:
    kept = pb.SnapshotHeader()
    kept.CopyFrom(header)
    for field in ("expected_revision", "request_id", "lease_epoch"):
        kept.ClearField(field)
    return kept.SerializeToString()


def _parts(session_id: str, view: View, manifest: artifact_pb2.ArtifactManifest) -> Iterator[bytes]:
    header = pb.SnapshotHeader.FromString(view.documents.get(keys.SNAPSHOT, b""))
    header.MergeFrom(
        pb.SnapshotHeader(session_id=session_id, revision=view.revision, schema_version=SNAPSHOT_SCHEMA_VERSION)
    )
    yield pb.LoadSnapshotResponse(header=header).SerializeToString()
    yield with_records(pb.LoadSnapshotResponse(), session=[view.documents[keys.SESSION]])
    yield from _list_parts("messages", pb.SnapshotMessages(), _records(view, keys.MESSAGES))
    contents = (artifact.SerializeToString() for artifact in manifest.artifacts)
    yield from _list_parts("artifacts", pb.SnapshotArtifacts(), contents)
    retained = pb.SnapshotRetainedArtifactUris(retained_artifact_uris=manifest.retained_uris)
    yield pb.LoadSnapshotResponse(retained_artifact_uris=retained).SerializeToString()
    yield from _list_parts("trace_events", pb.SnapshotTraceEvents(), _records(view, keys.TRACES))
    yield from _run_parts(view)
    reports = _records(view, keys.VERIFICATION)
    yield from _list_parts("verification_reports", pb.SnapshotVerificationReports(), reports)
    yield from _list_parts("subagent_tasks", pb.SnapshotSubagentTasks(), _records(view, keys.SUBAGENT_TASKS))


def _run_parts(view: View) -> Iterator[bytes]:
    for run_id in stored_run_ids(view):
        record = stored_run(view, run_id).SerializeToString()
        yield from _list_parts("run_records", pb.SnapshotRunRecords(), [record])
        yield from _list_parts("run_events", pb.SnapshotRunEvents(), stored_events(view, run_id))


def _records(view: View, log: str) -> Iterable[bytes]:
    return view.logs[log].records if log in view.logs else ()


def _list_parts(kind: str, wrapper: Message, records: Iterable[bytes]) -> Iterator[bytes]:
    for batch in batches(records, len):
        yield with_records(pb.LoadSnapshotResponse(), **{kind: [with_records(wrapper, **{kind: batch})]})
