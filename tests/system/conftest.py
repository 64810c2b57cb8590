"""Server processes, started through the command line as people start them."""

import asyncio
import re
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sessionstore import RemoteSessionStore
from sessionstore_server.cli.app import app

CLI = (sys.executable, "-m", "sessionstore_server.cli")
START_SECONDS = 30
GOODBYE_SECONDS = 30


class ServerProcess:
    """`sessionstore serve` in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, address: str, log: Path) -> None:
        self._process, self.address, self._log = process, address, log

    @property
    def url(self) -> str:
        return f"grpc://{self.address}"

    @property
    def pid(self) -> int:
        return self._process.pid

    def store(self, **options: float) -> RemoteSessionStore:
        # A server that starts again, on a busy machine, is waited for.
        return RemoteSessionStore(self.address, **{"connect_seconds": START_SECONDS, **options})

    def send(self, number: int) -> None:
        self._process.send_signal(number)

    async def ended(self) -> tuple[int, str]:
        """Wait for the end of the process; return its status and what it printed after the line with the address."""
        async with asyncio.timeout(GOODBYE_SECONDS):
            output, _ = await self._process.communicate()
        assert self._process.returncode is not None
        return self._process.returncode, output.decode()

    async def stop(self, number: int = signal.SIGTERM) -> int:
        self.send(number)
        status, _ = await self.ended()
        return status

    def log(self) -> str:
        return self._log.read_text()

    async def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.communicate()


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Callable]:
    """Start a server over a store and return it once it listens; it ends with the test."""
    servers: list[ServerProcess] = []

    async def start(store: str = "memory:", *options: str, listen: str = "127.0.0.1:0") -> ServerProcess:
        log = tmp_path / f"server-{len(servers)}.log"
        with log.open("wb") as stderr:
            arguments = ("serve", "--store", store, "--listen", listen, *options)
            process = await asyncio.create_subprocess_exec(*CLI, *arguments, stdout=PIPE, stderr=stderr)
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        servers.append(ServerProcess(process, line.removeprefix("listening on ").strip(), log))
        assert re.fullmatch(r"listening on 127\.0\.0\.1:\d+\n", line), log.read_text()
        return servers[-1]

    yield start
    for server in servers:
        await server.kill()


@pytest.fixture
def run_cli() -> Callable:
    """Run the command line to its end; return its status, standard output and standard error."""

    async def run(*arguments: object) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(*CLI, *map(str, arguments), stdout=PIPE, stderr=PIPE)
        try:
            async with asyncio.timeout(GOODBYE_SECONDS):
                output, errors = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        return process.returncode, output.decode(), errors.decode()

    return run


@pytest.fixture
def call_cli() -> Callable:
    """Run the command line as `run_cli` does, but in this process: most of a second less for each of many calls."""

    async def call(*arguments: object) -> tuple[int, str, str]:
        done = await asyncio.to_thread(CliRunner().invoke, app, [*map(str, arguments)])
        return done.exit_code, done.stdout, done.stderr

    return call


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a file store."""
    return tmp_path / "data"
