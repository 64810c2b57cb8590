"""Blobs on their way in and out, a piece at a time, so that their size does not matter."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from functools import partial
from hashlib import sha256
from sqlite3 import Connection

from sessionstore.errors import DataCorruptionError, InvalidArgumentError
from sessionstore_server.backends.base import BLOB_PIECE_BYTES
from sessionstore_server.backends.sqlite import blobs
from sessionstore_server.backends.sqlite.blobs import Stored
from sessionstore_server.backends.sqlite.readers import Readers, Snapshot
from sessionstore_server.backends.sqlite.writer import Writer


async def put(writer: Writer, digest: str, content: AsyncIterator[bytes]) -> None:
    """Store a blob, in one step if it is small. Errors: InvalidArgumentError when the content has another digest."""
    hashed, tail, upload = sha256(), bytearray(), Stored()
    try:
        async for piece in content:
            tail += piece
            while len(tail) >= BLOB_PIECE_BYTES:
                upload = await _extended(writer, upload, bytes(tail[:BLOB_PIECE_BYTES]))
                await asyncio.to_thread(hashed.update, tail[:BLOB_PIECE_BYTES])
                del tail[:BLOB_PIECE_BYTES]
        hashed.update(tail)
        _check_digest(digest, hashed.hexdigest())
        await writer.write(partial(blobs.put, digest=digest, upload=upload, tail=bytes(tail)))
    finally:
        if upload.blob_id:
            # Goes its way even when the caller is cancelled here.
            await asyncio.shield(writer.write(partial(blobs.discard, blob_id=upload.blob_id)))


async def finish(writer: Writer, readers: Readers, digest: str) -> None:
    """Make the shared upload the blob, once its content is known to be right. Errors: InvalidArgumentError."""
    is_finished = False
    # Others may extend it while it is read, and the blob may come or go.
    while not is_finished:
        checked = await _checked_upload(writer, readers, digest)
        is_finished = await writer.write(partial(blobs.finish_upload, digest=digest, checked=checked))


async def get(readers: Readers, digest: str, start: int, stop: int | None) -> AsyncIterator[bytes]:
    """Stream a range of a blob, which may be removed meanwhile. Errors: DataCorruptionError."""
    async with readers.snapshot() as snapshot:
        blob = await snapshot.read(partial(blobs.find, digest=digest))
        if blob is None:
            raise DataCorruptionError(f"blob {digest}", "it is not stored")
        hashed, position, end = sha256(), start, blob.size if stop is None else min(stop, blob.size)
        while position < end:
            piece = await _piece(snapshot, blob, position, end, hashed)
            position += len(piece)
            yield piece
        if start == 0 and end == blob.size and hashed.hexdigest() != digest:
            raise DataCorruptionError(f"blob {digest}", f"its content has the digest {hashed.hexdigest()}")


async def _checked_upload(writer: Writer, readers: Readers, digest: str) -> Stored | None:
    """Return the shared upload, or None when it does not matter since the blob is stored; drop a wrong one."""
    async with readers.snapshot() as snapshot:
        if await snapshot.read(partial(blobs.find, digest=digest)):
            return None
        upload = await snapshot.read(partial(blobs.find, digest=digest, is_upload=True)) or Stored()
        hashed, position = sha256(), 0
        while position < upload.size:
            position += len(await _piece(snapshot, upload, position, upload.size, hashed))
    if hashed.hexdigest() != digest:
        await writer.write(partial(blobs.discard, blob_id=upload.blob_id))
        _check_digest(digest, hashed.hexdigest())
    return upload


async def _piece(snapshot: Snapshot, blob: Stored, start: int, stop: int, hashed: "hashlib._Hash") -> bytes:
    """Read what follows `start` of a blob or of an upload, and hash it in the thread that reads."""

    def read(connection: Connection) -> bytes:
        piece = blobs.piece(connection, blob.blob_id, start, stop)
        hashed.update(piece)
        return piece

    return await snapshot.read(read)


async def _extended(writer: Writer, upload: Stored, piece: bytes) -> Stored:
    blob_id = upload.blob_id or await writer.write(blobs.start_upload)
    await writer.write(partial(blobs.extend, blob_id=blob_id, offset=upload.size, content=piece))
    return Stored(blob_id, upload.size + len(piece))


def _check_digest(digest: str, actual: str) -> None:
    if actual != digest:
        raise InvalidArgumentError("digest", f"is {digest}, but the content has {actual}")
