"""The kinds of documents: how their text is read and written, and which calls of a store take and give them."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from pydantic import ValidationError
from pydantic_core import from_json

from sessionstore.errors import (
    DataCorruptionError,
    InvalidArgumentError,
    PayloadTooLargeError,
    UnsupportedOperationError,
    UnsupportedVersionError,
)
from sessionstore.interchange.layout import Kind
from sessionstore.model import (
    ArtifactManifest,
    ArtifactStore,
    FrozenModel,
    LoopCheckpoint,
    Model,
    RunRecord,
    SessionData,
    SessionSnapshot,
    SubagentTaskSnapshot,
    TraceEvent,
    VerificationReport,
    WorkflowCheckpoint,
    dump_json_list,
    validate_json_list,
)
from sessionstore.store import SessionStore

T = TypeVar("T")
R = TypeVar("R", bound=FrozenModel)

Session = SessionData | SessionSnapshot

REFUSALS = (
    DataCorruptionError,
    InvalidArgumentError,
    PayloadTooLargeError,
    UnsupportedOperationError,
    UnsupportedVersionError,
)
"""Errors that concern one document; any other one, such as a full disk, ends the whole import or export."""

_SHOWN_FAULTS = 3


class DocumentError(Exception):
    """A document cannot be read, or not be written as the reference would; the message is the reason."""


@dataclass(frozen=True, slots=True)
class DocumentType(Generic[T]):
    """One kind of document. `save` and `load` give the call of a store, which takes the document's id first."""

    read: Callable[[bytes], T]
    write: Callable[[T], str]
    save: Callable[[SessionStore], Callable[[str, T], Awaitable[object]]]
    load: Callable[[SessionStore], Callable[[str], Awaitable[T | None]]]
    id_inside: Callable[[T], str] | None = None
    """Reads the id from the content; None when only the path tells it."""


def read_document(document_type: DocumentType[T], data: bytes) -> T:
    """Read the bytes of a file. Errors: DocumentError, which names the faulty fields and never shows their content."""
    try:
        return document_type.read(data)
    except ValidationError as error:
        raise DocumentError(_describe(error)) from error
    except (InvalidArgumentError, ValueError) as error:
        raise DocumentError(str(error)) from error


def _describe(error: ValidationError) -> str:
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    shown = [_describe_fault(".".join(map(str, fault["loc"])), fault["msg"]) for fault in faults[:_SHOWN_FAULTS]]
    more = len(faults) - len(shown)
    return "; ".join([*shown, f"and {more} more"] if more else shown)


def _describe_fault(path: str, problem: str) -> str:
    return f"{path}: {problem}" if path else problem


def _read_session(data: bytes) -> Session:
    top = from_json(data)
    if isinstance(top, dict) and top.keys() & {"schema_version", "session"}:
        return SessionSnapshot.model_validate_json(data)
    return SessionData.model_validate_json(data)


def _session_id(session: Session) -> str:
    return session.session.id if isinstance(session, SessionSnapshot) else session.id


async def _save_session(store: SessionStore, _session_id: str, session: Session) -> None:
    if isinstance(session, SessionSnapshot):
        await store.save_snapshot(session)
    else:
        await store.save(session)


async def _load_session(store: SessionStore, session_id: str) -> Session | None:
    if await store.is_snapshot(session_id):
        return await store.load_snapshot(session_id)
    return await store.load(session_id)


def _read_artifacts(data: bytes) -> ArtifactStore:
    # The reference would apply its default limits here and drop the oldest artifacts; an import keeps them all.
    manifest = ArtifactManifest.model_validate_json(data)
    return ArtifactStore.from_manifest(manifest, keep_all=True)


def _write(document: Model) -> str:
    return document.model_dump_json(indent=2)


def _records(
    record_type: type[R],
    save: Callable[[SessionStore], Callable[[str, list[R]], Awaitable[object]]],
    load: Callable[[SessionStore], Callable[[str], Awaitable[list[R] | None]]],
) -> DocumentType[list[R]]:
    return DocumentType(partial(validate_json_list, record_type), dump_json_list, save, load)


DOCUMENT_TYPES: Mapping[Kind, DocumentType[Any]] = {
    Kind.SESSIONS: DocumentType(
        _read_session,
        _write,
        lambda store: partial(_save_session, store),
        lambda store: partial(_load_session, store),
        _session_id,
    ),
    Kind.ARTIFACTS: DocumentType(
        _read_artifacts,
        lambda artifacts: _write(artifacts.to_manifest()),
        lambda store: store.save_artifacts,
        lambda store: store.load_artifacts,
    ),
    Kind.TRACE_EVENTS: _records(
        TraceEvent,
        lambda store: store.save_trace_events,
        lambda store: store.load_trace_events,
    ),
    Kind.RUN_RECORDS: _records(
        RunRecord,
        lambda store: store.save_run_records,
        lambda store: store.load_run_records,
    ),
    Kind.VERIFICATION_REPORTS: _records(
        VerificationReport,
        lambda store: store.save_verification_reports,
        lambda store: store.load_verification_reports,
    ),
    Kind.SUBAGENT_TASKS: _records(
        SubagentTaskSnapshot,
        lambda store: store.save_subagent_tasks,
        lambda store: store.load_subagent_tasks,
    ),
    Kind.LOOP_CHECKPOINTS: DocumentType(
        LoopCheckpoint.model_validate_json,
        _write,
        lambda store: store.save_loop_checkpoint,
        lambda store: store.load_loop_checkpoint,
        lambda checkpoint: checkpoint.run_id,
    ),
    Kind.WORKFLOW_CHECKPOINTS: DocumentType(
        WorkflowCheckpoint.model_validate_json,
        _write,
        lambda store: store.save_workflow_checkpoint,
        lambda store: store.load_workflow_checkpoint,
        lambda checkpoint: checkpoint.workflow_id,
    ),
}
