"""The one thread of a backend that writes: all that waits goes into one transaction, and is synced once."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from sessionstore.errors import StoreClosedError
from sessionstore_server.backends.base import Key
from sessionstore_server.backends.sqlite import database
from sessionstore_server.backends.sqlite.jobs import Job
from sessionstore_server.backends.sqlite.writing import WritingConnection
from sessionstore_server.backends.wakes import Wakes

T = TypeVar("T")

_Job = Job[[WritingConnection], Any]

MAX_BATCH = 256
"""How many steps share a transaction at most."""


class Writer:
    """Carries out steps in their order. To be called from the event loop that made it.

    A step that raises an error has written nothing, as a rule, and then does not disturb the others; else each is done
    again in a transaction of its own. A failure to commit is everybody's. Nobody is told anything before the
    transaction is durable.
    """

    def __init__(self, path: Path, connection: WritingConnection, wakes: Wakes) -> None:
        self._path = path
        self._connection = connection
        self._wakes = wakes
        self._is_closed = False
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_Job] = []
        self._is_busy = False
        self._batches: SimpleQueue[Sequence[_Job] | None] = SimpleQueue()
        # As a daemon it does not keep a program alive that forgot to close; a commit that is cut off never was.
        self._thread = Thread(target=self._run, name="sessionstore-sqlite-writer", daemon=True)
        self._thread.start()

    async def write(self, step: Callable[[WritingConnection], T], key: Key | None = None) -> T:
        """Carry out a step durably and return its result; wake those who wait for `key`.

        Errors: those of the step; StorageError; StoreClosedError.
        """
        if self._is_closed:
            raise StoreClosedError("sqlite")
        outcome: asyncio.Future[T] = self._loop.create_future()
        self._waiting.append(Job(step, outcome, key))
        self._go_on()
        return await outcome

    async def aclose(self) -> None:
        """Carry out what waits, and end."""
        self._is_closed = True
        while self._waiting:
            self._hand_over()
        self._batches.put(None)
        await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(self._connection.close)

    def _go_on(self) -> None:
        """Give the thread, if it is idle, what waits by the time that everybody who can go on has done so."""
        if self._waiting and not self._is_busy:
            self._is_busy = True
            self._loop.call_soon(self._hand_over)

    def _hand_over(self) -> None:
        batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
        if batch:
            self._batches.put(batch)

    def _run(self) -> None:
        while jobs := self._batches.get():
            self._carry_out(jobs)
            # Nobody waits any more when the loop is closed.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._deliver, jobs)
            # They hold what was written.
            del jobs

    def _carry_out(self, jobs: Sequence[_Job]) -> None:
        try:
            database.patiently(self._connection.begin)
            is_whole = all(map(self._attempt, jobs))
            if is_whole:
                self._connection.finish()
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
        job.error, written = None, self._connection.written
        try:
            job.result = job.work(self._connection)
        except Exception as error:  # noqa: BLE001 - handed to those who wait
            job.error = database.described(self._path, error)
        return job.error is None or (self._connection.in_transaction and self._connection.written == written)

    def _undo(self) -> None:
        with suppress(sqlite3.Error):
            self._connection.rollback()

    def _deliver(self, jobs: Sequence[_Job]) -> None:
        self._is_busy = False
        for job in jobs:
            if job.key:
                self._wakes.wake(job.key)
            job.tell()
        self._go_on()
