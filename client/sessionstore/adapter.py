"""`SessionStore` spoken as requests to the services.

Written once: the stores in process and the remote store differ only in the transport that carries the requests.
Each method is one call; whole snapshots are one stream each way, and lists of ids one call per page.
"""

import builtins
from collections.abc import AsyncIterator, Sequence
from dataclasses import fields
from typing import Any

from typing_extensions import override

from sessionstore.model import (
    ArtifactStore,
    LoopCheckpoint,
    RunRecord,
    SessionData,
    SessionPage,
    SessionSnapshot,
    SubagentTaskSnapshot,
    TraceEvent,
    VerificationReport,
    WorkflowCheckpoint,
)
from sessionstore.pages import MAX_PAGE_SIZE
from sessionstore.store import Capabilities, SessionStore
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
from sessionstore.wire.requests import build
from sessionstore.wire.snapshot import ReceivedSnapshot, snapshot_from_parts, snapshot_to_parts


class ServiceAdapter(SessionStore):
    """A session store that calls the services through `transport`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @override
    @property
    def backend_name(self) -> str:
        return self._transport.name

    @override
    async def save(self, session: SessionData) -> None:
        data, messages = records.session_to_proto(session)
        request = build(session_pb2.SaveSessionRequest, session=data, messages=messages)
        await self._transport.unary(methods.SAVE_SESSION, request)

    @override
    async def load(self, session_id: str) -> SessionData | None:
        request = build(session_pb2.LoadSessionRequest, session_id=session_id)
        response = await self._transport.unary(methods.LOAD_SESSION, request)
        if not response.HasField("session"):
            return None
        return records.session_from_proto(response.session, response.messages)

    @override
    async def delete(self, session_id: str) -> None:
        request = build(session_pb2.DeleteSessionRequest, session_id=session_id)
        await self._transport.unary(methods.DELETE_SESSION, request)

    @override
    async def list(self) -> builtins.list[str]:
        request = build(session_pb2.ListSessionsRequest, page_size=MAX_PAGE_SIZE)
        return [entry.id async for page in self._pages(methods.LIST_SESSIONS, request) for entry in page.sessions]

    @override
    async def exists(self, session_id: str) -> bool:
        return (await self._exists(session_id)).exists

    @override
    async def is_snapshot(self, session_id: str) -> bool:
        return (await self._exists(session_id)).snapshot

    @override
    async def list_sessions(self, page_size: int = 0, page_token: str = "") -> SessionPage:
        size = min(page_size, MAX_PAGE_SIZE)
        request = build(session_pb2.ListSessionsRequest, page_size=size, page_token=page_token)
        response = await self._transport.unary(methods.LIST_SESSIONS, request)
        return SessionPage(
            sessions=[records.SESSION_SUMMARY.from_proto(summary) for summary in response.sessions],
            next_page_token=response.next_page_token,
        )

    @override
    async def save_snapshot(self, snapshot: SessionSnapshot) -> None:
        await self._transport.upload(methods.SAVE_SNAPSHOT, _snapshot_requests(snapshot))

    @override
    async def load_snapshot(self, session_id: str) -> SessionSnapshot | None:
        received = ReceivedSnapshot()
        request = build(snapshot_pb2.LoadSnapshotRequest, session_id=session_id)
        async for part in self._transport.download(methods.LOAD_SNAPSHOT, request):
            received.take(part)
        return None if received.header is None else snapshot_from_parts(received)

    @override
    async def save_artifacts(self, session_id: str, artifacts: ArtifactStore) -> None:
        manifest = records.ARTIFACT_MANIFEST.to_proto(artifacts.to_manifest())
        request = build(artifact_pb2.SaveArtifactsRequest, session_id=session_id, manifest=manifest)
        await self._transport.unary(methods.SAVE_ARTIFACTS, request)

    @override
    async def load_artifacts(self, session_id: str) -> ArtifactStore | None:
        request = build(artifact_pb2.LoadArtifactsRequest, session_id=session_id)
        response = await self._transport.unary(methods.LOAD_ARTIFACTS, request)
        if not response.present:
            return None
        return ArtifactStore.from_manifest(records.ARTIFACT_MANIFEST.from_proto(response.manifest), keep_all=True)

    @override
    async def save_trace_events(self, session_id: str, trace_events: Sequence[TraceEvent]) -> None:
        events = records.TRACE_EVENT.all_to_proto("trace_events", trace_events)
        request = build(trace_pb2.SaveTraceEventsRequest, session_id=session_id, trace_events=events)
        await self._transport.unary(methods.SAVE_TRACE_EVENTS, request)

    @override
    async def load_trace_events(self, session_id: str) -> builtins.list[TraceEvent] | None:
        request = build(trace_pb2.LoadTraceEventsRequest, session_id=session_id)
        response = await self._transport.unary(methods.LOAD_TRACE_EVENTS, request)
        if not response.present:
            return None
        return [records.TRACE_EVENT.from_proto(event) for event in response.trace_events]

    @override
    async def save_run_records(self, session_id: str, run_records: Sequence[RunRecord]) -> None:
        runs = records.RUN_RECORD.all_to_proto("run_records", run_records)
        request = build(run_pb2.SaveRunRecordsRequest, session_id=session_id, run_records=runs)
        await self._transport.unary(methods.SAVE_RUN_RECORDS, request)

    @override
    async def load_run_records(self, session_id: str) -> builtins.list[RunRecord] | None:
        request = build(run_pb2.LoadRunRecordsRequest, session_id=session_id)
        response = await self._transport.unary(methods.LOAD_RUN_RECORDS, request)
        if not response.present:
            return None
        return [records.RUN_RECORD.from_proto(run) for run in response.run_records]

    @override
    async def save_verification_reports(self, session_id: str, reports: Sequence[VerificationReport]) -> None:
        request = build(
            verification_pb2.SaveVerificationReportsRequest,
            session_id=session_id,
            verification_reports=records.VERIFICATION_REPORT.all_to_proto("verification_reports", reports),
        )
        await self._transport.unary(methods.SAVE_VERIFICATION_REPORTS, request)

    @override
    async def load_verification_reports(self, session_id: str) -> builtins.list[VerificationReport] | None:
        request = build(verification_pb2.LoadVerificationReportsRequest, session_id=session_id)
        response = await self._transport.unary(methods.LOAD_VERIFICATION_REPORTS, request)
        if not response.present:
            return None
        return [records.VERIFICATION_REPORT.from_proto(report) for report in response.verification_reports]

    @override
    async def save_subagent_tasks(self, session_id: str, tasks: Sequence[SubagentTaskSnapshot]) -> None:
        request = build(
            subagent_pb2.SaveSubagentTasksRequest,
            session_id=session_id,
            subagent_tasks=records.SUBAGENT_TASK.all_to_proto("subagent_tasks", tasks),
        )
        await self._transport.unary(methods.SAVE_SUBAGENT_TASKS, request)

    @override
    async def load_subagent_tasks(self, session_id: str) -> builtins.list[SubagentTaskSnapshot] | None:
        request = build(subagent_pb2.LoadSubagentTasksRequest, session_id=session_id)
        response = await self._transport.unary(methods.LOAD_SUBAGENT_TASKS, request)
        if not response.present:
            return None
        return [records.SUBAGENT_TASK.from_proto(task) for task in response.subagent_tasks]

    @override
    async def save_loop_checkpoint(self, run_id: str, checkpoint: LoopCheckpoint) -> None:
        request = build(
            checkpoint_pb2.SaveLoopCheckpointRequest,
            run_id=run_id,
            checkpoint=records.LOOP_CHECKPOINT.to_proto(checkpoint),
        )
        await self._transport.unary(methods.SAVE_LOOP_CHECKPOINT, request)

    @override
    async def load_loop_checkpoint(self, run_id: str) -> LoopCheckpoint | None:
        request = build(checkpoint_pb2.LoadLoopCheckpointRequest, run_id=run_id)
        response = await self._transport.unary(methods.LOAD_LOOP_CHECKPOINT, request)
        if not response.HasField("checkpoint"):
            return None
        return records.LOOP_CHECKPOINT.from_proto(response.checkpoint)

    @override
    async def delete_loop_checkpoint(self, run_id: str) -> None:
        request = build(checkpoint_pb2.DeleteLoopCheckpointRequest, run_id=run_id)
        await self._transport.unary(methods.DELETE_LOOP_CHECKPOINT, request)

    @override
    async def list_loop_checkpoints(self) -> builtins.list[str]:
        request = build(checkpoint_pb2.ListLoopCheckpointsRequest, page_size=MAX_PAGE_SIZE)
        return [run_id async for page in self._pages(methods.LIST_LOOP_CHECKPOINTS, request) for run_id in page.run_ids]

    @override
    async def save_workflow_checkpoint(self, workflow_id: str, checkpoint: WorkflowCheckpoint) -> None:
        request = build(
            checkpoint_pb2.SaveWorkflowCheckpointRequest,
            workflow_id=workflow_id,
            checkpoint=records.WORKFLOW_CHECKPOINT.to_proto(checkpoint),
        )
        await self._transport.unary(methods.SAVE_WORKFLOW_CHECKPOINT, request)

    @override
    async def load_workflow_checkpoint(self, workflow_id: str) -> WorkflowCheckpoint | None:
        request = build(checkpoint_pb2.LoadWorkflowCheckpointRequest, workflow_id=workflow_id)
        response = await self._transport.unary(methods.LOAD_WORKFLOW_CHECKPOINT, request)
        if not response.HasField("checkpoint"):
            return None
        return records.WORKFLOW_CHECKPOINT.from_proto(response.checkpoint)

    @override
    async def delete_workflow_checkpoint(self, workflow_id: str) -> None:
        request = build(checkpoint_pb2.DeleteWorkflowCheckpointRequest, workflow_id=workflow_id)
        await self._transport.unary(methods.DELETE_WORKFLOW_CHECKPOINT, request)

    @override
    async def list_workflow_checkpoints(self) -> builtins.list[str]:
        request = build(checkpoint_pb2.ListWorkflowCheckpointsRequest, page_size=MAX_PAGE_SIZE)
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

    async def _exists(self, session_id: str) -> session_pb2.SessionExistsResponse:
        request = build(session_pb2.SessionExistsRequest, session_id=session_id)
        return await self._transport.unary(methods.SESSION_EXISTS, request)

    async def _pages(self, method: Method[Any, Any], request: Any) -> AsyncIterator[Any]:  # noqa: ANN401 - any list
        while True:
            page = await self._transport.unary(method, request)
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token


async def _snapshot_requests(snapshot: SessionSnapshot) -> AsyncIterator[snapshot_pb2.SaveSnapshotRequest]:
    for part in snapshot_to_parts(snapshot, snapshot_pb2.SaveSnapshotRequest):
        yield part
