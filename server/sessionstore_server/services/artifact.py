"""Artifacts: a manifest in the session, the content in blobs that equal content shares."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from sessionstore.errors import DataCorruptionError, InvalidArgumentError
from sessionstore.v1 import artifact_pb2 as pb
from sessionstore.v1 import storage_pb2
from sessionstore.wire.methods import LOAD_ARTIFACTS, SAVE_ARTIFACTS
from sessionstore.wire.records import ARTIFACT_MANIFEST
from sessionstore_server.backends.base import Backend, Key, LogRange, View
from sessionstore_server.services.checks import checked
from sessionstore_server.services.handlers import Caller, HandlerTable
from sessionstore_server.services.keys import ARTIFACTS, session_key
from sessionstore_server.services.replacing import Wanted, commit_wanted


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
        wanted = wanted_artifacts(request.manifest)
        return await commit_wanted(self._backend, key, wanted, request, pb.SaveArtifactsResponse)

    async def load_artifacts(self, request: pb.LoadArtifactsRequest, caller: Caller) -> pb.LoadArtifactsResponse:
        """Return the artifacts of a session with their content, the oldest first."""
        view, manifest = await read_with_artifacts(self._backend, session_key(caller, request.session_id))
        if view is None or manifest is None:
            return pb.LoadArtifactsResponse()
        return pb.LoadArtifactsResponse(present=True, revision=view.revision, manifest=manifest)


def wanted_artifacts(manifest: pb.ArtifactManifest) -> Wanted:
    """Return what a session holds that has these artifacts.

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
    return Wanted(documents={ARTIFACTS: stored.SerializeToString()}, contents=contents)


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
