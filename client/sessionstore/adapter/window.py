"""What a stream that appends has sent, or is about to send, and does not know to be durable."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from google.protobuf.message import Message

MAX_BATCHES = 16
MAX_BYTES = 4 << 20
"""How much is taken from the caller before the server tells that it is durable."""

JOINED_BYTES = 1 << 16
"""Batches travel together up to this size: below it a message costs more than what is in it."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Records in order, from a position of their stream on."""

    position: int
    records: Message
    """As they travel; all but their position."""
    count: int
    size: int
    """In bytes."""

    @property
    def stop(self) -> int:
        """The position behind the last record."""
        return self.position + self.count


class Window:
    """Batches that are kept until they are durable, so that they can be sent again."""

    def __init__(self) -> None:
        self.start = 0
        """How many records are durable."""
        self._batches: deque[Batch] = deque()
        self._size = 0
        self._has_ended = False
        self._changed = asyncio.Condition()

    async def fill(self, batches: AsyncIterator[Batch]) -> None:
        """Take batches, which follow one another, each only when there is room. Errors: those of `batches`."""
        try:
            while batch := await self._next(batches):
                async with self._changed:
                    self._batches.append(batch)
                    self._size += batch.size
                    self._changed.notify_all()
                # A turn for who sends, when the caller has the next batch at once.
                await asyncio.sleep(0)
        finally:
            self._has_ended = True
            async with self._changed:
                self._changed.notify_all()

    async def batches_at(self, position: int) -> Sequence[Batch]:
        """Wait for what follows a position, and return what of it travels together; nothing when the stream ends."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._has_ended or self._following(position))
            following = self._following(position)
        sizes = accumulate(batch.size for batch in following)
        return following[: max(1, sum(size <= JOINED_BYTES for size in sizes))]

    async def confirm(self, position: int) -> bool:
        """Let go of what is durable; tell whether that is more than before."""
        async with self._changed:
            before, self.start = self.start, max(self.start, position)
            while self._batches and self._batches[0].stop <= position:
                self._size -= self._batches.popleft().size
            self._changed.notify_all()
            return self.start > before

    async def _next(self, batches: AsyncIterator[Batch]) -> Batch | None:
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._batches) < MAX_BATCHES and self._size < MAX_BYTES)
        return await anext(batches, None)

    def _following(self, position: int) -> list[Batch]:
        return [batch for batch in self._batches if batch.position >= position]
