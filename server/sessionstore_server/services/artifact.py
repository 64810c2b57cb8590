"""Artifacts: a manifest in the session, the content in blobs that equal content shares."""

import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

from sessionstore.errors import DataCorruptionError, InvalidArgumentError, StorageError
from sessionstore.v1 import artifact_pb2 as pb
from sessionstore.v1 import storage_pb2
from sessionstore.wire.methods import LOAD_ARTIFACTS, SAVE_ARTIFACTS
from sessionstore.wire.records import ARTIFACT_MANIFEST
from sessionstore_server.backends.base import Backend, Change, Commit, Key, LogRange, View
from sessionstore_server.backends.checks import UNKNOWN_BLOBS_FIELD
from sessionstore_server.services.checks import checked, expected_revision
from sessionstore_server.services.handlers import Caller, HandlerTable
from sessionstore_server.services.keys import ARTIFACTS, session_key
from sessionstore_server.services.responses import timestamp

Contents = Mapping[str, bytes]
"""What blobs hold, by digest."""

_ATTEMPTS = 100


class ArtifactService:
    """Answers `sessionstore.v1.ArtifactService`."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def handlers(self) -> HandlerTable:
        """Return what answers which method."""
        return {SAVE_ARTIFACTS: self.save_artifacts, LOAD_ARTIFACTS: self.load_artifacts}

    async def save_artifacts(self, request: pb.SaveArtifactsRequest, caller: Caller) -> pb.SaveArtifactsResponse:
        """Replace the artifacts of a session."""
        key = session_key(caller, request.session_id)
        change, contents = replace_artifacts(request.manifest)
        commit = await commit_with_contents(self._backend, key, change, contents, expected_revision(request))
        return pb.SaveArtifactsResponse(revision=commit.revision, commit_time=timestamp(commit.commit_time))

    async def load_artifacts(self, request: pb.LoadArtifactsRequest, caller: Caller) -> pb.LoadArtifactsResponse:
        """Return the artifacts of a session with their content, the oldest first."""
        view, manifest = await read_with_artifacts(self._backend, session_key(caller, request.session_id))
        if view is None or manifest is None:
            return pb.LoadArtifactsResponse()
        return pb.LoadArtifactsResponse(present=True, revision=view.revision, manifest=manifest)


def replace_artifacts(manifest: pb.ArtifactManifest) -> tuple[Change, Contents]:
    """Return the change that makes these all the artifacts of a session, and the content to which it refers.

    Errors: InvalidArgumentError for a faulty field, or for two artifacts that differ and have the same uri (equal ones
    count once).
    """
    checked(ARTIFACT_MANIFEST, "manifest", manifest)
    stored = storage_pb2.StoredArtifacts(manifest=manifest)
    del stored.manifest.artifacts[:], stored.manifest.retained_uris[:]
    stored.manifest.retained_uris.extend(sorted({uri for uri in manifest.retained_uris if uri}))
    contents: dict[str, bytes] = {}
    for artifact in _distinct(manifest.artifacts):
        content = artifact.content.encode()
        digest = hashlib.sha256(content).hexdigest()
        contents[digest] = content
        stored.sha256.append(digest)
        stored.manifest.artifacts.add().CopyFrom(artifact)
        stored.manifest.artifacts[-1].ClearField("content")
    return Change(documents={ARTIFACTS: stored.SerializeToString()}, blobs=frozenset(contents)), contents


async def commit_with_contents(
    backend: Backend, key: Key, change: Change, contents: Contents, expected_revision: int | None
) -> Commit:
    """Store the content to which `change` refers, and commit it.

    Content that other sessions share may go in between, with the last reference to it; then it is stored again.
    """
    for _ in range(_ATTEMPTS):
        for digest in await backend.missing_blobs(contents):
            await backend.put_blob(digest, _once(contents[digest]))
        try:
            return await backend.commit(key, change, expected_revision)
        except InvalidArgumentError as error:
            if error.field != UNKNOWN_BLOBS_FIELD:
                raise
    raise StorageError(
        location=f"the artifacts of {key.id!r}", problem="their content was removed as fast as it was stored"
    )


async def read_with_artifacts(
    backend: Backend, key: Key, documents: Sequence[str] = (), logs: Mapping[str, LogRange] | None = None
) -> tuple[View | None, pb.ArtifactManifest | None]:
    """Read documents and logs, and the artifacts with their content (None: never saved), all at one revision.

    A blob may go while it is read, when another call replaces the artifacts; then everything is read again.
    Errors: DataCorruptionError when the content of an artifact that the session still has cannot be read.
    """
    while True:
        view = await backend.read(key, (*documents, ARTIFACTS), logs)
        if view is None or ARTIFACTS not in view.documents:
            return view, None
        try:
            return view, await _with_contents(backend, view.documents[ARTIFACTS])
        except DataCorruptionError:
            now = await backend.read(key)
            if now is not None and now.revision == view.revision:
                raise


async def _with_contents(backend: Backend, record: bytes) -> pb.ArtifactManifest:
    stored = storage_pb2.StoredArtifacts.FromString(record)
    for artifact, digest in zip(stored.manifest.artifacts, stored.sha256, strict=True):
        content = b"".join([piece async for piece in backend.get_blob(digest)])
        artifact.content = content.decode()
    return stored.manifest


def _distinct(artifacts: Sequence[pb.ToolArtifact]) -> Iterable[pb.ToolArtifact]:
    by_uri: dict[str, pb.ToolArtifact] = {}
    for position, artifact in enumerate(artifacts):
        if by_uri.setdefault(artifact.artifact_uri, artifact) != artifact:
            problem = "stands for another artifact already: give each one a uri of its own"
            raise InvalidArgumentError(field=f"manifest.artifacts[{position}].artifact_uri", problem=problem)
    return by_uri.values()


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
