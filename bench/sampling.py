"""Sampling a process from outside, with py-spy."""

import shutil
import signal
import sys
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

RATE = 500
"""Samples a second, of each thread."""


@asynccontextmanager
async def sampling(pid: int, output: Path) -> AsyncIterator[None]:
    """Sample a process until the block ends; then `output` holds its stacks with their counts."""
    process = await create_subprocess_exec(
        *(program(), "record", "--format", "raw", "--rate", str(RATE), "--threads", "--function"),
        *("--pid", str(pid), "--output", output),
        stdout=PIPE,
        stderr=PIPE,
    )
    assert process.stdout is not None
    if b"Sampling" not in await process.stdout.readline():
        _, error = await process.communicate()
        raise SystemExit(
            "py-spy may not look into other processes: run as root, or set kernel.yama.ptrace_scope to 0;"
            f" it says: {_last(error)}"
        )
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        _, error = await process.communicate()
    if process.returncode:
        raise SystemExit(f"py-spy failed: {_last(error)}")


def program() -> str:
    """Return where py-spy is. Errors: SystemExit when it is nowhere."""
    beside_python = str(Path(sys.executable).parent)
    program = shutil.which("py-spy", path=beside_python) or shutil.which("py-spy")
    if program is None:
        raise SystemExit("py-spy is not installed: pip install py-spy, or the extra `bench` of this project")
    return program


def _last(error: bytes) -> str:
    return " ".join(error.decode(errors="replace").split())[-300:] or "it gave no reason"
