"""The blobs of the key-value backend: contents that are described once they are whole, and uploads until then."""

import hashlib
import secrets
import time
from collections.abc import AsyncIterator, Collection
from dataclasses import replace
from functools import partial

from sessionstore.errors import DataCorruptionError, InvalidArgumentError
from sessionstore_server.backends.base import BLOB_PIECE_BYTES
from sessionstore_server.backends.keyvalue import layout, values
from sessionstore_server.backends.keyvalue.contents import Contents
from sessionstore_server.backends.keyvalue.engine import KeyValues
from sessionstore_server.backends.keyvalue.space import Space
from sessionstore_server.backends.keyvalue.transaction import Transaction
from sessionstore_server.backends.keyvalue.values import Blob


class Blobs:
    """Contents by digest, and unfinished uploads by name: one that many share has the name of its digest."""

    def __init__(self, engine: KeyValues, contents: Contents) -> None:
        self._engine = engine
        self._space = Space(engine)
        self._contents = contents

    async def put(self, digest: str, content: AsyncIterator[bytes]) -> None:
        """Store a blob, or make it young again. Errors: InvalidArgumentError for content with another digest."""
        upload, size = f"{digest} {secrets.token_hex(16)}", 0
        try:
            async for piece in content:
                size = await self.extend(upload, size, piece)
        except BaseException:
            await self._contents.carry_out(partial(_give_up, upload))
            raise
        await self.finish(digest, upload)

    async def extend(self, upload: str, offset: int, piece: bytes) -> int:
        """Add a piece to an upload if it is the next one; return how many bytes are here now."""

        async def extend(transaction: Transaction) -> int:
            unfinished = _upload(await transaction.seen_one(layout.upload(upload)))
            if unfinished.size != offset:
                return unfinished.size
            for start in range(0, len(piece), BLOB_PIECE_BYTES):
                part = bytes(piece[start : start + BLOB_PIECE_BYTES])
                transaction.put(layout.piece(unfinished.content, offset + start), part)
            extended = Blob(unfinished.content, offset + len(piece), time.time())
            transaction.put(layout.upload(upload), values.write_blob(extended))
            return extended.size

        return await self._contents.carry_out(extend)

    async def upload_size(self, upload: str) -> int:
        """Return how many bytes of an unfinished upload are here."""
        found = await self._engine.get([layout.upload(upload)])
        return _upload(found.get(layout.upload(upload))).size

    async def finish(self, digest: str, upload: str) -> None:
        """Store what was uploaded, and forget the upload in any case. Errors: InvalidArgumentError as `put`."""

        async def finish(transaction: Transaction) -> str:
            found = await transaction.seen([layout.upload(upload), layout.blob(digest)])
            uploaded = _upload(found.get(layout.upload(upload)))
            actual = await self._contents.digest(uploaded.content)
            stored = found.get(layout.blob(digest))
            transaction.delete(layout.upload(upload))
            if stored or actual != digest:
                transaction.discard(uploaded.content)
            if stored or actual == digest:
                blob = values.read_blob(stored, digest) if stored else uploaded
                transaction.put(layout.blob(digest), values.write_blob(replace(blob, touched_at=time.time())))
            return digest if stored else actual

        if (actual := await self._contents.carry_out(finish)) != digest:
            raise InvalidArgumentError("digest", f"is {digest}, but the content has {actual}")

    async def get(self, digest: str, start: int, stop: int | None) -> AsyncIterator[bytes]:
        """Stream the bytes of a blob, see `Backend.get_blob`."""
        blob = (await self._described([digest])).get(digest)
        if blob is None:
            raise DataCorruptionError(f"blob {digest}", "it is not stored")
        stop = blob.size if stop is None else min(stop, blob.size)
        missing, actual = max(0, stop - start), hashlib.sha256()
        async for part in self._contents.read(blob.content, start, stop):
            missing -= len(part)
            actual.update(part)
            yield part
        is_whole = (start, stop) == (0, blob.size)
        if missing or (is_whole and actual.hexdigest() != digest):
            raise DataCorruptionError(f"blob {digest}", "its content is not what was stored")

    async def size(self, digest: str) -> int | None:
        """Return the size of a blob in bytes, or None when it is not stored."""
        blob = (await self._described([digest])).get(digest)
        return blob.size if blob else None

    async def missing(self, digests: Collection[str]) -> set[str]:
        """Return which of these are not stored."""
        return set(digests) - (await self._described(digests)).keys()

    async def sweep(self, min_age_seconds: float) -> int:
        """Remove blobs to which no key refers, and uploads, that are at least so old; return how many blobs went."""
        latest = time.time() - min_age_seconds
        for name in await self._old(layout.UPLOADS, latest):
            await self._contents.carry_out(partial(_give_up, name))
        removed = [
            await self._contents.carry_out(partial(_remove_unused, digest, latest))
            for digest in await self._old(layout.BLOBS, latest)
        ]
        await self._contents.sweep()
        return sum(removed)

    async def _described(self, digests: Collection[str]) -> dict[str, Blob]:
        found = await self._engine.get([layout.blob(digest) for digest in digests])
        described = {at.removeprefix(layout.BLOBS).decode(): text for at, text in found.items()}
        return {digest: values.read_blob(text, digest) for digest, text in described.items()}

    async def _old(self, prefix: bytes, latest: float) -> list[str]:
        described = {at.removeprefix(prefix).decode(): text async for at, text in self._space.below(prefix)}
        return [name for name, text in described.items() if values.read_blob(text, name).touched_at <= latest]


def _upload(text: bytes | None) -> Blob:
    """Return what is known of an upload, which may be new."""
    return values.read_blob(text, "an upload") if text else Blob(secrets.token_hex(16), 0, 0.0)


async def _give_up(upload: str, transaction: Transaction) -> None:
    if found := await transaction.seen_one(layout.upload(upload)):
        transaction.delete(layout.upload(upload))
        transaction.discard(values.read_blob(found, upload).content)


async def _remove_unused(digest: str, latest: float, transaction: Transaction) -> bool:
    """Remove a blob unless somebody uses it, or it became young again; tell whether it went."""
    found = await transaction.seen([layout.blob(digest), layout.users(digest)])
    text = found.get(layout.blob(digest))
    if text is None or layout.users(digest) in found:
        return False
    blob = values.read_blob(text, digest)
    if blob.touched_at > latest:
        return False
    transaction.delete(layout.blob(digest))
    transaction.discard(blob.content)
    return True
