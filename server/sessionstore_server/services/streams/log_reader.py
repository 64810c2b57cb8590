"""Reads a log at one revision, a part at a time."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sessionstore.errors import RevisionNotKeptError
from sessionstore_server.backends.base import Backend, Key, LogRange, View
from sessionstore_server.services.turns import ATTEMPTS, overtaken

T = TypeVar("T")

PART_RECORDS = 128
"""How many records are read at a time."""
PAGE_BYTES = 4 << 20
"""A page ends when its records have this size, also if fewer are there than were asked for."""

_PAUSE_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class LogReader:
    """Reads the log `name` of a key at the revision of `view`, which tells its length.

    Errors: RevisionNotKeptError when the revision has long passed: begin anew, see `at_one_revision`.
    """

    backend: Backend
    key: Key
    name: str
    view: View

    @property
    def length(self) -> int:
        """The number of records, 0 also when there is no log."""
        return self.view.logs[self.name].length if self.name in self.view.logs else 0

    async def read(self, start: int, stop: int | None = None) -> Sequence[bytes]:
        """Return the records from `start` up to `stop`."""
        if start >= self.length:
            return ()
        span = {self.name: LogRange(start, stop)}
        view = await self.backend.read(self.key, logs=span, revision=self.view.revision)
        return () if view is None else view.logs[self.name].records

    async def each(self, start: int, stop: int) -> AsyncIterator[bytes]:
        """Iterate over the records from `start` up to `stop`."""
        stop = min(stop, self.length)
        for position in range(start, stop, PART_RECORDS):
            for record in await self.read(position, min(stop, position + PART_RECORDS)):
                yield record

    async def page(self, start: int, limit: int, page_bytes: int = PAGE_BYTES) -> list[bytes]:
        """Return records from `start` on, up to `limit` and of so many bytes together, but one if there is any."""
        records: list[bytes] = []
        size = 0
        async for record in self.each(start, start + limit):
            size += len(record)
            if records and size > page_bytes:
                break
            records.append(record)
        return records


async def open_log(backend: Backend, key: Key, name: str, documents: Collection[str] = ()) -> LogReader | None:
    """Return a reader of the log as it is now, with these documents in its view; None when the key is absent."""
    view = await backend.read(key, documents, {name: LogRange(0, 0)})
    return None if view is None else LogReader(backend, key, name, view)


async def at_one_revision(backend: Backend, key: Key, read: Callable[[], Awaitable[T]]) -> T:
    """Return what `read` does; when a revision passes before all is read, begin anew after the next commit.

    Errors: StorageError when no attempt gets through, beside those of `read`.
    """
    for _ in range(ATTEMPTS):
        try:
            return await read()
        except RevisionNotKeptError:
            await backend.wait(key, _PAUSE_SECONDS)
    raise overtaken(key)
