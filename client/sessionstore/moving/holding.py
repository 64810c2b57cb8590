"""What a store holds of one session, or of one run or workflow as a checkpoint, and its digest."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from typing import Any

from sessionstore.errors import (
    InvalidArgumentError,
    RevisionConflictError,
    RevisionNotKeptError,
    UnsupportedOperationError,
)
from sessionstore.interchange.document import DOCUMENT_TYPES
from sessionstore.interchange.layout import CHECKPOINTS, RECORDS, Kind
from sessionstore.model import ArtifactReference, ArtifactStore, SessionSnapshot, ToolArtifact
from sessionstore.model.artifact import DEFAULT_MAX_ARTIFACT_BYTES
from sessionstore.store import Capabilities, SessionStore

MOST_CONTENT_BYTES = DEFAULT_MAX_ARTIFACT_BYTES
"""How much content of artifacts is held in memory; when a session has more, all of it stands apart."""

_ATTEMPTS = 10


@dataclass(frozen=True)
class Holding:
    """Everything that was saved under an id; nothing, when there are no documents."""

    id: str
    documents: Mapping[Kind, Any]
    """As `DOCUMENT_TYPES` load them: one snapshot, what was saved kind by kind, or one checkpoint."""
    references: Sequence[ArtifactReference] = ()
    """All artifacts, by the digests of their contents."""
    is_apart: bool = False
    """The documents lack the artifacts: their content is too large or no text, and has to be streamed."""
    revision: int | None = None
    """At which it was read; None when that is not known."""

    @property
    def snapshot(self) -> SessionSnapshot | None:
        """The session with all its records, if it was saved as a whole."""
        document = self.documents.get(Kind.SESSIONS)
        return document if isinstance(document, SessionSnapshot) else None

    @cached_property
    def texts(self) -> Mapping[Kind, str]:
        """The JSON of the documents without artifacts."""
        return {kind: DOCUMENT_TYPES[kind].write(_without_artifacts(self.documents[kind])) for kind in self.documents}

    @cached_property
    def digest(self) -> str:
        """The SHA-256, in lower-case hex, of the names and texts of all documents, in order, and of all references."""
        content = sha256()
        for part in _flat(self.texts):
            content.update(part.encode() + b"\0")
        for reference in self.references:
            content.update(reference.model_dump_json().encode() + b"\0")
        return content.hexdigest()

    @property
    def size(self) -> int:
        """How many bytes the texts and the contents of the artifacts have."""
        return sum(len(text.encode()) for text in self.texts.values()) + sum(each.size for each in self.references)

    @property
    def counts(self) -> Counter[str]:
        """How many records there are of each kind."""
        pieces = self.pieces()
        counts = Counter({kind.label: len(pieces[kind]) if kind in RECORDS else 1 for kind in pieces})
        counts["artifacts"] = len(self.references)
        counts["run_events"] = sum(len(run.events) for run in pieces.get(Kind.RUN_RECORDS, ()))
        if session := pieces.get(Kind.SESSIONS):
            counts["messages"] = len(session.messages)
        return +counts

    def pieces(self) -> dict[Kind, Any]:
        """Return the session and each kind of records as a document of its own."""
        snapshot = self.snapshot
        if snapshot is None:
            return dict(self.documents)
        return {
            Kind.SESSIONS: snapshot.session,
            Kind.ARTIFACTS: ArtifactStore.from_snapshot(snapshot.artifacts, snapshot.retained_artifact_uris),
            Kind.TRACE_EVENTS: snapshot.trace_events,
            Kind.RUN_RECORDS: snapshot.run_records,
            Kind.VERIFICATION_REPORTS: snapshot.verification_reports,
            Kind.SUBAGENT_TASKS: snapshot.subagent_tasks,
        }

    def kept_by(self, capabilities: Capabilities) -> "Holding":
        """Return what of it a store with these capabilities keeps."""
        pieces = self.pieces()
        kept = {kind: pieces[kind] for kind in pieces if _keeps(capabilities, kind)}
        if kept.keys() == pieces.keys() and (capabilities.snapshots or not self.snapshot):
            return self
        if Kind.ARTIFACTS in kept:
            return replace(self, documents=kept)
        return replace(self, documents=kept, references=(), is_apart=False)

    def is_part_of(self, other: "Holding") -> bool:
        """Tell whether `other` is this with more kinds or artifacts, so that completing it loses nothing."""
        known = {reference.model_dump_json() for reference in other.references}
        return self.texts.items() <= other.texts.items() and all(
            reference.model_dump_json() in known for reference in self.references
        )


async def read_checkpoint(store: SessionStore, kind: Kind, checkpoint_id: str) -> Holding:
    """Read the checkpoint of a run or workflow. Errors: those of the store."""
    checkpoint = await DOCUMENT_TYPES[kind].load(store)(checkpoint_id)
    if checkpoint is not None:
        return Holding(checkpoint_id, {kind: checkpoint})
    return Holding(checkpoint_id, {}, revision=0 if (await store.capabilities()).revisions else None)


async def read_holding(store: SessionStore, session_id: str) -> Holding:
    """Read everything under an id at one revision, also records whose session was never saved.

    Nothing is taken from what `store` knows of the conversation, so that all of it is really read. Errors:
    RevisionConflictError when it changes as fast as it is read; those of the store.
    """
    if not (await store.capabilities()).revisions:
        return await _read(store, session_id, None)
    now = await store.revision(session_id)
    for _ in range(_ATTEMPTS):
        before = now
        holding = await _read_at(store, session_id, before)
        now = await store.revision(session_id)
        if holding and now == before:
            return holding
    raise RevisionConflictError(session_id, before, now)


async def _read_at(store: SessionStore, session_id: str, revision: int) -> Holding | None:
    """Read what is there at present, for the most part; None when `revision` is known to be over."""
    if not revision:
        return Holding(session_id, {}, revision=0)
    try:
        return await _read(store, session_id, revision)
    except RevisionNotKeptError:
        return None


async def _read(store: SessionStore, session_id: str, revision: int | None) -> Holding:
    listed = await _listed(store, session_id)
    if sum(reference.size for reference in listed) <= MOST_CONTENT_BYTES:
        try:
            documents = await _documents(store, session_id, revision)
            return Holding(session_id, documents, tuple(map(_reference, _artifacts(documents))), revision=revision)
        except InvalidArgumentError:
            # Content that is no text cannot be loaded with the rest.
            if not listed:
                raise
    documents = await _documents_without_content(store, session_id, revision)
    return Holding(session_id, documents, tuple(listed), is_apart=True, revision=revision)


async def _listed(store: SessionStore, session_id: str) -> Sequence[ArtifactReference]:
    """Return the artifacts by reference; none when the store does not keep content apart."""
    try:
        return await store.list_artifacts(session_id) or ()
    except UnsupportedOperationError:
        return ()


async def _documents(store: SessionStore, session_id: str, revision: int | None) -> dict[Kind, Any]:
    if await store.is_snapshot(session_id):
        return _present({Kind.SESSIONS: await store.load_snapshot(session_id)})
    records = {kind: await DOCUMENT_TYPES[kind].load(store)(session_id) for kind in RECORDS}
    return _present({Kind.SESSIONS: await store.load(session_id, revision=revision), **records})


async def _documents_without_content(store: SessionStore, session_id: str, revision: int | None) -> dict[Kind, Any]:
    others = [kind for kind in RECORDS if kind is not Kind.ARTIFACTS]
    found = _present(
        {
            Kind.SESSIONS: await store.load(session_id, revision=revision),
            Kind.ARTIFACTS: ArtifactStore.from_snapshot((), await store.list_retained_uris(session_id) or ()),
            **{kind: await DOCUMENT_TYPES[kind].load(store)(session_id) for kind in others},
        }
    )
    return {Kind.SESSIONS: _snapshot_of(found)} if await store.is_snapshot(session_id) else found


def _present(documents: Mapping[Kind, Any]) -> dict[Kind, Any]:
    return {kind: document for kind, document in documents.items() if document is not None}


def _snapshot_of(pieces: Mapping[Kind, Any]) -> SessionSnapshot:
    return SessionSnapshot(
        session=pieces[Kind.SESSIONS],
        retained_artifact_uris=list(pieces[Kind.ARTIFACTS].retained_uris),
        **{kind.label: pieces[kind] for kind in RECORDS if kind is not Kind.ARTIFACTS},
    )


def _artifacts(documents: Mapping[Kind, Any]) -> Sequence[ToolArtifact]:
    session = documents.get(Kind.SESSIONS)
    if isinstance(session, SessionSnapshot):
        return session.artifacts
    return tuple(documents.get(Kind.ARTIFACTS, ()))


def _without_artifacts(document: Any) -> Any:  # noqa: ANN401 - any document
    match document:
        case SessionSnapshot():
            return document.model_copy(update={"artifacts": []})
        case ArtifactStore():
            return ArtifactStore.from_manifest(document.to_manifest().model_copy(update={"artifacts": ()}))
    return document


def _reference(artifact: ToolArtifact) -> ArtifactReference:
    content = artifact.content.encode()
    shared = artifact.model_dump(exclude={"content"})
    return ArtifactReference.model_validate(shared | {"sha256": sha256(content).hexdigest(), "size": len(content)})


def _keeps(capabilities: Capabilities, kind: Kind) -> bool:
    if kind in CHECKPOINTS:
        return capabilities.checkpoints
    kept: bool = kind is Kind.SESSIONS or getattr(capabilities, kind.label)
    return kept


def _flat(texts: Mapping[Kind, str]) -> Iterator[str]:
    for kind, text in texts.items():
        yield from (kind.label, text)
