"""A write that counts on what was read before it: made if that still holds, else planned anew."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeVar

from sessionstore.errors import SessionStoreError
from sessionstore_server.backends.base import GuardError
from sessionstore_server.backends.keyvalue import layout
from sessionstore_server.backends.keyvalue.engine import KeyValues, Write

T = TypeVar("T")


class Transaction:
    """What is written at the end, on condition that everything that was `seen` is still the same."""

    def __init__(self, engine: KeyValues) -> None:
        self._engine = engine
        self._write = Write()
        self.garbage: list[str] = []
        """Contents that nothing refers to once this is written."""

    async def seen(self, keys: Iterable[bytes]) -> Mapping[bytes, bytes]:
        """Return the values of those keys that hold one."""
        wanted = list(keys)
        found = await self._engine.get(wanted) if wanted else {}
        for key in wanted:
            self._write.conditions.setdefault(key, found.get(key))
        return found

    async def seen_one(self, key: bytes) -> bytes | None:
        """Return the value of a key, or None when it holds none."""
        return (await self.seen([key])).get(key)

    def put(self, key: bytes, value: bytes) -> None:
        """Let `key` hold a value; what was said of it before counts no more."""
        self._write.deletes.discard(key)
        self._write.puts[key] = value

    def delete(self, key: bytes) -> None:
        """Let `key` hold nothing; what was said of it before counts no more."""
        self._write.puts.pop(key, None)
        self._write.deletes.add(key)

    def discard(self, content: str) -> None:
        """Note that nothing refers to a content any more."""
        self.put(layout.garbage(content), b"")
        self.garbage.append(content)

    async def still_holds(self) -> bool:
        """Tell whether everything that was seen is still the same."""
        found = await self._engine.get(list(self._write.conditions))
        return all(found.get(key) == value for key, value in self._write.conditions.items())

    async def end(self) -> bool:
        """Write everything, if there is anything; return False when something that was seen changed.

        The write is carried to its end also when the caller is cancelled.
        """
        if not (self._write.puts or self._write.deletes):
            return True
        return await asyncio.shield(self._engine.write(self._write))


async def carried_out(engine: KeyValues, plan: Callable[[Transaction], Awaitable[T]]) -> tuple[T, Transaction]:
    """Plan and write, again and again until nobody interferes; each time somebody else got on.

    An error of the plan counts if what it was concluded from still holds.
    """
    while True:
        transaction = Transaction(engine)
        try:
            result = await plan(transaction)
        except (SessionStoreError, GuardError):
            if await transaction.still_holds():
                raise
        else:
            if await transaction.end():
                return result, transaction
