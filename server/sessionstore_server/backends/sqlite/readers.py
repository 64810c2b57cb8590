"""The threads and connections that read, beside the one that writes."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sessionstore.errors import StoreClosedError
from sessionstore_server.backends.sqlite import database

T = TypeVar("T")

THREADS = 2
"""How many reads of one backend run at a time. Python runs one thread at a time, so more get in each other's way; with
one alone, a read that waits for the disk would hold up all others."""


class Readers:
    """Reads a file in threads. To be called from the event loop."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._threads = ThreadPoolExecutor(THREADS, "sessionstore-sqlite-reader")
        self._idle: list[sqlite3.Connection] = []
        self._is_closed = False

    async def read(self, step: Callable[[sqlite3.Connection], T]) -> T:
        """Carry out a step on the state of now."""
        async with self.snapshot() as snapshot:
            return await snapshot.read(step)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator["Snapshot"]:
        """Hold one state of the file. SQLite keeps all that is written meanwhile beside it, so do not hold it idly."""
        snapshot = Snapshot(self)
        try:
            yield snapshot
        finally:
            await snapshot.settle()
            self._take_back(snapshot)

    def submit(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Let a thread do something. Errors: those of the work; StorageError; StoreClosedError."""
        if self._is_closed:
            raise StoreClosedError("sqlite")
        return asyncio.get_running_loop().run_in_executor(self._threads, self._reported, work)

    def connect(self) -> sqlite3.Connection:
        """Return a connection that nobody else holds."""
        with suppress(IndexError):
            return self._idle.pop()
        return database.connect(self._path)

    async def aclose(self) -> None:
        """Finish what runs; connections that are still held are closed when they come back."""
        self._is_closed = True
        await asyncio.to_thread(self._threads.shutdown)
        while self._idle:
            self._idle.pop().close()

    def _take_back(self, snapshot: "Snapshot") -> None:
        if snapshot.connection is None:
            return
        snapshot.connection.rollback()
        if self._is_closed:
            snapshot.connection.close()
        else:
            self._idle.append(snapshot.connection)

    def _reported(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except (sqlite3.Error, OSError) as error:
            raise database.described(self._path, error) from error


class Snapshot:
    """One state of the file, that of the first read, for reads one after the other."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self._running: asyncio.Future[Any] | None = None
        self.connection: sqlite3.Connection | None = None

    async def read(self, step: Callable[[sqlite3.Connection], T]) -> T:
        """Carry out a step in a thread."""
        running = self._readers.submit(partial(self._carry_out, step))
        self._running = running
        return await asyncio.shield(running)

    async def settle(self) -> None:
        """Wait for the thread, which goes on when the caller of `read` is cancelled."""
        if self._running:
            await asyncio.wait([self._running])

    def _carry_out(self, step: Callable[[sqlite3.Connection], T]) -> T:
        if self.connection is None:
            self.connection = self._readers.connect()
            self.connection.execute("BEGIN")
        return step(self.connection)
