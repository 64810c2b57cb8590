"""`SessionStore` spoken as requests to the services.

Written once: the stores in process and the remote store differ only in the transport that carries the requests.
Each method is one call; whole snapshots are one stream each way, and lists of ids one call per page.
"""

import builtins
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import fields
from typing import Any, TypedDict
from uuid import uuid4

from typing_extensions import override

from sessionstore.conversations import Conversations, Held, shared_count
from sessionstore.errors import StaleBaseError
from sessionstore.model import (
    ArtifactStore,
    LoopCheckpoint,
    Message,
    RunRecord,
    SessionData,
    SessionPage,
    SessionSnapshot,
    SubagentTaskSnapshot,
    TraceEvent,
    VerificationReport,
    WorkflowCheckpoint,
)
from sessionstore.store import Capabilities, Revisioned, SessionStore
from sessionstore.transport import Method, Transport
from sessionstore.v1 import (
    artifact_pb2,
    checkpoint_pb2,
    run_pb2,
    session_pb2,
    snapshot_pb2,
    subagent_pb2,
    system_pb2,
    trace_pb2,
    verification_pb2,
)
from sessionstore.wire import methods, records
from sessionstore.wire.snapshot import ReceivedSnapshot, snapshot_from_parts, snapshot_to_parts

_LARGEST_PAGE = 1000
_NOTHING = Held(0, (), 0)


class _Identity(TypedDict):
    """What the requests of all writes have in common."""

    expected_revision: int | None
    request_id: str


class ServiceAdapter(SessionStore):
    """A session store that calls the services through `transport`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._conversations = Conversations()

    @override
    @property
    def backend_name(self) -> str:
        return self._transport.name

    @override
    async def save(self, session: SessionData, *, expected_revision: int | None = None) -> int:
        data, messages = records.SESSION.to_proto(session), tuple(session.messages)
        held = self._conversations.get(session.id)
        if held is not None and (shared := shared_count(held, messages)):
            with suppress(StaleBaseError):
                return await self._save(data, messages, expected_revision, held, shared)
        return await self._save(data, messages, expected_revision)

    @override
    async def load(self, session_id: str) -> SessionData | None:
        found = await self.load_with_revision(session_id)
        return None if found is None else found.value

    @override
    async def load_with_revision(self, session_id: str) -> Revisioned[SessionData] | None:
        held = self._conversations.get(session_id)
        request = session_pb2.LoadSessionRequest(session_id=session_id, held=_held_messages(held))
        response = await self._transport.unary(methods.LOAD_SESSION, request)
        if not response.HasField("session"):
            self._conversations.forget(session_id)
            return None
        kept = held if held is not None and response.held_count else _NOTHING
        new = [records.MESSAGE.from_proto(message) for message in response.messages]
        messages = [*kept.messages, *new]
        session = records.SESSION.from_proto(response.session, messages=messages)
        self._conversations.put(session_id, Held(response.revision, tuple(messages), kept.size + response.ByteSize()))
        return Revisioned(session, response.revision)

    @override
    async def revision(self, session_id: str) -> int:
        return (await self._exists(session_id)).revision

    @override
    async def delete(self, session_id: str, *, expected_revision: int | None = None) -> None:
        request = session_pb2.DeleteSessionRequest(
            session_id=session_id, expected_revision=expected_revision, request_id=_new_request_id()
        )
        await self._transport.unary(methods.DELETE_SESSION, request)
        self._conversations.forget(session_id)

    @override
    async def list(self) -> builtins.list[str]:
        request = session_pb2.ListSessionsRequest(page_size=_LARGEST_PAGE)
        return [entry.id async for page in self._pages(methods.LIST_SESSIONS, request) for entry in page.sessions]

    @override
    async def exists(self, session_id: str) -> bool:
        return (await self._exists(session_id)).exists

    @override
    async def is_snapshot(self, session_id: str) -> bool:
        return (await self._exists(session_id)).snapshot

    @override
    async def list_sessions(self, page_size: int = 0, page_token: str = "") -> SessionPage:
        request = session_pb2.ListSessionsRequest(page_size=page_size, page_token=page_token)
        response = await self._transport.unary(methods.LIST_SESSIONS, request)
        return SessionPage(
            sessions=[records.SESSION_SUMMARY.from_proto(summary) for summary in response.sessions],
            next_page_token=response.next_page_token,
        )

    @override
    async def save_snapshot(self, snapshot: SessionSnapshot, *, expected_revision: int | None = None) -> int:
        return (
            await self._transport.upload(methods.SAVE_SNAPSHOT, _snapshot_requests(snapshot, expected_revision))
        ).revision

    @override
    async def load_snapshot(self, session_id: str) -> SessionSnapshot | None:
        received = ReceivedSnapshot()
        request = snapshot_pb2.LoadSnapshotRequest(session_id=session_id)
        async for part in self._transport.download(methods.LOAD_SNAPSHOT, request):
            received.take(part)
        return None if received.header is None else snapshot_from_parts(received)

    @override
    async def save_artifacts(
        self, session_id: str, artifacts: ArtifactStore, *, expected_revision: int | None = None
    ) -> int:
        manifest = records.ARTIFACT_MANIFEST.to_proto(artifacts.to_manifest())
        request = artifact_pb2.SaveArtifactsRequest(
            **_identity(expected_revision), session_id=session_id, manifest=manifest
        )
        return (await self._transport.unary(methods.SAVE_ARTIFACTS, request)).revision

    @override
    async def load_artifacts(self, session_id: str) -> ArtifactStore | None:
        request = artifact_pb2.LoadArtifactsRequest(session_id=session_id)
        response = await self._transport.unary(methods.LOAD_ARTIFACTS, request)
        if not response.present:
            return None
        return ArtifactStore.from_manifest(records.ARTIFACT_MANIFEST.from_proto(response.manifest), keep_all=True)

    @override
    async def save_trace_events(
        self, session_id: str, trace_events: Sequence[TraceEvent], *, expected_revision: int | None = None
    ) -> int:
        events = [records.TRACE_EVENT.to_proto(event) for event in trace_events]
        request = trace_pb2.SaveTraceEventsRequest(
            **_identity(expected_revision), session_id=session_id, trace_events=events
        )
        return (await self._transport.unary(methods.SAVE_TRACE_EVENTS, request)).revision

    @override
    async def load_trace_events(self, session_id: str) -> builtins.list[TraceEvent] | None:
        request = trace_pb2.LoadTraceEventsRequest(session_id=session_id)
        response = await self._transport.unary(methods.LOAD_TRACE_EVENTS, request)
        if not response.present:
            return None
        return [records.TRACE_EVENT.from_proto(event) for event in response.trace_events]

    @override
    async def save_run_records(
        self, session_id: str, run_records: Sequence[RunRecord], *, expected_revision: int | None = None
    ) -> int:
        runs = [records.RUN_RECORD.to_proto(run) for run in run_records]
        request = run_pb2.SaveRunRecordsRequest(**_identity(expected_revision), session_id=session_id, run_records=runs)
        return (await self._transport.unary(methods.SAVE_RUN_RECORDS, request)).revision

    @override
    async def load_run_records(self, session_id: str) -> builtins.list[RunRecord] | None:
        request = run_pb2.LoadRunRecordsRequest(session_id=session_id)
        response = await self._transport.unary(methods.LOAD_RUN_RECORDS, request)
        if not response.present:
            return None
        return [records.RUN_RECORD.from_proto(run) for run in response.run_records]

    @override
    async def save_verification_reports(
        self, session_id: str, reports: Sequence[VerificationReport], *, expected_revision: int | None = None
    ) -> int:
        request = verification_pb2.SaveVerificationReportsRequest(
            **_identity(expected_revision),
            session_id=session_id,
            verification_reports=[records.VERIFICATION_REPORT.to_proto(report) for report in reports],
        )
        return (await self._transport.unary(methods.SAVE_VERIFICATION_REPORTS, request)).revision

    @override
    async def load_verification_reports(self, session_id: str) -> builtins.list[VerificationReport] | None:
        request = verification_pb2.LoadVerificationReportsRequest(session_id=session_id)
        response = await self._transport.unary(methods.LOAD_VERIFICATION_REPORTS, request)
        if not response.present:
            return None
        return [records.VERIFICATION_REPORT.from_proto(report) for report in response.verification_reports]

    @override
    async def save_subagent_tasks(
        self, session_id: str, tasks: Sequence[SubagentTaskSnapshot], *, expected_revision: int | None = None
    ) -> int:
        request = subagent_pb2.SaveSubagentTasksRequest(
            **_identity(expected_revision),
            session_id=session_id,
            subagent_tasks=[records.SUBAGENT_TASK.to_proto(task) for task in tasks],
        )
        return (await self._transport.unary(methods.SAVE_SUBAGENT_TASKS, request)).revision

    @override
    async def load_subagent_tasks(self, session_id: str) -> builtins.list[SubagentTaskSnapshot] | None:
        request = subagent_pb2.LoadSubagentTasksRequest(session_id=session_id)
        response = await self._transport.unary(methods.LOAD_SUBAGENT_TASKS, request)
        if not response.present:
            return None
        return [records.SUBAGENT_TASK.from_proto(task) for task in response.subagent_tasks]

    @override
    async def save_loop_checkpoint(
        self, run_id: str, checkpoint: LoopCheckpoint, *, expected_revision: int | None = None
    ) -> int:
        request = checkpoint_pb2.SaveLoopCheckpointRequest(
            **_identity(expected_revision), run_id=run_id, checkpoint=records.LOOP_CHECKPOINT.to_proto(checkpoint)
        )
        return (await self._transport.unary(methods.SAVE_LOOP_CHECKPOINT, request)).revision

    @override
    async def load_loop_checkpoint(self, run_id: str) -> LoopCheckpoint | None:
        request = checkpoint_pb2.LoadLoopCheckpointRequest(run_id=run_id)
        response = await self._transport.unary(methods.LOAD_LOOP_CHECKPOINT, request)
        if not response.HasField("checkpoint"):
            return None
        return records.LOOP_CHECKPOINT.from_proto(response.checkpoint)

    @override
    async def delete_loop_checkpoint(self, run_id: str) -> None:
        request = checkpoint_pb2.DeleteLoopCheckpointRequest(run_id=run_id, request_id=_new_request_id())
        await self._transport.unary(methods.DELETE_LOOP_CHECKPOINT, request)

    @override
    async def list_loop_checkpoints(self) -> builtins.list[str]:
        request = checkpoint_pb2.ListLoopCheckpointsRequest(page_size=_LARGEST_PAGE)
        return [run_id async for page in self._pages(methods.LIST_LOOP_CHECKPOINTS, request) for run_id in page.run_ids]

    @override
    async def save_workflow_checkpoint(
        self, workflow_id: str, checkpoint: WorkflowCheckpoint, *, expected_revision: int | None = None
    ) -> int:
        request = checkpoint_pb2.SaveWorkflowCheckpointRequest(
            **_identity(expected_revision),
            workflow_id=workflow_id,
            checkpoint=records.WORKFLOW_CHECKPOINT.to_proto(checkpoint),
        )
        return (await self._transport.unary(methods.SAVE_WORKFLOW_CHECKPOINT, request)).revision

    @override
    async def load_workflow_checkpoint(self, workflow_id: str) -> WorkflowCheckpoint | None:
        request = checkpoint_pb2.LoadWorkflowCheckpointRequest(workflow_id=workflow_id)
        response = await self._transport.unary(methods.LOAD_WORKFLOW_CHECKPOINT, request)
        if not response.HasField("checkpoint"):
            return None
        return records.WORKFLOW_CHECKPOINT.from_proto(response.checkpoint)

    @override
    async def delete_workflow_checkpoint(self, workflow_id: str) -> None:
        request = checkpoint_pb2.DeleteWorkflowCheckpointRequest(workflow_id=workflow_id, request_id=_new_request_id())
        await self._transport.unary(methods.DELETE_WORKFLOW_CHECKPOINT, request)

    @override
    async def list_workflow_checkpoints(self) -> builtins.list[str]:
        request = checkpoint_pb2.ListWorkflowCheckpointsRequest(page_size=_LARGEST_PAGE)
        pages = self._pages(methods.LIST_WORKFLOW_CHECKPOINTS, request)
        return [workflow_id async for page in pages for workflow_id in page.workflow_ids]

    @override
    async def capabilities(self) -> Capabilities:
        response = await self._transport.unary(methods.GET_CAPABILITIES, system_pb2.GetCapabilitiesRequest())
        return Capabilities(**{field.name: getattr(response, field.name) for field in fields(Capabilities)})

    @override
    async def health_check(self) -> None:
        await self._transport.unary(methods.CHECK_HEALTH, system_pb2.CheckHealthRequest())

    @override
    async def aclose(self) -> None:
        await self._transport.aclose()

    async def _save(
        self,
        data: session_pb2.SessionData,
        messages: Sequence[Message],
        expected_revision: int | None,
        held: Held | None = None,
        shared: int = 0,
    ) -> int:
        """Save a session whose first `shared` messages are those of `held`."""
        base = None if held is None else session_pb2.HeldMessages(revision=held.revision, message_count=shared)
        request = session_pb2.SaveSessionRequest(
            **_identity(expected_revision),
            base=base,
            session=data,
            messages=[records.MESSAGE.to_proto(message) for message in messages[shared:]],
        )
        response = await self._transport.unary(methods.SAVE_SESSION, request)
        kept_size = 0 if held is None else held.size
        self._conversations.put(data.id, Held(response.revision, messages, kept_size + request.ByteSize()))
        return response.revision

    async def _exists(self, session_id: str) -> session_pb2.SessionExistsResponse:
        request = session_pb2.SessionExistsRequest(session_id=session_id)
        return await self._transport.unary(methods.SESSION_EXISTS, request)

    async def _pages(self, method: Method[Any, Any], request: Any) -> AsyncIterator[Any]:  # noqa: ANN401 - any list
        while True:
            page = await self._transport.unary(method, request)
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token


async def _snapshot_requests(
    snapshot: SessionSnapshot, expected_revision: int | None
) -> AsyncIterator[snapshot_pb2.SaveSnapshotRequest]:
    for part in snapshot_to_parts(snapshot, snapshot_pb2.SaveSnapshotRequest):
        if part.HasField("header"):
            part.header.MergeFrom(snapshot_pb2.SnapshotHeader(**_identity(expected_revision)))
        yield part


def _identity(expected_revision: int | None) -> _Identity:
    return {"expected_revision": expected_revision, "request_id": _new_request_id()}


def _new_request_id() -> str:
    return uuid4().hex


def _held_messages(held: Held | None) -> session_pb2.HeldMessages | None:
    if held is None:
        return None
    return session_pb2.HeldMessages(revision=held.revision, message_count=len(held.messages))
