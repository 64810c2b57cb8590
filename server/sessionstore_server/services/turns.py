"""How writes of one session get past each other: in turns here, and by pauses beside other servers."""

import asyncio
import random
from contextlib import AbstractAsyncContextManager
from weakref import WeakValueDictionary

from sessionstore.errors import StorageError
from sessionstore_server.backends.base import Key

ATTEMPTS = 100
"""How often a write is tried that depends on what was read, while others change that."""

_PAUSE_SECONDS = 0.001
_LONGEST_PAUSE_SECONDS = 0.02


class Turns:
    """Lets all who write to one session take turns, so that none has to try again and again, or in vain.

    One who has a turn takes no other. Reads and other servers know nothing of it.
    """

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()

    def of(self, key: Key) -> AbstractAsyncContextManager[None]:
        """Return what is held while it is one's turn."""
        return self._locks.setdefault(key, asyncio.Lock())


async def pause(attempt: int) -> None:
    """Wait before the next attempt, by chance and longer each time, so that two servers do not keep step."""
    await asyncio.sleep(random.uniform(0, min(attempt * _PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)))  # noqa: S311


def overtaken(key: Key) -> StorageError:
    """Return the error of a write that no attempt got through."""
    problem = "other calls changed it as fast as it was read"
    return StorageError(location=f"what is stored under {key.id!r}", problem=problem)
