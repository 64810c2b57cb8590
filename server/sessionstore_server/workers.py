"""Serves one port with several processes: starts them, replaces those that end, and ends them together.

A worker is a process whose standard input is a connection to its supervisor. There it says that it listens, and it
drains when the connection ends: because the supervisor lets go of it, or was killed.
"""

import asyncio
import os
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Self

import structlog

from sessionstore.errors import InternalError
from sessionstore_server.server import cannot_listen, split_address

_STARTS = 5
"""How often a worker that ended is started in vain before everything ends."""
_STEADY_SECONDS = 10.0
"""A worker that listened so long did not end because of how it started."""
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 10.0
_CLOSING_SECONDS = 10.0
"""How long a worker may take to end, beyond the time that its calls have."""

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Running:
    """The process of a worker, and the connection to it."""

    process: Process
    reader: asyncio.StreamReader
    connection: asyncio.StreamWriter

    @classmethod
    async def spawn(cls, command: Sequence[str]) -> Self:
        ours, theirs = socket.socketpair()
        connection = await asyncio.open_connection(sock=ours)
        with theirs:
            # In a group of its own it is spared what a terminal sends: its supervisor decides when it ends.
            process = await asyncio.create_subprocess_exec(*command, stdin=theirs.fileno(), process_group=0)
        return cls(process, *connection)

    async def listens(self) -> bool:
        """Wait until the process listens, or has ended before."""
        return await self.reader.readline() != b""

    async def ended(self) -> int:
        """Return the status of the process once it has ended."""
        status = await self.process.wait()
        self.connection.close()
        return status

    async def kill(self) -> None:
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.ended()


class _Worker:
    """Keeps one process running that `command` starts; its calls have `grace_seconds` to end."""

    def __init__(self, number: int, command: Sequence[str], grace_seconds: float) -> None:
        self._command = command
        self._drain_seconds = grace_seconds + _CLOSING_SECONDS
        self._name, self._log = f"worker {number}", _log.bind(worker=number)
        self.listening = asyncio.Event()

    async def keep(self) -> None:
        """Replace the process whenever it ends, until cancelled; then let it drain.

        Errors: InternalError when the first process does not start, or later ones do not, again and again.
        """
        clock, pause = asyncio.get_running_loop().time, _FIRST_PAUSE_SECONDS
        running = await self._start()
        try:
            while True:
                started = clock()
                self._log.error("worker ended", status=await running.ended())
                steady = clock() - started >= _STEADY_SECONDS
                pause = _FIRST_PAUSE_SECONDS if steady else _longer(pause)
                running = await self._start_again(pause)
        finally:
            await self._drain(running)

    async def _start(self) -> _Running:
        """Return the process once it listens."""
        try:
            running = await _Running.spawn(self._command)
        except OSError as error:
            raise InternalError(self._name, f"its process cannot be made: {error}") from error
        try:
            listens = await running.listens()
        except asyncio.CancelledError:
            await running.kill()
            raise
        if not listens:
            problem = f"it ended with status {await running.ended()} before it listened; its log tells why"
            raise InternalError(self._name, problem)
        self._log.info("worker listens", pid=running.process.pid)
        self.listening.set()
        return running

    async def _start_again(self, pause: float) -> _Running:
        for _ in range(_STARTS - 1):
            await asyncio.sleep(pause)
            try:
                return await self._start()
            except InternalError as error:
                self._log.error("worker did not start", problem=error.problem)
            pause = _longer(pause)
        await asyncio.sleep(pause)
        return await self._start()

    async def _drain(self, running: _Running) -> None:
        if running.process.returncode is not None:
            return
        running.connection.close()
        try:
            async with asyncio.timeout(self._drain_seconds):
                if status := await running.ended():
                    self._log.error("worker ended", status=status)
        except TimeoutError:
            self._log.error("worker killed, since it did not drain")
            await running.kill()


def _longer(pause: float) -> float:
    return min(2 * pause, _LONGEST_PAUSE_SECONDS)


async def supervise(commands: Sequence[Sequence[str]], grace_seconds: float, started: Callable[[], None]) -> None:
    """Keep a worker running with each command, until cancelled; then, or after an error, let all drain.

    Call `started` once all listen. Errors: InternalError when a worker does not start.
    """
    workers = [_Worker(number, command, grace_seconds) for number, command in enumerate(commands, 1)]
    try:
        async with asyncio.TaskGroup() as group:
            # The first one alone, since it may have to make the store.
            for some in (workers[:1], workers[1:]):
                for worker in some:
                    group.create_task(worker.keep())
                for worker in some:
                    await worker.listening.wait()
            started()
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None


async def obey_supervisor() -> None:
    """Tell the supervisor of this process that it listens; return when the supervisor lets go of it."""
    reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=os.dup(sys.stdin.fileno())))
    with suppress(ConnectionError):
        writer.write(b"listening\n")
        await reader.read()
    writer.close()


@contextmanager
def reserved_port(listen: str) -> Iterator[str]:
    """Keep the port of `listen` (0: any free one) for the workers; yield the address at which they are to listen.

    Errors: InvalidArgumentError when the address cannot be bound, or somebody listens there already.
    """
    host, port = split_address(listen)
    try:
        family, *_, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
        reservation = socket.socket(family, socket.SOCK_STREAM)
        # Not SO_REUSEPORT: that would join those who share the port already.
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reservation.bind(address)
    except OSError as error:
        raise cannot_listen(listen) from error
    with reservation:
        yield f"{host}:{reservation.getsockname()[1]}"
