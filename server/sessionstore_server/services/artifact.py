"""Artifacts: a manifest in the session, the content in blobs that equal content shares."""

import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

from sessionstore.errors import DataCorruptionError, InvalidArgumentError
from sessionstore.v1 import artifact_pb2 as pb
from sessionstore.v1 import storage_pb2
from sessionstore.wire.methods import LOAD_ARTIFACTS, SAVE_ARTIFACTS
from sessionstore.wire.records import ARTIFACT
from sessionstore_server.backends.base import Backend, Change, Key, LogRange, View
from sessionstore_server.services.checks import checked, expected_revision
from sessionstore_server.services.handlers import Caller, HandlerTable
from sessionstore_server.services.keys import ARTIFACTS, session_key
from sessionstore_server.services.responses import timestamp


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
        change = await replace_artifacts(self._backend, request.artifacts, request.retained_uris)
        commit = await self._backend.commit(key, change, expected_revision(request))
        return pb.SaveArtifactsResponse(revision=commit.revision, commit_time=timestamp(commit.commit_time))

    async def load_artifacts(self, request: pb.LoadArtifactsRequest, caller: Caller) -> pb.LoadArtifactsResponse:
        """Return the artifacts of a session with their content, the oldest first."""
        _, artifacts = await read_with_artifacts(self._backend, session_key(caller, request.session_id))
        return artifacts


async def replace_artifacts(
    backend: Backend, artifacts: Sequence[pb.ToolArtifact], retained_uris: Iterable[str]
) -> Change:
    """Store the content of `artifacts` and return the change that makes them all the artifacts of a session.

    Content that is never committed is swept later. Errors: InvalidArgumentError for a faulty field, or for two
    artifacts that differ and have the same uri (equal ones count once).
    """
    manifest = storage_pb2.StoredArtifacts(retained_uris=sorted({uri for uri in retained_uris if uri}))
    contents: dict[str, bytes] = {}
    for artifact in _distinct(artifacts):
        content = artifact.content.encode()
        digest = hashlib.sha256(content).hexdigest()
        contents[digest] = content
        stored = manifest.artifacts.add(sha256=digest, artifact=artifact)
        stored.artifact.ClearField("content")
    for digest in await backend.missing_blobs(contents):
        await backend.put_blob(digest, _once(contents[digest]))
    return Change(documents={ARTIFACTS: manifest.SerializeToString()}, blobs=frozenset(contents))


async def read_with_artifacts(
    backend: Backend, key: Key, documents: Sequence[str] = (), logs: Mapping[str, LogRange] | None = None
) -> tuple[View | None, pb.LoadArtifactsResponse]:
    """Read documents and logs, and the artifacts with their content, all at one revision.

    A blob may go while it is read, when another call replaces the artifacts; then everything is read again.
    Errors: DataCorruptionError when the content of an artifact that the session still has cannot be read.
    """
    while True:
        view = await backend.read(key, (*documents, ARTIFACTS), logs)
        if view is None or ARTIFACTS not in view.documents:
            return view, pb.LoadArtifactsResponse()
        try:
            return view, await _with_contents(backend, view)
        except DataCorruptionError:
            now = await backend.read(key)
            if now is not None and now.revision == view.revision:
                raise


async def _with_contents(backend: Backend, view: View) -> pb.LoadArtifactsResponse:
    manifest = storage_pb2.StoredArtifacts.FromString(view.documents[ARTIFACTS])
    response = pb.LoadArtifactsResponse(present=True, revision=view.revision, retained_uris=manifest.retained_uris)
    for stored in manifest.artifacts:
        artifact = response.artifacts.add()
        artifact.CopyFrom(stored.artifact)
        artifact.content = b"".join([piece async for piece in backend.get_blob(stored.sha256)]).decode()
    return response


def _distinct(artifacts: Sequence[pb.ToolArtifact]) -> Iterable[pb.ToolArtifact]:
    by_uri: dict[str, pb.ToolArtifact] = {}
    for position, artifact in enumerate(artifacts):
        field = f"artifacts[{position}]"
        checked(ARTIFACT, field, artifact)
        if by_uri.setdefault(artifact.artifact_uri, artifact) != artifact:
            problem = f"{artifact.artifact_uri!r} stands for other content already: give each artifact a uri of its own"
            raise InvalidArgumentError(field=f"{field}.artifact_uri", problem=problem)
    return by_uri.values()


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
