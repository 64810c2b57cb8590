"""The threads and connections that read, beside the one that writes."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from sessionstore.errors import StoreClosedError
from sessionstore_server.backends.sqlite import database
from sessionstore_server.backends.sqlite.jobs import Job

T = TypeVar("T")

THREADS = 2
"""How many reads of one backend run at a time. Python runs one thread at a time, so more get in each other's way; with
one alone, a read that waits for the disk would hold up all others."""


class Readers:
    """Reads a file in threads. To be called from the event loop that made it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[Job[[], Any] | None] = SimpleQueue()
        self._idle: list[sqlite3.Connection] = []
        self._is_closed = False
        self._threads = [
            Thread(target=self._run, name=f"sessionstore-sqlite-reader-{number}", daemon=True)
            for number in range(THREADS)
        ]
        for thread in self._threads:
            thread.start()

    async def read(self, step: Callable[[sqlite3.Connection], T]) -> T:
        """Carry out a step on the state of now. Errors: those of the step; StorageError; StoreClosedError."""
        return await self.submit(partial(self._read, step))

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator["Snapshot"]:
        """Hold one state of the file. SQLite keeps all that is written meanwhile beside it, so do not hold it idly."""
        snapshot = Snapshot(self)
        try:
            yield snapshot
        finally:
            await snapshot.settle()
            if snapshot.connection:
                self._take_back(snapshot.connection)

    def submit(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Let a thread do something. Errors: those of the work; StorageError; StoreClosedError."""
        if self._is_closed:
            raise StoreClosedError("sqlite")
        outcome: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put(Job(work, outcome))
        return outcome

    def begin(self) -> sqlite3.Connection:
        """Return a connection that nobody else holds, and that sees one state of the file until it is given back."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = database.connect(self._path)
        connection.execute("BEGIN")
        return connection

    async def aclose(self) -> None:
        """Finish what waits; connections that are still held are closed when they come back."""
        self._is_closed = True
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        while self._idle:
            self._idle.pop().close()

    def _read(self, step: Callable[[sqlite3.Connection], T]) -> T:
        connection = self.begin()
        try:
            return step(connection)
        finally:
            self._take_back(connection)

    def _take_back(self, connection: sqlite3.Connection) -> None:
        connection.rollback()
        if self._is_closed:
            connection.close()
        else:
            self._idle.append(connection)

    def _run(self) -> None:
        while job := self._jobs.get():
            self._carry_out(job)
            # It holds what was read.
            del job

    def _carry_out(self, job: Job[[], Any]) -> None:
        try:
            job.result = job.work()
        except Exception as error:  # noqa: BLE001 - handed to those who wait
            job.error = database.described(self._path, error)
        # Nobody waits any more when the loop is closed.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(job.tell)


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
            self.connection = self._readers.begin()
        return step(self.connection)
