"""Threads that are kept busy, to see what goes on without them."""

import asyncio
import threading
from collections.abc import Callable, Coroutine


async def needs_thread(
    submit: Callable[[Callable[[], object]], asyncio.Future[object]],
    threads: int,
    reading: Coroutine[None, None, object],
) -> bool:
    """Carry out a read, and tell whether it waited for one of so many threads, to which `submit` gives work."""
    may_end = threading.Event()
    waiting = [submit(may_end.wait) for _ in range(threads)]
    task = asyncio.create_task(reading)
    try:
        for _ in range(10):
            await asyncio.sleep(0)
        return not task.done()
    finally:
        may_end.set()
        await asyncio.gather(task, *waiting)
