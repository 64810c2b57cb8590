"""Blobs in chunks, and uploads that become blobs. No more than a chunk or two is in memory at a time."""

import hashlib
from collections.abc import AsyncIterator, Collection, Sequence
from uuid import UUID, uuid4

import asyncpg

from sessionstore.errors import DataCorruptionError, InvalidArgumentError, StorageError
from sessionstore_server.backends.base import BLOB_PIECE_BYTES
from sessionstore_server.backends.postgres.database import Database

_TOO_LONG = 1 << 62
"""No upload has so many bytes, and the database can still count on."""


class Blobs:
    """The blobs of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, digest: str, content: AsyncIterator[bytes]) -> None:
        """Store a blob, see `Backend.put_blob`."""
        chunks = _chunks(content)
        first = await anext(chunks, b"")
        second = await anext(chunks, None)
        if second is None:
            await self._put_small(digest, first)
            return
        content_id, size, hashed = uuid4(), 0, hashlib.sha256()
        async for chunk in _joined(first, second, chunks):
            hashed.update(chunk)
            await self._database.fetch("extend_put", content_id, size, chunk)
            size += len(chunk)
        is_finished = await self._finish(digest, content_id, size, hashed.hexdigest())
        _check_digest(digest, hashed.hexdigest())
        if not is_finished and await self.size(digest) is None:
            raise StorageError(f"blob {digest}", "what was put of it was swept before its end: put the blob again")

    async def extend_upload(self, digest: str, offset: int, piece: bytes) -> int:
        """Add a piece to an upload, see `Backend.extend_upload`."""
        for start in range(0, len(piece), BLOB_PIECE_BYTES):
            chunk = piece[start : start + BLOB_PIECE_BYTES]
            rows = await self._database.fetch("extend_upload", digest, uuid4(), min(offset, _TOO_LONG) + start, chunk)
            if not rows:
                break
        return await self.upload_size(digest)

    async def upload_size(self, digest: str) -> int:
        """Return how many bytes of an upload are here."""
        rows = await self._database.fetch("upload", digest)
        return rows[0]["size"] if rows else 0

    async def finish_upload(self, digest: str) -> None:
        """Make a blob of an upload, see `Backend.finish_upload`."""
        is_finished = False
        # Others may finish it or extend it while it is read, and the blob may come or go.
        while not is_finished:
            # Before the blob: an upload that is not here then was finished by somebody, or never began.
            rows = await self._database.fetch("upload", digest)
            is_finished = await self._renewed(digest) or await self._finished(digest, rows)

    async def content(self, digest: str, start: int, stop: int | None) -> AsyncIterator[bytes]:
        """Stream a part of a blob, see `Backend.get_blob`."""
        rows = await self._database.fetch("stored_blobs", [digest])
        if not rows:
            raise DataCorruptionError(f"blob {digest}", "it is not stored")
        size = rows[0]["size"]
        end = size if stop is None else min(stop, size)
        hashed, position = hashlib.sha256(), start
        async for piece in self._content(rows[0]["content_id"], start, end):
            hashed.update(piece)
            position += len(piece)
            yield piece
        if position < end:
            raise DataCorruptionError(f"blob {digest}", f"its content ends after {position} of {size} bytes")
        if (start, end) == (0, size) and hashed.hexdigest() != digest:
            raise DataCorruptionError(f"blob {digest}", f"its content has the digest {hashed.hexdigest()}")

    async def size(self, digest: str) -> int | None:
        """Return the size of a blob, or None when it is not stored."""
        rows = await self._database.fetch("stored_blobs", [digest])
        return rows[0]["size"] if rows else None

    async def missing(self, digests: Collection[str]) -> set[str]:
        """Return which of these blobs are not stored."""
        if not digests:
            return set()
        rows = await self._database.fetch("stored_blobs", list(digests))
        return set(digests) - {row["digest"] for row in rows}

    async def _content(self, content_id: UUID, start: int, end: int) -> AsyncIterator[bytes]:
        """Stream stored bytes; those that are missing end it."""
        while start < end:
            length = min(end - start, BLOB_PIECE_BYTES)
            rows = await self._database.fetch("content", content_id, start, length)
            piece = b"".join(row["content"] for row in rows)
            if not piece:
                return
            start += len(piece)
            yield piece

    async def _renewed(self, digest: str) -> bool:
        """Let a blob count as put just now, and drop its upload; return False when it is not stored."""
        if not await self._database.fetch("renew_blob", digest):
            return False
        await self._database.fetch("drop_upload_of", digest)
        return True

    async def _finished(self, digest: str, uploads: Sequence[asyncpg.Record]) -> bool:
        """Make a blob of the upload, or of nothing; return False if it has to be tried again."""
        if not uploads:
            await self._put_small(digest, b"")
            return True
        content_id, size = uploads[0]["content_id"], uploads[0]["size"]
        hashed = hashlib.sha256()
        async for chunk in self._content(content_id, 0, size):
            hashed.update(chunk)
        return await self._finish(digest, content_id, size, hashed.hexdigest())

    async def _put_small(self, digest: str, content: bytes) -> None:
        _check_digest(digest, hashlib.sha256(content).hexdigest())
        await self._database.fetch("put_small_blob", digest, uuid4(), len(content), content)

    async def _finish(self, digest: str, content_id: UUID, size: int, actual: str) -> bool:
        """Make a blob of an upload, or drop it for its digest; return False if it changed or went meanwhile."""
        if actual != digest and not await self._database.fetch("drop_upload", content_id):
            return False
        _check_digest(digest, actual)
        return bool(await self._database.fetch("finish_upload", content_id, digest, size))


def _check_digest(digest: str, actual: str) -> None:
    if actual != digest:
        raise InvalidArgumentError("digest", f"is {digest}, but the content has {actual}")


async def _joined(first: bytes, second: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    yield second
    async for chunk in rest:
        yield chunk


async def _chunks(content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Cut the content anew, into chunks of the size in which it is stored; the last may be shorter."""
    collected = bytearray()
    async for piece in content:
        collected += piece
        while len(collected) >= BLOB_PIECE_BYTES:
            yield bytes(collected[:BLOB_PIECE_BYTES])
            del collected[:BLOB_PIECE_BYTES]
    if collected:
        yield bytes(collected)
