"""Which reads of the SQLite backend need no thread, and that they see what all others see."""

import sqlite3
from collections.abc import AsyncIterator, Coroutine
from contextlib import closing
from pathlib import Path

import pytest
from tests.server.backends import busy_threads

from sessionstore.errors import StorageError
from sessionstore_server.backends.base import Change, Key, LogRange, Splice, View
from sessionstore_server.backends.sqlite import SqliteBackend
from sessionstore_server.backends.sqlite.readers import THREADS
from sessionstore_server.backends.sqlite.short_reads import MAX_BYTES, MAX_KNOWN, MAX_RECORDS, ShortReads

KEY, OTHER = Key("default", "sessions", "one"), Key("default", "sessions", "other")
TURN = Change({"session": b"state"}, {"messages": Splice([b"hello"] * 4)})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
async def backend(path: Path) -> AsyncIterator[SqliteBackend]:
    backend = SqliteBackend(path)
    await backend.open()
    yield backend
    await backend.aclose()


async def needs_thread(backend: SqliteBackend, reading: Coroutine[None, None, object]) -> bool:
    assert backend._opened is not None
    return await busy_threads.needs_thread(backend._opened.readers.submit, THREADS, reading)


async def read(backend: SqliteBackend, start: int, *names: str) -> View:
    view = await backend.read(KEY, names, {"messages": LogRange(start)})
    assert view is not None
    return view


async def test_what_was_read_before_needs_no_thread(backend: SqliteBackend) -> None:
    await backend.commit(KEY, TURN)
    await read(backend, 0, "session")
    await backend.commit(KEY, TURN)
    for _ in range(2):
        assert not await needs_thread(backend, read(backend, 4, "session"))
    view = await read(backend, 4, "session")
    assert (view.revision, view.documents, view.logs["messages"].length) == (2, {"session": b"state"}, 8)


async def test_that_a_key_is_absent_needs_no_thread(backend: SqliteBackend) -> None:
    assert await backend.read(OTHER, ["session"]) is None
    assert not await needs_thread(backend, backend.read(OTHER, ["session"]))
    assert await backend.read(OTHER, ["session"]) is None


@pytest.mark.parametrize(
    ("start", "names"),
    [
        pytest.param(0, ["session"], id="longer"),
        pytest.param(4, ["session", "more"], id="more names"),
        pytest.param(4, [], id="fewer names"),
    ],
)
async def test_another_read_has_a_thread(backend: SqliteBackend, start: int, names: list[str]) -> None:
    await backend.commit(KEY, Change({"session": b"state"}, {"messages": Splice([b"m"] * (MAX_RECORDS + 4))}))
    await read(backend, 4, "session")
    assert await needs_thread(backend, read(backend, start, *names))


async def test_what_became_large_has_a_thread(backend: SqliteBackend) -> None:
    await backend.commit(KEY, TURN)
    await read(backend, 4, "session")
    await backend.commit(KEY, Change({"session": b"s" * (MAX_BYTES + 1)}))
    await read(backend, 4, "session")
    assert await needs_thread(backend, read(backend, 4, "session"))


async def test_it_sees_what_another_process_does(backend: SqliteBackend, path: Path) -> None:
    other = SqliteBackend(path)
    await other.open()
    await backend.commit(KEY, TURN)
    await read(backend, 4, "session")
    await other.commit(KEY, TURN)
    assert (await read(backend, 4, "session")).logs["messages"].length == 8
    await other.delete(KEY)
    assert await backend.read(KEY, ["session"], {"messages": LogRange(4)}) is None
    await other.aclose()


async def test_it_leaves_nothing_behind_that_holds_up_others(backend: SqliteBackend) -> None:
    """A connection that is still in a transaction would go on to see the past."""
    await backend.commit(KEY, TURN)
    for turn in range(1, 20):
        assert (await read(backend, turn * 4, "session")).revision == turn
        await backend.commit(KEY, TURN)


async def test_its_errors_are_those_of_all(backend: SqliteBackend, path: Path) -> None:
    await backend.commit(KEY, TURN)
    await read(backend, 4, "session")
    with closing(sqlite3.connect(path)) as other:
        other.execute("DROP TABLE segments")
    with pytest.raises(StorageError, match="segments"):
        await read(backend, 4, "session")


async def test_it_does_not_wait_on_the_event_loop(backend: SqliteBackend) -> None:
    """Neither for other processes, nor to open the file again: a thread does."""
    await backend.commit(KEY, TURN)
    await read(backend, 4, "session")
    assert backend._opened is not None
    connection = backend._opened.readers._impatient
    assert connection.execute("PRAGMA busy_timeout").fetchone() == (0,)
    connection.close()
    assert await needs_thread(backend, read(backend, 4, "session"))


def test_what_is_known_is_bounded() -> None:
    short = ShortReads()
    for number in range(MAX_KNOWN + 1):
        short.note((Key("default", "sessions", f"{number}"), (), ()), None)
    assert len(short._known) == MAX_KNOWN
    assert not short.has((Key("default", "sessions", "0"), (), ()), {})
    assert short.has((Key("default", "sessions", f"{MAX_KNOWN}"), (), ()), {})
