"""The processes that are measured: servers of their own, and what they use."""

import asyncio
import os
import resource
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.recorded import REPOSITORY

ECHO = ("bench.echo_server",)


def serve(url: str) -> tuple[str, ...]:
    """Return the module and arguments that serve a store."""
    return ("sessionstore_server.cli", "serve", "--store", url, "--listen", "127.0.0.1:0", "--log-level", "error")


@dataclass(frozen=True)
class Server:
    """A server in a process of its own."""

    address: str
    pid: int


@asynccontextmanager
async def running(*module: str) -> AsyncIterator[Server]:
    """Run a module that prints the address at which it serves, until the block ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *module, stdout=PIPE, stderr=PIPE, cwd=REPOSITORY
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        line = (await process.stdout.readline()).decode()
        if not line.startswith("listening on "):
            raise RuntimeError((await process.stderr.read()).decode().strip() or f"{module[0]} did not start")
        yield Server(line.removeprefix("listening on ").strip(), process.pid)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


class CpuClock:
    """Tells how much processor time this process has used, and others with those that they started; on Linux only."""

    def __init__(self, processes: Mapping[str, int]) -> None:
        self._processes = {"client": os.getpid(), **processes}
        self.seconds = dict.fromkeys(self._processes, 0.0)
        """What was counted: of this process as `client`, and of the others by their names."""
        self._begun: dict[str, dict[int, float]] = {}

    def start(self) -> None:
        """Begin to count."""
        trees = {name: _tree(pid) for name, pid in self._processes.items()}
        self._begun = {name: {pid: _cpu_seconds(pid) for pid in pids} for name, pids in trees.items()}

    def stop(self) -> None:
        """Add what was used since the start."""
        for name, begun in self._begun.items():
            self.seconds[name] += sum(max(0.0, _cpu_seconds(pid) - before) for pid, before in begun.items())


def resident_bytes(pid: int) -> int:
    """Return how much memory a process has; on Linux only."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def pin(pid: int, processors: Collection[int]) -> None:
    """Keep a process, those that it started, and what threads they have, on these processors; on Linux only."""
    for process in _tree(pid):
        for thread in Path(f"/proc/{process}/task").iterdir():
            os.sched_setaffinity(int(thread.name), processors)


def thread_seconds(pid: int) -> dict[int, float]:
    """Return the processor time of each thread of a process, to a hundredth of a second; on Linux only."""
    # Behind the name, which may hold anything.
    files = Path(f"/proc/{pid}/task").glob("*/stat")
    fields = {int(file.parent.name): file.read_text().rpartition(")")[2].split() for file in files}
    return {thread: sum(map(int, found[11:13])) / os.sysconf("SC_CLK_TCK") for thread, found in fields.items()}


def _tree(pid: int) -> list[int]:
    """Return a process and those that it started, of which this one's have clocks of their own."""
    if pid == os.getpid():
        return [pid]
    children = " ".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children"))
    return [pid, *map(int, children.split())]


def _cpu_seconds(pid: int) -> float:
    """Return the processor time of a process, to the nanosecond, also that of threads that have ended."""
    process_clock = (~pid << 3) | 2
    try:
        return time.clock_gettime(process_clock)
    except OSError:
        return 0.0
