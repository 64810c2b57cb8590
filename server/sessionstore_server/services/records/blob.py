"""Content by itself: stored in pieces under its digest, before a commit refers to it, and read in pieces.

No call holds more than one piece in memory.
"""

from collections.abc import AsyncIterable, AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

from sessionstore.errors import InvalidArgumentError
from sessionstore.v1 import artifact_pb2 as pb
from sessionstore.wire.methods import FIND_MISSING_BLOBS, READ_BLOB, WRITE_BLOB
from sessionstore_server.backends.base import Backend
from sessionstore_server.backends.checks import check_digests
from sessionstore_server.services.handlers import Caller, HandlerTable

MAX_DIGESTS = 1000
"""For how many contents one call may ask."""
MAX_PIECE_BYTES = 4 << 20
"""The largest piece that a client may send."""


class BlobService:
    """Answers the calls of `sessionstore.v1.ArtifactService` that are about content."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def handlers(self) -> HandlerTable:
        """Return what answers which method."""
        return {FIND_MISSING_BLOBS: self.find_missing_blobs, WRITE_BLOB: self.write_blob, READ_BLOB: self.read_blob}

    async def find_missing_blobs(self, request: pb.FindMissingBlobsRequest, _: Caller) -> pb.FindMissingBlobsResponse:
        """Tell which contents are not stored, and how much of them was received."""
        if len(request.sha256) > MAX_DIGESTS:
            raise InvalidArgumentError(field="sha256", problem=f"may have {MAX_DIGESTS} elements: ask in several calls")
        check_digests("sha256", request.sha256)
        response = pb.FindMissingBlobsResponse()
        for digest in sorted(await self._backend.missing_blobs(request.sha256)):
            response.missing.add(sha256=digest, received=await self._backend.upload_size(digest))
        return response

    async def write_blob(self, requests: AsyncIterable[pb.WriteBlobRequest], _: Caller) -> pb.WriteBlobResponse:
        """Store content; what came before a break stays, so that the caller can go on from there."""
        upload: _Upload | None = None
        async for request in requests:
            upload = upload or await _begun(self._backend, request)
            await upload.add(request.piece)
        if upload is None:
            raise InvalidArgumentError(field="sha256", problem="is missing: send at least one message")
        await upload.finish()
        return pb.WriteBlobResponse(size=upload.size)

    async def read_blob(self, request: pb.ReadBlobRequest, _: Caller) -> AsyncIterator[pb.ReadBlobResponse]:
        """Send content, or a range of it, in pieces."""
        check_digests("sha256", [request.sha256])
        size = await self._backend.blob_size(request.sha256)
        if size is None:
            raise InvalidArgumentError(field="sha256", problem=f"the content {request.sha256} is not stored")
        if request.offset > size:
            raise InvalidArgumentError(field="offset", problem=f"is behind the end: the content has {size} bytes")
        stop = request.offset + request.limit if request.limit else None
        async for piece in self._backend.get_blob(request.sha256, request.offset, stop):
            yield pb.ReadBlobResponse(piece=piece)


@dataclass(slots=True)
class _Upload:
    """Content on its way in; of what is stored already the pieces are left out."""

    backend: Backend
    digest: str
    offset: int
    size: int
    is_stored: bool

    async def add(self, piece: bytes) -> None:
        """Add the next piece, but for that of it which another upload of the same content brought."""
        self._check(piece)
        while not self.is_stored:
            here = await self.backend.extend_upload(self.digest, self.offset, piece)
            if here < self.offset:
                await self._check_stored(here)
                continue
            brought = min(here - self.offset, len(piece))
            self.offset, piece = self.offset + brought, piece[brought:]
            if not piece:
                return
        self.offset += len(piece)

    async def finish(self) -> None:
        """Store the content, now that all pieces came. What is stored already counts as new."""
        if self.offset != self.size:
            problem = f"the content has {self.size} bytes, and those from {self.offset} on did not come: send them"
            raise InvalidArgumentError(field="size", problem=problem)
        try:
            await self.backend.finish_upload(self.digest)
        except InvalidArgumentError as error:
            raise InvalidArgumentError(field="sha256", problem=error.problem) from error

    def _check(self, piece: bytes) -> None:
        if len(piece) > MAX_PIECE_BYTES:
            raise InvalidArgumentError(field="piece", problem=f"may have {MAX_PIECE_BYTES} bytes: send several")
        if self.offset + len(piece) > self.size:
            raise InvalidArgumentError(field="size", problem=f"is {self.size}, but more came: send the size of it all")

    async def _check_stored(self, here: int) -> None:
        """Go on if the upload ended as another call stored the content. Errors: InvalidArgumentError if it did not."""
        self.is_stored = await self.backend.blob_size(self.digest) is not None
        if not self.is_stored:
            problem = f"is {self.offset}, but {here} bytes were received: go on from there"
            raise InvalidArgumentError(field="offset", problem=problem)


async def _begun(backend: Backend, request: pb.WriteBlobRequest) -> _Upload:
    check_digests("sha256", [request.sha256])
    if await backend.upload_size(request.sha256) > request.size:
        # That is other content, which nobody could complete: finishing finds this out, and drops it.
        with suppress(InvalidArgumentError):
            await backend.finish_upload(request.sha256)
    is_stored = await backend.blob_size(request.sha256) is not None
    return _Upload(backend, request.sha256, request.offset, request.size, is_stored)
