"""Artifacts: a manifest in the session, the content in blobs that equal content shares."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sessionstore.channel import MAX_MESSAGE_BYTES
from sessionstore.errors import DataCorruptionError, InvalidArgumentError, PayloadTooLargeError
from sessionstore.v1 import artifact_pb2 as pb
from sessionstore.v1 import storage_pb2
from sessionstore.wire.methods import LIST_ARTIFACTS, LOAD_ARTIFACTS, SAVE_ARTIFACTS
from sessionstore.wire.records import ARTIFACT, ARTIFACT_MANIFEST, ARTIFACT_REFERENCE
from sessionstore_server.backends.base import Backend, Key, LogRange, View
from sessionstore_server.backends.checks import check_digests
from sessionstore_server.services.checks import checked, parsed
from sessionstore_server.services.handlers import Caller, HandlerTable
from sessionstore_server.services.keys import ARTIFACTS, session_key
from sessionstore_server.services.replacing import Wanted, commit_wanted
from sessionstore_server.services.turns import Turns

_SHARED = frozenset(pb.ToolArtifact.DESCRIPTOR.fields_by_name) & frozenset(
    pb.ArtifactReference.DESCRIPTOR.fields_by_name
)


class ArtifactService:
    """Answers the calls of `sessionstore.v1.ArtifactService` that are about the artifacts of a session."""

    def __init__(self, backend: Backend, turns: Turns) -> None:
        self._backend, self._turns = backend, turns

    def handlers(self) -> HandlerTable:
        """Return what answers which method."""
        return {
            SAVE_ARTIFACTS: self.save_artifacts,
            LOAD_ARTIFACTS: self.load_artifacts,
            LIST_ARTIFACTS: self.list_artifacts,
        }

    async def save_artifacts(self, request: pb.SaveArtifactsRequest, caller: Caller) -> pb.SaveArtifactsResponse:
        """Replace the artifacts of a session."""
        key = session_key(caller, request.session_id)
        wanted = wanted_artifacts(request.manifest)
        async with self._turns.of(key):
            return await commit_wanted(self._backend, key, wanted, request, pb.SaveArtifactsResponse)

    async def load_artifacts(self, request: pb.LoadArtifactsRequest, caller: Caller) -> pb.LoadArtifactsResponse:
        """Return the artifacts of a session with their content, the oldest first."""
        view, manifest = await read_with_artifacts(self._backend, session_key(caller, request.session_id))
        if view is None or manifest is None:
            return pb.LoadArtifactsResponse()
        return pb.LoadArtifactsResponse(present=True, revision=view.revision, manifest=manifest)

    async def list_artifacts(self, request: pb.ListArtifactsRequest, caller: Caller) -> pb.ListArtifactsResponse:
        """Return the artifacts of a session without their content, the oldest first."""
        view = await self._backend.read(session_key(caller, request.session_id), (ARTIFACTS,))
        if view is None or ARTIFACTS not in view.documents:
            return pb.ListArtifactsResponse()
        stored = storage_pb2.StoredArtifacts.FromString(view.documents[ARTIFACTS])
        return pb.ListArtifactsResponse(
            present=True,
            revision=view.revision,
            artifacts=map(_reference, _entries(stored)),
            retained_uris=stored.manifest.retained_uris,
        )


class _Entry(NamedTuple):
    """One artifact as a session keeps it."""

    artifact: pb.ToolArtifact
    """Without its content."""
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class KeptArtifacts:
    """How a session keeps its artifacts."""

    record: bytes
    """Of the document `ARTIFACTS`."""
    blobs: frozenset[str]
    """The sha256 of all contents that the session refers to."""
    contents: Mapping[str, bytes]
    """Those that came along, by sha256, to be stored before the commit."""


async def upserted_artifacts(
    backend: Backend,
    record: bytes | None,
    artifacts: Sequence[pb.ToolArtifact],
    references: Sequence[pb.ArtifactReference],
) -> KeptArtifacts:
    """Return how a session keeps its artifacts once these have taken the places of those with their uris.

    `record` is the present one of `ARTIFACTS`, if there is one. What has a new uri goes to the end, `references` after
    `artifacts`. Errors: InvalidArgumentError that names a faulty field, or the content that is not stored.
    """
    stored = storage_pb2.StoredArtifacts.FromString(record or b"")
    entries = {entry.artifact.artifact_uri: entry for entry in _entries(stored)}
    contents: dict[str, bytes] = {}
    for position, artifact in enumerate(artifacts):
        parsed(ARTIFACT, f"artifacts[{position}]", artifact)
        entry, content = _entry(artifact)
        entries[artifact.artifact_uri] = entry
        contents[entry.sha256] = content
    for position, reference in enumerate(references):
        entries[reference.artifact_uri] = await _referred(backend, f"artifact_references[{position}]", reference)
    kept = _stored(stored.manifest, entries.values())
    return KeptArtifacts(kept.SerializeToString(), frozenset(kept.sha256), contents)


def wanted_artifacts(manifest: pb.ArtifactManifest) -> Wanted:
    """Return what a session holds that has these artifacts.

    Errors: InvalidArgumentError for a faulty field, or for two artifacts that differ and have the same uri (equal ones
    count once).
    """
    checked(ARTIFACT_MANIFEST, "manifest", manifest)
    entries: list[_Entry] = []
    contents: dict[str, bytes] = {}
    for artifact in _distinct(manifest.artifacts):
        entry, content = _entry(artifact)
        entries.append(entry)
        contents[entry.sha256] = content
    stored = _stored(manifest, entries)
    return Wanted(documents={ARTIFACTS: stored.SerializeToString()}, contents=contents)


async def read_with_artifacts(
    backend: Backend, key: Key, documents: Sequence[str] = (), logs: Mapping[str, LogRange] | None = None
) -> tuple[View | None, pb.ArtifactManifest | None]:
    """Read documents and logs, and the artifacts with their content (None: never saved), all at one revision.

    A blob may go while it is read, when another call replaces the artifacts; then everything is read again.
    Errors: DataCorruptionError when the content of an artifact that the session still has cannot be read;
    InvalidArgumentError when one is not text; PayloadTooLargeError when they do not fit into one message.
    """
    while True:
        view = await backend.read(key, (*documents, ARTIFACTS), logs)
        if view is None or ARTIFACTS not in view.documents:
            return view, None
        try:
            return view, await _with_contents(backend, key, view.documents[ARTIFACTS])
        except DataCorruptionError:
            now = await backend.read(key)
            if now is not None and now.revision == view.revision:
                raise


async def _with_contents(backend: Backend, key: Key, record: bytes) -> pb.ArtifactManifest:
    stored = storage_pb2.StoredArtifacts.FromString(record)
    if (size := sum(stored.sizes)) > MAX_MESSAGE_BYTES:
        subject = f"the content of the artifacts of {key.id!r}, which can be listed and read one by one,"
        raise PayloadTooLargeError(subject=subject, size=size, limit=MAX_MESSAGE_BYTES)
    for artifact, digest in zip(stored.manifest.artifacts, stored.sha256, strict=True):
        content = b"".join([piece async for piece in backend.get_blob(digest)])
        artifact.content = _text(artifact.artifact_uri, content)
    return stored.manifest


def _text(uri: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        problem = "the content of this artifact is not UTF-8 text: list the artifacts, and read it as a blob"
        raise InvalidArgumentError(field=uri, problem=problem) from None


def _entries(stored: storage_pb2.StoredArtifacts) -> Iterator[_Entry]:
    return map(_Entry, stored.manifest.artifacts, stored.sha256, stored.sizes)


def _entry(artifact: pb.ToolArtifact) -> tuple[_Entry, bytes]:
    """Return how an artifact is kept, and its content."""
    content = artifact.content.encode()
    kept = pb.ToolArtifact()
    kept.CopyFrom(artifact)
    kept.ClearField("content")
    return _Entry(kept, hashlib.sha256(content).hexdigest(), len(content)), content


async def _referred(backend: Backend, field: str, reference: pb.ArtifactReference) -> _Entry:
    """Return how an artifact is kept whose content is stored already."""
    parsed(ARTIFACT_REFERENCE, field, reference)
    check_digests(f"{field}.sha256", [reference.sha256])
    size = await backend.blob_size(reference.sha256)
    if size is None:
        problem = f"the content {reference.sha256} is not stored: write it first"
        raise InvalidArgumentError(field=f"{field}.sha256", problem=problem)
    return _Entry(pb.ToolArtifact(**_shared(reference)), reference.sha256, size)


def _reference(entry: _Entry) -> pb.ArtifactReference:
    return pb.ArtifactReference(**_shared(entry.artifact), sha256=entry.sha256, size=entry.size)


def _shared(message: pb.ToolArtifact | pb.ArtifactReference) -> dict[str, Any]:
    """Return the fields that an artifact has with and without its content."""
    return {field.name: value for field, value in message.ListFields() if field.name in _SHARED}


def _stored(manifest: pb.ArtifactManifest, entries: Iterable[_Entry]) -> storage_pb2.StoredArtifacts:
    """Return how a session keeps these artifacts, and what else the manifest says."""
    stored = storage_pb2.StoredArtifacts()
    stored.manifest.CopyFrom(manifest)
    del stored.manifest.artifacts[:], stored.manifest.retained_uris[:]
    stored.manifest.retained_uris.extend(sorted({uri for uri in manifest.retained_uris if uri}))
    for entry in entries:
        stored.manifest.artifacts.append(entry.artifact)
        stored.sha256.append(entry.sha256)
        stored.sizes.append(entry.size)
    return stored


def _distinct(artifacts: Sequence[pb.ToolArtifact]) -> Iterable[pb.ToolArtifact]:
    by_uri: dict[str, pb.ToolArtifact] = {}
    for position, artifact in enumerate(artifacts):
        if by_uri.setdefault(artifact.artifact_uri, artifact) != artifact:
            problem = "stands for another artifact already: give each one a uri of its own"
            raise InvalidArgumentError(field=f"manifest.artifacts[{position}].artifact_uri", problem=problem)
    return by_uri.values()
