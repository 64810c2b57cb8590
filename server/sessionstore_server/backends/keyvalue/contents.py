"""Contents in pieces: read, and removed piece by piece after the write that gave them up.

That write leaves a note for each, so that what a kill leaves behind goes with the next sweep.
"""

import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from typing import TypeVar

from sessionstore.errors import StorageError
from sessionstore_server.backends.base import BLOB_PIECE_BYTES
from sessionstore_server.backends.keyvalue import layout
from sessionstore_server.backends.keyvalue.engine import KeyValues, Write
from sessionstore_server.backends.keyvalue.space import Space
from sessionstore_server.backends.keyvalue.transaction import Transaction, carried_out

T = TypeVar("T")


class Contents:
    """What stands in an engine under ids that are never used again."""

    def __init__(self, engine: KeyValues) -> None:
        self._engine = engine
        self._space = Space(engine)
        self._reading: Counter[str] = Counter()
        """How often each is being read here: it stays until a sweep after that."""

    async def carry_out(self, plan: Callable[[Transaction], Awaitable[T]]) -> T:
        """Plan and write, see `carried_out`, and remove what nothing refers to any more."""
        result, transaction = await carried_out(self._engine, plan)
        # What was asked for is done, whatever happens now; the notes stay for the sweep.
        with suppress(StorageError):
            await self._clean(transaction.garbage)
        return result

    async def sweep(self) -> None:
        """Remove everything of which it is noted that nothing refers to it."""
        notes = [at async for at, _ in self._space.below(layout.GARBAGE)]
        await self._clean(at.removeprefix(layout.GARBAGE).decode() for at in notes)

    async def read(self, content: str, start: int, stop: int) -> AsyncIterator[bytes]:
        """Stream the bytes from `start` up to `stop`; fewer when pieces are missing."""
        self._reading[content] += 1
        try:
            # The piece that holds the first byte begins less than its greatest length before it.
            first = layout.piece(content, max(0, start - BLOB_PIECE_BYTES + 1))
            async for at, piece in self._space.between(first, layout.piece(content, stop), page=1):
                offset = layout.number(at)
                if part := piece[max(0, start - offset) : max(0, stop - offset)]:
                    yield part
        finally:
            self._reading -= Counter([content])

    async def digest(self, content: str) -> str:
        """Return the sha256 of a content in lower-case hex."""
        digest = hashlib.sha256()
        async for _, piece in self._space.between(*_range(content), page=1):
            digest.update(piece)
        return digest.hexdigest()

    async def _clean(self, contents: Iterable[str]) -> None:
        for content in contents:
            if not self._reading[content]:
                while page := await self._engine.scan(*_range(content), 16):
                    await self._engine.write(Write(deletes={at for at, _ in page}))
                await self._engine.write(Write(deletes={layout.garbage(content)}))


def _range(content: str) -> tuple[bytes, bytes]:
    return layout.pieces(content), layout.after_all(layout.pieces(content))
