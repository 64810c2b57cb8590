"""What waits to be committed in a stream that appends."""

import asyncio
from collections.abc import AsyncIterable, Sequence
from dataclasses import dataclass

MAX_BATCHES = 64
MAX_BYTES = 1 << 20
"""How much waits at most; a batch that is larger waits alone."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Records in order, from a position of their stream on."""

    position: int
    records: Sequence[bytes]
    size: int
    """In bytes."""

    @property
    def stop(self) -> int:
        """The position behind the last record."""
        return self.position + len(self.records)


class Intake:
    """Takes in batches while a commit is under way, as many as have room, so that gRPC slows down who sends more."""

    def __init__(self) -> None:
        self._waiting: list[Batch] = []
        self._size = 0
        self._has_ended = False
        self._changed = asyncio.Condition()

    async def fill(self, batches: AsyncIterable[Batch]) -> None:
        """Take all batches in, each when there is room for it. Errors: those of `batches`."""
        try:
            async for batch in batches:
                await self._put(batch)
        finally:
            async with self._changed:
                self._has_ended = True
                self._changed.notify_all()

    async def take(self) -> Sequence[Batch]:
        """Wait for batches and return all that wait, or none when there will be no more."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._waiting or self._has_ended)
            taken, self._waiting, self._size = self._waiting, [], 0
            self._changed.notify_all()
            return taken

    async def _put(self, batch: Batch) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._has_room(batch.size))
            self._waiting.append(batch)
            self._size += batch.size
            self._changed.notify_all()

    def _has_room(self, size: int) -> bool:
        return not self._waiting or (len(self._waiting) < MAX_BATCHES and self._size + size <= MAX_BYTES)
