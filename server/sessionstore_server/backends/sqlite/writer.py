"""The one thread of a backend that writes: all that waits goes into one transaction, and is synced once."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from sessionstore.errors import StoreClosedError
from sessionstore_server.backends.base import Key
from sessionstore_server.backends.sqlite import database
from sessionstore_server.backends.sqlite.jobs import Job
from sessionstore_server.backends.wakes import Wakes

T = TypeVar("T")

_Job = Job[[sqlite3.Connection], Any]

MAX_BATCH = 256
"""How many steps share a transaction at most."""


class Writer:
    """Carries out steps in their order. To be called from the event loop that made it.

    A step that raises an error has written nothing, as a rule, and then does not disturb the others; else each is done
    again in a transaction of its own. A failure to commit is everybody's. Nobody is told anything before the
    transaction is durable.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, wakes: Wakes) -> None:
        self._path = path
        self._connection = connection
        self._wakes = wakes
        self._is_closed = False
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        # `database.begin` waits for other processes; it looks more often than SQLite would.
        connection.execute("PRAGMA busy_timeout = 0")
        # As a daemon it does not keep a program alive that forgot to close; a commit that is cut off never was.
        self._thread = Thread(target=self._run, name="sessionstore-sqlite-writer", daemon=True)
        self._thread.start()

    async def write(self, step: Callable[[sqlite3.Connection], T], key: Key | None = None) -> T:
        """Carry out a step durably and return its result; wake those who wait for `key`.

        Errors: those of the step; StorageError; StoreClosedError.
        """
        if self._is_closed:
            raise StoreClosedError("sqlite")
        outcome: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put(Job(step, outcome, key))
        return await outcome

    async def aclose(self) -> None:
        """Carry out what waits, and end."""
        self._is_closed = True
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(self._connection.close)

    def _run(self) -> None:
        is_closing = False
        while not is_closing:
            batch = self._next_batch()
            is_closing = batch[-1] is None
            jobs = [job for job in batch if job]
            if jobs:
                self._carry_out(jobs)
                # Nobody waits any more when the loop is closed.
                with suppress(RuntimeError):
                    self._loop.call_soon_threadsafe(self._deliver, jobs)

    def _next_batch(self) -> Sequence[_Job | None]:
        """Return all that waits, at least one; None, which comes last, ends the work."""
        batch = [self._jobs.get()]
        with suppress(Empty):
            while batch[-1] and len(batch) < MAX_BATCH:
                batch.append(self._jobs.get_nowait())
        return batch

    def _carry_out(self, jobs: Sequence[_Job]) -> None:
        try:
            database.begin(self._connection)
            is_whole = all(map(self._attempt, jobs))
            if is_whole:
                self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - handed to those who wait
            self._undo()
            for job in jobs:
                job.error = database.described(self._path, error)
            return
        if not is_whole:
            self._undo()
            self._carry_out_alone(jobs)

    def _carry_out_alone(self, jobs: Sequence[_Job]) -> None:
        """Give each job a transaction of its own; one that failed in such a transaction has its error already."""
        if len(jobs) > 1:
            for job in jobs:
                self._carry_out([job])

    def _attempt(self, job: _Job) -> bool:
        """Carry out a step; tell whether nothing was written but by steps that succeeded."""
        job.error, written = None, self._connection.total_changes
        try:
            job.result = job.work(self._connection)
        except Exception as error:  # noqa: BLE001 - handed to those who wait
            job.error = database.described(self._path, error)
        return job.error is None or (self._connection.in_transaction and self._connection.total_changes == written)

    def _undo(self) -> None:
        with suppress(sqlite3.Error):
            self._connection.rollback()

    def _deliver(self, jobs: Sequence[_Job]) -> None:
        for job in jobs:
            if job.key:
                self._wakes.wake(job.key)
            job.tell()
