"""The one thread of a backend that writes: all that waits goes into one transaction, and is synced once."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Generic, TypeVar

from sessionstore.errors import StoreClosedError
from sessionstore_server.backends.base import Key
from sessionstore_server.backends.sqlite import database
from sessionstore_server.backends.wakes import Wakes

T = TypeVar("T")

MAX_BATCH = 256
"""How many steps share a transaction at most."""


@dataclass(slots=True)
class _Job(Generic[T]):
    """A step, who waits for it, and how it went."""

    step: Callable[[sqlite3.Connection], T]
    key: Key | None
    """What it writes, for those who wait for that."""
    outcome: asyncio.Future[T]
    result: T | None = None
    error: Exception | None = None


class Writer:
    """Carries out steps in their order. To be called from the event loop that made it.

    Each step has a savepoint, so that one that raises an error is undone without the others; a failure of the whole
    transaction is everybody's. Nobody is told anything before the transaction is durable.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, wakes: Wakes) -> None:
        self._path = path
        self._connection = connection
        self._wakes = wakes
        self._is_closed = False
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[_Job[Any] | None] = SimpleQueue()
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
        self._jobs.put(_Job(step, key, outcome))
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

    def _next_batch(self) -> Sequence[_Job[Any] | None]:
        """Return all that waits, at least one; None, which comes last, ends the work."""
        batch = [self._jobs.get()]
        with suppress(Empty):
            while batch[-1] and len(batch) < MAX_BATCH:
                batch.append(self._jobs.get_nowait())
        return batch

    def _carry_out(self, jobs: Sequence[_Job[Any]]) -> None:
        try:
            database.begin(self._connection)
            for job in jobs:
                self._attempt(job)
            self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - handed to those who wait
            self._undo()
            for job in jobs:
                job.error = database.described(self._path, error)

    def _attempt(self, job: _Job[Any]) -> None:
        self._connection.execute("SAVEPOINT step")
        try:
            job.result = job.step(self._connection)
        except Exception as error:
            # Some failures, such as a full disk, end the whole transaction.
            if not self._connection.in_transaction:
                raise
            job.error = database.described(self._path, error)
            self._connection.execute("ROLLBACK TO step")
        self._connection.execute("RELEASE step")

    def _undo(self) -> None:
        with suppress(sqlite3.Error):
            self._connection.rollback()

    def _deliver(self, jobs: Sequence[_Job[Any]]) -> None:
        for job in jobs:
            if job.key:
                self._wakes.wake(job.key)
            if job.outcome.done():
                continue
            if job.error:
                job.outcome.set_exception(job.error)
            else:
                job.outcome.set_result(job.result)
