"""Work on large requests, done aside, so that they do not hold up all others."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

LARGE_BYTES = 1 << 20
"""Checking so much takes about 20 ms of processor time; a smaller request is not worth a thread."""


async def aside(size: int, work: Callable[..., T], *arguments: object) -> T:
    """Return what `work` on `size` bytes returns. A thread does it if these are many, in turns with the event loop."""
    if size <= LARGE_BYTES:
        return work(*arguments)
    return await asyncio.to_thread(work, *arguments)
