"""How much the calls of a server may hold in memory together."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial


class Budget:
    """So many bytes for all calls; one that asks for more waits until others are over.

    The call that has held something for longest never waits, so that one of them always gets on, however large it is.
    Together they hold at most the budget and what one call needs.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._held: dict[object, int] = {}
        """By call, in the order in which they began to hold something."""
        self._freed = asyncio.Event()

    @contextmanager
    def share(self) -> Iterator[Callable[[int], Awaitable[None]]]:
        """Yield a function that takes so many bytes more, once there is room; they are free at the end of the block."""
        call = object()
        try:
            yield partial(self._take, call)
        finally:
            self._held.pop(call, None)
            self._freed.set()

    async def _take(self, call: object, size: int) -> None:
        while not self._has_room(call, size):
            self._freed.clear()
            await self._freed.wait()
        self._held[call] = self._held.get(call, 0) + size

    def _has_room(self, call: object, size: int) -> bool:
        return next(iter(self._held), call) is call or sum(self._held.values()) + size <= self._size
