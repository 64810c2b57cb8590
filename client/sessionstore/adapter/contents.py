"""The content of artifacts by itself. It travels in pieces, and after a lost connection goes on from where it was."""

import asyncio
import builtins
import hashlib
from collections.abc import AsyncIterator, Collection
from contextlib import nullcontext
from io import UnsupportedOperation
from pathlib import Path
from typing import BinaryIO

from typing_extensions import override

from sessionstore.adapter.calls import Calls
from sessionstore.errors import DataCorruptionError, InvalidArgumentError, StoreUnavailableError
from sessionstore.model import ArtifactReference
from sessionstore.patience import Patience
from sessionstore.store import BlobInfo
from sessionstore.store.contents import ContentOperations
from sessionstore.v1 import artifact_pb2
from sessionstore.wire import methods, records
from sessionstore.wire.requests import build

_PIECE_BYTES = 1 << 20
_DIGESTS_PER_CALL = 1000


class ContentCalls(Calls, ContentOperations):
    """`ContentOperations` as calls."""

    @override
    async def list_artifacts(self, session_id: str) -> builtins.list[ArtifactReference] | None:
        response = await self._read(methods.LIST_ARTIFACTS, session_id=session_id)
        if not response.present:
            return None
        return [records.ARTIFACT_REFERENCE.from_proto(reference) for reference in response.artifacts]

    @override
    async def list_retained_uris(self, session_id: str) -> builtins.list[str] | None:
        response = await self._read(methods.LIST_ARTIFACTS, session_id=session_id)
        return list(response.retained_uris) if response.present else None

    @override
    async def find_missing_blobs(self, digests: Collection[str]) -> set[str]:
        missing: set[str] = set()
        asked = sorted(set(digests))
        for first in range(0, len(asked), _DIGESTS_PER_CALL):
            some = asked[first : first + _DIGESTS_PER_CALL]
            response = await self._read(methods.FIND_MISSING_BLOBS, sha256=some)
            missing.update(blob.sha256 for blob in response.missing)
        return missing

    @override
    async def write_blob(self, source: Path | BinaryIO) -> BlobInfo:
        opened = source.open("rb") if isinstance(source, Path) else nullcontext(source)
        with opened as file:
            blob = await asyncio.to_thread(_measured, file)
            await self._send_blob(file, blob)
        return blob

    @override
    async def read_blob(self, sha256: str, offset: int = 0, limit: int | None = None) -> AsyncIterator[bytes]:
        is_whole = offset == 0 and limit is None
        content = hashlib.sha256()
        patience = Patience(self._transport.patience_seconds)
        while limit is None or limit > 0:
            try:
                request = build(artifact_pb2.ReadBlobRequest, sha256=sha256, offset=offset, limit=limit)
                async for response in self._transport.download(methods.READ_BLOB, request):
                    patience.renew()
                    offset += len(response.piece)
                    limit = limit and limit - len(response.piece)
                    content.update(response.piece)
                    yield response.piece
                break
            except StoreUnavailableError as error:
                await patience.pause(error)
        # The server cannot verify what it sends in parts.
        if is_whole and content.hexdigest() != sha256:
            raise DataCorruptionError(location=f"blob {sha256}", problem=f"what came has {content.hexdigest()}")

    async def _send_blob(self, file: BinaryIO, blob: BlobInfo) -> None:
        """Send what the server does not have, also when the connection is lost as long as it has more each time."""
        patience = Patience(self._transport.patience_seconds)
        furthest, is_refused, is_sent = -1, False, False
        while not is_sent:
            try:
                received = await self._received(blob)
                if received > furthest:
                    furthest = received
                    patience.renew()
                await self._transport.upload(methods.WRITE_BLOB, _pieces(file, blob, received))
                is_sent = True
            except StoreUnavailableError as error:
                await patience.pause(error)
            except InvalidArgumentError:
                # What was received before, or from others, may be damaged or gone: that is dropped by now.
                if is_refused:
                    raise
                is_refused = True

    async def _received(self, blob: BlobInfo) -> int:
        """Return how many bytes of the content the server has."""
        response = await self._read(methods.FIND_MISSING_BLOBS, sha256=[blob.sha256])
        return response.missing[0].received if response.missing else blob.size


def _measured(file: BinaryIO) -> BlobInfo:
    """Return the digest and the size of what the file holds. Errors: InvalidArgumentError."""
    content = hashlib.sha256()
    size = 0
    try:
        file.seek(0)
        while piece := file.read(_PIECE_BYTES):
            content.update(piece)
            size += len(piece)
    except (AttributeError, TypeError, UnsupportedOperation) as error:
        problem = "must be a path, or a binary file object that can be read and sought"
        raise InvalidArgumentError(field="source", problem=problem) from error
    return BlobInfo(content.hexdigest(), size)


async def _pieces(file: BinaryIO, blob: BlobInfo, offset: int) -> AsyncIterator[artifact_pb2.WriteBlobRequest]:
    """Yield the requests that send the content from `offset` on."""
    yield build(artifact_pb2.WriteBlobRequest, sha256=blob.sha256, size=blob.size, offset=offset)
    await asyncio.to_thread(file.seek, offset)
    while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
        yield artifact_pb2.WriteBlobRequest(piece=piece)
