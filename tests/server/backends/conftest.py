"""Backends to test: each test of the shared rules runs on every one."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from sessionstore_server.backends.base import Backend, Key
from sessionstore_server.backends.file import FileBackend, RecordCodec
from sessionstore_server.backends.file import folder as folders
from sessionstore_server.backends.keyvalue import KeyValueBackend, KeyValues, Write
from sessionstore_server.backends.memory import MemoryBackend

SHARED_KINDS = ["file", "sqlite", "postgres", "keyvalue"]
"""What several backend objects can use at the same time; what was stored is still there after a reopening."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test on every kind of backend, or on the shared ones if it needs `another`."""
    if "kind" in metafunc.fixturenames:
        metafunc.parametrize("kind", SHARED_KINDS if "another" in metafunc.fixturenames else ["memory", *SHARED_KINDS])


@pytest.fixture
def storage(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[], Backend]:
    """Makes backends that are not open yet, all on the same storage."""
    match kind:
        case "file":
            return partial(FileBackend, tmp_path / "root")
        case "sqlite":
            from sessionstore_server.backends.sqlite import SqliteBackend

            return partial(SqliteBackend, tmp_path / "store.db")
        case "postgres":
            from sessionstore_server.backends.postgres import PostgresBackend

            return partial(PostgresBackend, request.getfixturevalue("postgres_dsn")())
        case "keyvalue":
            new_engine = request.getfixturevalue("new_engine")
            return lambda: KeyValueBackend(new_engine())
        case _:
            return MemoryBackend


class DictKeyValues(KeyValues):
    """The least engine: a dictionary that several of them may share. Each call lets others go first."""

    def __init__(self, space: dict[bytes, bytes]) -> None:
        self.space = space

    async def open(self) -> None:
        pass

    async def aclose(self) -> None:
        pass

    async def get(self, keys: Collection[bytes]) -> Mapping[bytes, bytes]:
        await asyncio.sleep(0)
        return {key: self.space[key] for key in keys if key in self.space}

    async def scan(self, first: bytes, last: bytes, limit: int) -> Sequence[tuple[bytes, bytes]]:
        await asyncio.sleep(0)
        return sorted((key, value) for key, value in self.space.items() if first <= key < last)[:limit]

    async def write(self, write: Write) -> bool:
        await asyncio.sleep(0)
        assert not write.puts.keys() & write.deletes
        if any(self.space.get(key) != value for key, value in write.conditions.items()):
            return False
        for key in write.deletes:
            self.space.pop(key, None)
        self.space.update(write.puts)
        return True


@pytest.fixture
def new_engine() -> Callable[[], DictKeyValues]:
    """Makes engines on one space."""
    return partial(DictKeyValues, {})


@pytest.fixture
async def backend(storage: Callable[[], Backend]) -> AsyncIterator[Backend]:
    backend = storage()
    await backend.open()
    yield backend
    await backend.aclose()


@pytest.fixture
async def another(backend: Backend, storage: Callable[[], Backend]) -> AsyncIterator[Backend]:  # noqa: ARG001
    """A second backend on the storage of `backend`, as another process would open it."""
    another = storage()
    await another.open()
    yield another
    await another.aclose()


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
def believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every stamp be believed at once, as if the last change were long ago."""
    monkeypatch.setattr(folders, "_STAMP_GRAIN_NS", -(1 << 62))


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
