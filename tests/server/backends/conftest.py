"""Backends to test: each test of the shared rules runs on every one."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from sessionstore_server.backends.base import Backend, Key
from sessionstore_server.backends.file import FileBackend, RecordCodec
from sessionstore_server.backends.memory import MemoryBackend


@pytest.fixture(params=["memory", "file"])
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Backend]:
    backend: Backend = MemoryBackend() if request.param == "memory" else FileBackend(tmp_path / "root")
    await backend.open()
    yield backend
    await backend.aclose()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


@pytest.fixture
async def files(root: Path) -> AsyncIterator[FileBackend]:
    """The file backend on `root`."""
    backend = FileBackend(root)
    await backend.open()
    yield backend
    await backend.aclose()


@pytest.fixture
def opened(root: Path) -> Callable[..., AbstractAsyncContextManager[FileBackend]]:
    """Opens the file backend on `root`, as often as it is called."""

    @asynccontextmanager
    async def opened(codec: RecordCodec | None = None) -> AsyncIterator[FileBackend]:
        backend = FileBackend(root, codec)
        await backend.open()
        yield backend
        await backend.aclose()

    return opened


@pytest.fixture
def key() -> Key:
    return Key("default", "sessions", "one")


class JsonCodec:
    """Records that are JSON already; `bad` is none."""

    def to_json(self, collection: str, name: str, record: bytes) -> bytes:  # noqa: ARG002
        return record

    def from_json(self, collection: str, name: str, text: bytes) -> bytes:  # noqa: ARG002
        if text == b'"bad"':
            raise ValueError("a bad record")
        return text


@pytest.fixture
def codec() -> RecordCodec:
    return JsonCodec()


@pytest.fixture
def folder(root: Path) -> Path:
    """Where the file backend keeps `key`."""
    return root / "default" / "sessions" / "one"


@pytest.fixture
def written() -> Callable[[], int]:
    """Tell how many bytes this process has written since its start, over all files."""
    return partial(_io_counter, "wchar")


@pytest.fixture
def was_read() -> Callable[[], int]:
    """Tell how many bytes this process has read since its start, over all files."""
    return partial(_io_counter, "rchar")


def _io_counter(name: str) -> int:
    counters = Path("/proc/self/io")
    if not counters.exists():
        pytest.skip("this system does not count the bytes of a process")
    return int(dict(line.split(": ") for line in counters.read_text().splitlines())[name])
