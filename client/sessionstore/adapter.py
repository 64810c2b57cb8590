"""`SessionStore` spoken as requests to the services.

Written once: the stores in process and the remote store differ only in the transport that carries the requests.
Each method is one call; whole snapshots are one stream each way, and lists of ids one call per page. A save sends, and
a load fetches, the messages that are new since what this adapter last sent or fetched of the session.
"""

import builtins
from collections.abc import AsyncIterator, Sequence
from dataclasses import fields
from typing import Any, TypeVar
from uuid import uuid4

from google.protobuf.message import Message as Proto
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
from sessionstore.pages import MAX_PAGE_SIZE
from sessionstore.store import Capabilities, Revisioned, SessionStore
from sessionstore.transport import Method, Transport
from sessionstore.v1 import session_pb2, snapshot_pb2
from sessionstore.wire import methods, records
from sessionstore.wire.requests import build
from sessionstore.wire.snapshot import ReceivedSnapshot, snapshot_from_parts, snapshot_to_parts

Q = TypeVar("Q", bound=Proto)
A = TypeVar("A", bound=Proto)

_NOTHING = Held(0, (), 0)


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
            try:
                return await self._save(data, messages, expected_revision, held, shared)
            except StaleBaseError:
                self._conversations.forget(session.id)
        return await self._save(data, messages, expected_revision)

    @override
    async def load(self, session_id: str) -> SessionData | None:
        found = await self.load_with_revision(session_id)
        return None if found is None else found.value

    @override
    async def delete(self, session_id: str, *, expected_revision: int | None = None) -> None:
        await self._write(methods.DELETE_SESSION, expected_revision, session_id=session_id)
        self._conversations.forget(session_id)

    @override
    async def list(self) -> builtins.list[str]:
        return [session_id async for page in self._pages(methods.LIST_SESSIONS) for session_id in _ids(page)]

    @override
    async def exists(self, session_id: str) -> bool:
        return (await self._read(methods.SESSION_EXISTS, session_id=session_id)).exists

    @override
    async def is_snapshot(self, session_id: str) -> bool:
        return (await self._read(methods.SESSION_EXISTS, session_id=session_id)).snapshot

    @override
    async def revision(self, session_id: str) -> int:
        return (await self._read(methods.SESSION_EXISTS, session_id=session_id)).revision

    @override
    async def load_with_revision(self, session_id: str) -> Revisioned[SessionData] | None:
        held = self._conversations.get(session_id) or _NOTHING
        claim = _claim(held, len(held.messages))
        response = await self._read(methods.LOAD_SESSION, session_id=session_id, held=claim)
        if not response.held_count:
            self._conversations.forget(session_id)
        if not response.HasField("session"):
            return None
        kept = held if response.held_count else _NOTHING
        messages = [*kept.messages, *map(records.MESSAGE.from_proto, response.messages)]
        session = records.SESSION.from_proto(response.session, messages=messages)
        size = kept.size + sum(message.ByteSize() for message in response.messages)
        self._conversations.put(session_id, Held(response.revision, tuple(messages), size, response.instance))
        return Revisioned(session, response.revision)

    @override
    async def list_sessions(self, page_size: int = 0, page_token: str = "") -> SessionPage:
        size = min(page_size, MAX_PAGE_SIZE)
        response = await self._read(methods.LIST_SESSIONS, page_size=size, page_token=page_token)
        return SessionPage(
            sessions=[records.SESSION_SUMMARY.from_proto(summary) for summary in response.sessions],
            next_page_token=response.next_page_token,
            unreachable=tuple(response.unreachable),
        )

    @override
    async def list_unsaved(self) -> builtins.list[str]:
        pages = self._pages(methods.LIST_SESSIONS, unsaved=True)
        return [session_id async for page in pages for session_id in _ids(page)]

    @override
    async def save_snapshot(self, snapshot: SessionSnapshot, *, expected_revision: int | None = None) -> int:
        parts = _snapshot_parts(snapshot, expected_revision)
        return (await self._transport.upload(methods.SAVE_SNAPSHOT, parts)).revision

    @override
    async def load_snapshot(self, session_id: str) -> SessionSnapshot | None:
        received = ReceivedSnapshot()
        request = build(snapshot_pb2.LoadSnapshotRequest, session_id=session_id)
        async for part in self._transport.download(methods.LOAD_SNAPSHOT, request):
            received.take(part)
        return None if received.header is None else snapshot_from_parts(received)

    @override
    async def save_artifacts(
        self, session_id: str, artifacts: ArtifactStore, *, expected_revision: int | None = None
    ) -> int:
        manifest = records.ARTIFACT_MANIFEST.to_proto(artifacts.to_manifest())
        return await self._save_for(methods.SAVE_ARTIFACTS, expected_revision, session_id=session_id, manifest=manifest)

    @override
    async def load_artifacts(self, session_id: str) -> ArtifactStore | None:
        response = await self._read(methods.LOAD_ARTIFACTS, session_id=session_id)
        if not response.present:
            return None
        return ArtifactStore.from_manifest(records.ARTIFACT_MANIFEST.from_proto(response.manifest), keep_all=True)

    @override
    async def save_trace_events(
        self, session_id: str, trace_events: Sequence[TraceEvent], *, expected_revision: int | None = None
    ) -> int:
        sent = records.TRACE_EVENT.all_to_proto("trace_events", trace_events)
        return await self._save_for(
            methods.SAVE_TRACE_EVENTS, expected_revision, session_id=session_id, trace_events=sent
        )

    @override
    async def load_trace_events(self, session_id: str) -> builtins.list[TraceEvent] | None:
        response = await self._read(methods.LOAD_TRACE_EVENTS, session_id=session_id)
        if not response.present:
            return None
        return [records.TRACE_EVENT.from_proto(event) for event in response.trace_events]

    @override
    async def save_run_records(
        self, session_id: str, run_records: Sequence[RunRecord], *, expected_revision: int | None = None
    ) -> int:
        sent = records.RUN_RECORD.all_to_proto("run_records", run_records)
        return await self._save_for(
            methods.SAVE_RUN_RECORDS, expected_revision, session_id=session_id, run_records=sent
        )

    @override
    async def load_run_records(self, session_id: str) -> builtins.list[RunRecord] | None:
        response = await self._read(methods.LOAD_RUN_RECORDS, session_id=session_id)
        if not response.present:
            return None
        return [records.RUN_RECORD.from_proto(run) for run in response.run_records]

    @override
    async def save_verification_reports(
        self, session_id: str, reports: Sequence[VerificationReport], *, expected_revision: int | None = None
    ) -> int:
        sent = records.VERIFICATION_REPORT.all_to_proto("verification_reports", reports)
        return await self._save_for(
            methods.SAVE_VERIFICATION_REPORTS, expected_revision, session_id=session_id, verification_reports=sent
        )

    @override
    async def load_verification_reports(self, session_id: str) -> builtins.list[VerificationReport] | None:
        response = await self._read(methods.LOAD_VERIFICATION_REPORTS, session_id=session_id)
        if not response.present:
            return None
        return [records.VERIFICATION_REPORT.from_proto(report) for report in response.verification_reports]

    @override
    async def save_subagent_tasks(
        self, session_id: str, tasks: Sequence[SubagentTaskSnapshot], *, expected_revision: int | None = None
    ) -> int:
        sent = records.SUBAGENT_TASK.all_to_proto("subagent_tasks", tasks)
        return await self._save_for(
            methods.SAVE_SUBAGENT_TASKS, expected_revision, session_id=session_id, subagent_tasks=sent
        )

    @override
    async def load_subagent_tasks(self, session_id: str) -> builtins.list[SubagentTaskSnapshot] | None:
        response = await self._read(methods.LOAD_SUBAGENT_TASKS, session_id=session_id)
        if not response.present:
            return None
        return [records.SUBAGENT_TASK.from_proto(task) for task in response.subagent_tasks]

    @override
    async def save_loop_checkpoint(
        self, run_id: str, checkpoint: LoopCheckpoint, *, expected_revision: int | None = None
    ) -> int:
        sent = records.LOOP_CHECKPOINT.to_proto(checkpoint)
        return await self._save_for(methods.SAVE_LOOP_CHECKPOINT, expected_revision, run_id=run_id, checkpoint=sent)

    @override
    async def load_loop_checkpoint(self, run_id: str) -> LoopCheckpoint | None:
        response = await self._read(methods.LOAD_LOOP_CHECKPOINT, run_id=run_id)
        if not response.HasField("checkpoint"):
            return None
        return records.LOOP_CHECKPOINT.from_proto(response.checkpoint)

    @override
    async def delete_loop_checkpoint(self, run_id: str) -> None:
        await self._write(methods.DELETE_LOOP_CHECKPOINT, None, run_id=run_id)

    @override
    async def list_loop_checkpoints(self) -> builtins.list[str]:
        pages = self._pages(methods.LIST_LOOP_CHECKPOINTS)
        return [run_id async for page in pages for run_id in page.run_ids]

    @override
    async def save_workflow_checkpoint(
        self, workflow_id: str, checkpoint: WorkflowCheckpoint, *, expected_revision: int | None = None
    ) -> int:
        sent = records.WORKFLOW_CHECKPOINT.to_proto(checkpoint)
        return await self._save_for(
            methods.SAVE_WORKFLOW_CHECKPOINT, expected_revision, workflow_id=workflow_id, checkpoint=sent
        )

    @override
    async def load_workflow_checkpoint(self, workflow_id: str) -> WorkflowCheckpoint | None:
        response = await self._read(methods.LOAD_WORKFLOW_CHECKPOINT, workflow_id=workflow_id)
        if not response.HasField("checkpoint"):
            return None
        return records.WORKFLOW_CHECKPOINT.from_proto(response.checkpoint)

    @override
    async def delete_workflow_checkpoint(self, workflow_id: str) -> None:
        await self._write(methods.DELETE_WORKFLOW_CHECKPOINT, None, workflow_id=workflow_id)

    @override
    async def list_workflow_checkpoints(self) -> builtins.list[str]:
        pages = self._pages(methods.LIST_WORKFLOW_CHECKPOINTS)
        return [workflow_id async for page in pages for workflow_id in page.workflow_ids]

    @override
    async def capabilities(self) -> Capabilities:
        response = await self._read(methods.GET_CAPABILITIES)
        return Capabilities(**{field.name: getattr(response, field.name) for field in fields(Capabilities)})

    @override
    async def health_check(self) -> None:
        await self._read(methods.CHECK_HEALTH)

    @override
    async def aclose(self) -> None:
        await self._transport.aclose()

    async def _save(
        self,
        data: session_pb2.SessionData,
        messages: Sequence[Message],
        expected_revision: int | None,
        held: Held = _NOTHING,
        shared: int = 0,
    ) -> int:
        """Save a session that begins with the first `shared` messages of `held`."""
        request = build(
            session_pb2.SaveSessionRequest,
            expected_revision=expected_revision,
            request_id=_new_request_id(),
            base=_claim(held, shared) if shared else None,
            session=data,
            messages=records.MESSAGE.all_to_proto("messages", messages[shared:], first=shared),
        )
        response = await self._transport.unary(methods.SAVE_SESSION, request)
        size = held.size + sum(message.ByteSize() for message in request.messages)
        self._conversations.put(data.id, Held(response.revision, messages, size, response.instance))
        return response.revision

    async def _save_for(self, method: Method[Any, Any], expected_revision: int | None, **values: object) -> int:
        revision: int = (await self._write(method, expected_revision, **values)).revision
        return revision

    async def _write(self, method: Method[Q, A], expected_revision: int | None, **values: object) -> A:
        identity = {"expected_revision": expected_revision, "request_id": _new_request_id()}
        return await self._transport.unary(method, build(method.request, **identity, **values))

    async def _read(self, method: Method[Q, A], **values: object) -> A:
        return await self._transport.unary(method, build(method.request, **values))

    async def _pages(self, method: Method[Any, A], **values: object) -> AsyncIterator[A]:
        request = build(method.request, page_size=MAX_PAGE_SIZE, **values)
        while True:
            page: Any = await self._transport.unary(method, request)
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token


async def _snapshot_parts(
    snapshot: SessionSnapshot, expected_revision: int | None
) -> AsyncIterator[snapshot_pb2.SaveSnapshotRequest]:
    for part in snapshot_to_parts(snapshot, snapshot_pb2.SaveSnapshotRequest):
        if part.HasField("header"):
            values = {"expected_revision": expected_revision, "request_id": _new_request_id()}
            part.header.MergeFrom(build(snapshot_pb2.SnapshotHeader, **values))
        yield part


def _ids(page: session_pb2.ListSessionsResponse) -> builtins.list[str]:
    return sorted([*(session.id for session in page.sessions), *page.unreachable])


def _claim(held: Held, count: int) -> session_pb2.HeldMessages:
    return session_pb2.HeldMessages(revision=held.revision, message_count=count, instance=held.instance)


def _new_request_id() -> str:
    return uuid4().hex
