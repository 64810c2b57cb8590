"""The records of a session, each kind whole, and snapshots as streams of parts."""

import builtins
from collections.abc import AsyncIterator, Mapping, Sequence

from typing_extensions import override

from sessionstore.adapter.calls import Calls, Conditions, identity
from sessionstore.model import (
    ArtifactStore,
    RunRecord,
    SessionSnapshot,
    SubagentTaskSnapshot,
    TraceEvent,
    VerificationReport,
)
from sessionstore.store.records import RecordOperations
from sessionstore.v1 import snapshot_pb2
from sessionstore.wire import methods, records
from sessionstore.wire.requests import build
from sessionstore.wire.snapshot import ReceivedSnapshot, snapshot_from_parts, snapshot_to_parts


class RecordCalls(Calls, RecordOperations):
    """`RecordOperations` as calls."""

    @override
    async def save_snapshot(
        self, snapshot: SessionSnapshot, *, expected_revision: int | None = None, lease_epoch: int | None = None
    ) -> int:
        fields = identity(Conditions(expected_revision, lease_epoch))

        async def save() -> int:
            return (await self._transport.upload(methods.SAVE_SNAPSHOT, _snapshot_parts(snapshot, fields))).revision

        return await self._repeated(save)

    @override
    async def is_snapshot(self, session_id: str) -> bool:
        return (await self._read(methods.SESSION_EXISTS, session_id=session_id)).snapshot

    @override
    async def load_snapshot(self, session_id: str) -> SessionSnapshot | None:
        request = build(snapshot_pb2.LoadSnapshotRequest, session_id=session_id)

        async def load() -> ReceivedSnapshot:
            received = ReceivedSnapshot()
            async for part in self._transport.download(methods.LOAD_SNAPSHOT, request):
                received.take(part)
            return received

        received = await self._repeated(load)
        return None if received.header is None else snapshot_from_parts(received)

    @override
    async def save_artifacts(
        self,
        session_id: str,
        artifacts: ArtifactStore,
        *,
        expected_revision: int | None = None,
        lease_epoch: int | None = None,
    ) -> int:
        manifest = records.ARTIFACT_MANIFEST.to_proto(artifacts.to_manifest())
        return await self._save_for(
            methods.SAVE_ARTIFACTS, Conditions(expected_revision, lease_epoch), session_id=session_id, manifest=manifest
        )

    @override
    async def load_artifacts(self, session_id: str) -> ArtifactStore | None:
        response = await self._read(methods.LOAD_ARTIFACTS, session_id=session_id)
        if not response.present:
            return None
        return ArtifactStore.from_manifest(records.ARTIFACT_MANIFEST.from_proto(response.manifest), keep_all=True)

    @override
    async def save_trace_events(
        self,
        session_id: str,
        trace_events: Sequence[TraceEvent],
        *,
        expected_revision: int | None = None,
        lease_epoch: int | None = None,
    ) -> int:
        sent = records.TRACE_EVENT.all_to_proto("trace_events", trace_events)
        return await self._save_for(
            methods.SAVE_TRACE_EVENTS,
            Conditions(expected_revision, lease_epoch),
            session_id=session_id,
            trace_events=sent,
        )

    @override
    async def load_trace_events(self, session_id: str) -> builtins.list[TraceEvent] | None:
        response = await self._read(methods.LOAD_TRACE_EVENTS, session_id=session_id)
        if not response.present:
            return None
        return [records.TRACE_EVENT.from_proto(event) for event in response.trace_events]

    @override
    async def save_run_records(
        self,
        session_id: str,
        run_records: Sequence[RunRecord],
        *,
        expected_revision: int | None = None,
        lease_epoch: int | None = None,
    ) -> int:
        sent = records.RUN_RECORD.all_to_proto("run_records", run_records)
        return await self._save_for(
            methods.SAVE_RUN_RECORDS,
            Conditions(expected_revision, lease_epoch),
            session_id=session_id,
            run_records=sent,
        )

    @override
    async def load_run_records(self, session_id: str) -> builtins.list[RunRecord] | None:
        response = await self._read(methods.LOAD_RUN_RECORDS, session_id=session_id)
        if not response.present:
            return None
        return [records.RUN_RECORD.from_proto(run) for run in response.run_records]

    @override
    async def save_verification_reports(
        self,
        session_id: str,
        reports: Sequence[VerificationReport],
        *,
        expected_revision: int | None = None,
        lease_epoch: int | None = None,
    ) -> int:
        sent = records.VERIFICATION_REPORT.all_to_proto("verification_reports", reports)
        return await self._save_for(
            methods.SAVE_VERIFICATION_REPORTS,
            Conditions(expected_revision, lease_epoch),
            session_id=session_id,
            verification_reports=sent,
        )

    @override
    async def load_verification_reports(self, session_id: str) -> builtins.list[VerificationReport] | None:
        response = await self._read(methods.LOAD_VERIFICATION_REPORTS, session_id=session_id)
        if not response.present:
            return None
        return [records.VERIFICATION_REPORT.from_proto(report) for report in response.verification_reports]

    @override
    async def save_subagent_tasks(
        self,
        session_id: str,
        tasks: Sequence[SubagentTaskSnapshot],
        *,
        expected_revision: int | None = None,
        lease_epoch: int | None = None,
    ) -> int:
        sent = records.SUBAGENT_TASK.all_to_proto("subagent_tasks", tasks)
        return await self._save_for(
            methods.SAVE_SUBAGENT_TASKS,
            Conditions(expected_revision, lease_epoch),
            session_id=session_id,
            subagent_tasks=sent,
        )

    @override
    async def load_subagent_tasks(self, session_id: str) -> builtins.list[SubagentTaskSnapshot] | None:
        response = await self._read(methods.LOAD_SUBAGENT_TASKS, session_id=session_id)
        if not response.present:
            return None
        return [records.SUBAGENT_TASK.from_proto(task) for task in response.subagent_tasks]


async def _snapshot_parts(
    snapshot: SessionSnapshot, fields: Mapping[str, object]
) -> AsyncIterator[snapshot_pb2.SaveSnapshotRequest]:
    for part in snapshot_to_parts(snapshot, snapshot_pb2.SaveSnapshotRequest):
        if part.HasField("header"):
            part.header.MergeFrom(build(snapshot_pb2.SnapshotHeader, **fields))
        yield part
