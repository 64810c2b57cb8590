"""Records with fields of a newer program are kept byte for byte, by every backend and of every kind."""

from collections.abc import AsyncIterator

import pytest
from google.protobuf.message import Message

from sessionstore.testing import samples
from sessionstore.transport import Method
from sessionstore.v1 import artifact_pb2, run_pb2, session_pb2, snapshot_pb2
from sessionstore.wire import methods, records
from sessionstore.wire.snapshot import snapshot_to_parts
from sessionstore_server.backends.base import Backend
from sessionstore_server.backends.file import FileBackend
from sessionstore_server.backends.memory import MemoryBackend
from sessionstore_server.local import LocalTransport
from sessionstore_server.record_json import RecordJson
from sessionstore_server.services.assembly import services_over

OF_LATER = b"\xba\x3e\x05later"
"""Field 999, which no message has."""


@pytest.fixture(params=["memory", "file"])
async def transport(request, tmp_path) -> AsyncIterator[LocalTransport]:
    backend: Backend = MemoryBackend() if request.param == "memory" else FileBackend(tmp_path, RecordJson())
    transport = LocalTransport(services_over(backend))
    yield transport
    await transport.aclose()


def newer(message: Message) -> Message:
    """Return the message as a newer program would have sent it."""
    return type(message).FromString(message.SerializeToString() + OF_LATER)


RECORDS = {
    "trace_events": (
        methods.SAVE_TRACE_EVENTS,
        methods.LOAD_TRACE_EVENTS,
        [records.TRACE_EVENT.to_proto(event) for event in samples.trace_events()],
    ),
    "run_records": (
        methods.SAVE_RUN_RECORDS,
        methods.LOAD_RUN_RECORDS,
        [
            run_pb2.RunRecord(
                snapshot=newer(records.RUN_RECORD.to_proto(run).snapshot),
                events=[newer(records.RUN_EVENT.to_proto(event)) for event in run.events],
            )
            for run in samples.run_records("one")
        ],
    ),
    "verification_reports": (
        methods.SAVE_VERIFICATION_REPORTS,
        methods.LOAD_VERIFICATION_REPORTS,
        [records.VERIFICATION_REPORT.to_proto(report) for report in samples.verification_reports()],
    ),
    "subagent_tasks": (
        methods.SAVE_SUBAGENT_TASKS,
        methods.LOAD_SUBAGENT_TASKS,
        [records.SUBAGENT_TASK.to_proto(task) for task in samples.subagent_tasks("one")],
    ),
}


@pytest.mark.parametrize("kind", RECORDS)
async def test_records_of_a_session(transport: LocalTransport, kind: str) -> None:
    save, load, messages = RECORDS[kind]
    sent = [newer(message) for message in messages]
    await transport.unary(save, save.request(session_id="one", **{kind: sent}))
    loaded = await transport.unary(load, load.request(session_id="one"))
    assert [message.SerializeToString() for message in getattr(loaded, kind)] == [
        message.SerializeToString() for message in sent
    ]


async def test_artifacts(transport: LocalTransport) -> None:
    manifest = newer(records.ARTIFACT_MANIFEST.to_proto(samples.artifacts().to_manifest()))
    for artifact in manifest.artifacts:
        artifact.MergeFromString(OF_LATER)
    sent = artifact_pb2.SaveArtifactsRequest(session_id="one", manifest=manifest)
    await transport.unary(methods.SAVE_ARTIFACTS, sent)
    loaded = await transport.unary(methods.LOAD_ARTIFACTS, artifact_pb2.LoadArtifactsRequest(session_id="one"))
    assert loaded.manifest.SerializeToString() == manifest.SerializeToString()


CHECKPOINTS = {
    "loop": (
        methods.SAVE_LOOP_CHECKPOINT,
        methods.LOAD_LOOP_CHECKPOINT,
        "run_id",
        records.LOOP_CHECKPOINT.to_proto(samples.loop_checkpoint()),
    ),
    "workflow": (
        methods.SAVE_WORKFLOW_CHECKPOINT,
        methods.LOAD_WORKFLOW_CHECKPOINT,
        "workflow_id",
        records.WORKFLOW_CHECKPOINT.to_proto(samples.workflow_checkpoint()),
    ),
}


@pytest.mark.parametrize("kind", CHECKPOINTS)
async def test_checkpoints(transport: LocalTransport, kind: str) -> None:
    save: Method
    save, load, id_field, checkpoint = CHECKPOINTS[kind]
    owner, sent = {id_field: getattr(checkpoint, id_field)}, newer(checkpoint)
    await transport.unary(save, save.request(checkpoint=sent, **owner))
    loaded = await transport.unary(load, load.request(**owner))
    assert loaded.checkpoint.SerializeToString() == sent.SerializeToString()


async def test_sessions_and_messages(transport: LocalTransport) -> None:
    session, messages = records.session_to_proto(samples.session("one"))
    request = session_pb2.SaveSessionRequest(session=newer(session), messages=[newer(message) for message in messages])
    await transport.unary(methods.SAVE_SESSION, request)
    loaded = await transport.unary(methods.LOAD_SESSION, session_pb2.LoadSessionRequest(session_id="one"))
    assert loaded.session.SerializeToString() == request.session.SerializeToString()
    assert [message.SerializeToString() for message in loaded.messages] == [
        message.SerializeToString() for message in request.messages
    ]


async def test_snapshots(transport: LocalTransport) -> None:
    """Of a snapshot too, the header and the records in the parts."""

    async def parts() -> AsyncIterator[Message]:
        for part in snapshot_to_parts(samples.snapshot("one"), snapshot_pb2.SaveSnapshotRequest):
            kind = part.WhichOneof("part")
            if kind in ("header", "session"):
                getattr(part, kind).MergeFromString(OF_LATER)
            elif kind != "retained_artifact_uris":
                for record in getattr(getattr(part, kind), kind):
                    record.MergeFromString(OF_LATER)
            yield part

    sent = [part async for part in parts()]
    await transport.upload(methods.SAVE_SNAPSHOT, parts())
    request = snapshot_pb2.LoadSnapshotRequest(session_id="one")
    received = [part async for part in transport.download(methods.LOAD_SNAPSHOT, request)]
    assert received[0].header.revision == 1
    received[0].header.ClearField("revision")
    assert [part.SerializeToString(deterministic=True) for part in received] == [
        part.SerializeToString(deterministic=True) for part in sent
    ]
