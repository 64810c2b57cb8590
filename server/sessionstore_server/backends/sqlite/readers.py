"""The connections that read, beside the one that writes, and the threads for all but short reads."""

import asyncio
import sqlite3
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
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

_Job = Job[[sqlite3.Connection], Any]
_Task = Callable[[], None]

MAX_BATCH = 16
"""How many reads that come at the same time share a thread and a state: one that takes long holds up the rest."""

THREADS = 2
"""How many reads of one backend run at a time. Python runs one thread at a time, so more get in each other's way; with
one alone, a read that waits for the disk would hold up all others."""


class Readers:
    """Reads a file. To be called from the event loop that made it."""

    def __init__(self, path: Path, impatient: sqlite3.Connection) -> None:
        self._path = path
        self._impatient = impatient
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_Job] = []
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._done: deque[Job[..., Any]] = deque()
        self._is_told = False
        self._idle: list[sqlite3.Connection] = []
        self._is_closed = False
        self._threads = [
            Thread(target=self._run, name=f"sessionstore-sqlite-reader-{number}", daemon=True)
            for number in range(THREADS)
        ]
        for thread in self._threads:
            thread.start()

    def read_here(self, step: Callable[[sqlite3.Connection], T]) -> T:
        """Carry out a short step on the state of now, without a thread.

        Errors: those of the step; `sqlite3.Error`, also while another process is in the way: then a thread may wait.
        """
        self._impatient.execute("BEGIN")
        try:
            return step(self._impatient)
        finally:
            self._impatient.rollback()

    def read(self, step: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Carry out a step on the state of now. Errors: those of the step; StorageError; StoreClosedError."""
        outcome: asyncio.Future[T] = self._outcome()
        if not self._waiting:
            # What others ask for until then goes to the same thread.
            self._loop.call_soon(self._hand_over)
        self._waiting.append(Job(step, outcome))
        return outcome

    def submit(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Let a thread do something. Errors: those of the work; StorageError; StoreClosedError."""
        outcome: asyncio.Future[T] = self._outcome()
        self._tasks.put(partial(self._attempt, Job(work, outcome)))
        return outcome

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
        self._hand_over()
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        self._impatient.close()
        while self._idle:
            self._idle.pop().close()

    def _outcome(self) -> asyncio.Future[Any]:
        if self._is_closed:
            raise StoreClosedError("sqlite")
        return self._loop.create_future()

    def _hand_over(self) -> None:
        waiting, self._waiting = self._waiting, []
        for first in range(0, len(waiting), MAX_BATCH):
            self._tasks.put(partial(self._carry_out, waiting[first : first + MAX_BATCH]))

    def _take_back(self, connection: sqlite3.Connection) -> None:
        with suppress(sqlite3.Error):
            connection.rollback()
        if self._is_closed or connection.in_transaction:
            connection.close()
        else:
            self._idle.append(connection)

    def _run(self) -> None:
        while task := self._tasks.get():
            task()
            # It holds what was read.
            del task

    def _carry_out(self, jobs: Sequence[_Job]) -> None:
        """Carry out steps on one state, which is younger than all of them."""
        try:
            connection = self.begin()
        except Exception as error:  # noqa: BLE001 - handed to those who wait
            for job in jobs:
                self._finish(job, error)
            return
        for job in jobs:
            self._attempt(job, connection)
        self._take_back(connection)

    def _attempt(self, job: Job[..., Any], *connection: sqlite3.Connection) -> None:
        try:
            job.result = job.work(*connection)
        except Exception as error:  # noqa: BLE001 - handed to those who wait
            self._finish(job, error)
        else:
            self._finish(job)

    def _finish(self, job: Job[..., Any], error: Exception | None = None) -> None:
        """Wake the event loop, once for all that is done before it gets to it."""
        job.error = error and database.described(self._path, error)
        self._done.append(job)
        if not self._is_told:
            self._is_told = True
            # Nobody waits any more when the loop is closed.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        # First of all: whatever is done after this wakes the loop again.
        self._is_told = False
        while self._done:
            self._done.popleft().tell()


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
