"""The codec of every record that is kept or sent by itself."""

from collections.abc import Iterable

from sessionstore import model
from sessionstore.v1 import (
    artifact_pb2,
    checkpoint_pb2,
    message_pb2,
    run_pb2,
    session_pb2,
    subagent_pb2,
    trace_pb2,
    verification_pb2,
)
from sessionstore.wire.codec import Codec
from sessionstore.wire.events import fill_run_event, fill_trace_event, read_run_event, read_trace_event
from sessionstore.wire.messages import fill_message, read_message

SESSION = Codec(model.SessionData, session_pb2.SessionData, apart=("messages",))
SESSION_SUMMARY = Codec(model.SessionSummary, session_pb2.SessionSummary)
MESSAGE = Codec(model.Message, message_pb2.Message, read=read_message, fill=fill_message)
TRACE_EVENT = Codec(model.TraceEvent, trace_pb2.TraceEvent, read=read_trace_event, fill=fill_trace_event)
RUN_RECORD = Codec(model.RunRecord, run_pb2.RunRecord)
RUN_EVENT = Codec(model.RunEventRecord, run_pb2.RunEventRecord, read=read_run_event, fill=fill_run_event)
VERIFICATION_REPORT = Codec(model.VerificationReport, verification_pb2.VerificationReport)
ARTIFACT = Codec(model.ToolArtifact, artifact_pb2.ToolArtifact)
ARTIFACT_REFERENCE = Codec(model.ArtifactReference, artifact_pb2.ArtifactReference)
ARTIFACT_MANIFEST = Codec(model.ArtifactManifest, artifact_pb2.ArtifactManifest)
RUN_EVENT_PAGE = Codec(model.RunEventPage, run_pb2.RunEventPage)
SUBAGENT_TASK = Codec(model.SubagentTaskSnapshot, subagent_pb2.SubagentTaskSnapshot)
LOOP_CHECKPOINT = Codec(model.LoopCheckpoint, checkpoint_pb2.LoopCheckpoint)
WORKFLOW_CHECKPOINT = Codec(model.WorkflowCheckpoint, checkpoint_pb2.WorkflowCheckpoint)


def session_to_proto(session: model.SessionData) -> tuple[session_pb2.SessionData, list[message_pb2.Message]]:
    """Return the session without its messages, and the messages."""
    return SESSION.to_proto(session), MESSAGE.all_to_proto("messages", session.messages)


def session_from_proto(session: session_pb2.SessionData, messages: Iterable[message_pb2.Message]) -> model.SessionData:
    """Return the session with its messages."""
    return SESSION.from_proto(session, messages=[MESSAGE.from_proto(message) for message in messages])
