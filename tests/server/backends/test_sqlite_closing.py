"""What the SQLite backend does with calls that are cut off: by closing it, or by cancelling them."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from sessionstore.errors import StorageError, StoreClosedError
from sessionstore_server.backends.base import BLOB_PIECE_BYTES, Change, Key, LogRange, Splice
from sessionstore_server.backends.sqlite import SqliteBackend

KEY = Key("default", "sessions", "one")
CONTENT = b"x" * (3 * BLOB_PIECE_BYTES)
DIGEST = sha256(CONTENT).hexdigest()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
async def backend(path: Path) -> AsyncIterator[SqliteBackend]:
    backend = SqliteBackend(path)
    await backend.open()
    yield backend
    await backend.aclose()


async def pieces() -> AsyncIterator[bytes]:
    yield CONTENT


async def test_what_was_asked_for_before_closing_is_done(backend: SqliteBackend) -> None:
    commits = [asyncio.create_task(backend.commit(KEY, Change())) for _ in range(50)]
    await asyncio.sleep(0)
    await backend.aclose()
    assert [commit.revision for commit in await asyncio.gather(*commits)] == list(range(1, 51))


async def test_closing_while_a_blob_comes(backend: SqliteBackend) -> None:
    is_closed = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield CONTENT
        await is_closed.wait()
        yield CONTENT

    putting = asyncio.create_task(backend.put_blob(DIGEST, slow()))
    await backend.check_health()
    await backend.aclose()
    is_closed.set()
    with pytest.raises(StoreClosedError):
        await putting


async def test_closing_while_a_blob_goes(backend: SqliteBackend, path: Path) -> None:
    await backend.put_blob(DIGEST, pieces())
    going = backend.get_blob(DIGEST)
    await anext(going)
    await backend.aclose()
    with pytest.raises(StoreClosedError):
        await anext(going)
    assert not path.with_name("store.db-wal").exists()


async def test_an_upload_that_was_swept_is_not_mixed_with_another(backend: SqliteBackend) -> None:
    is_swept = asyncio.Event()
    has_begun = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield CONTENT
        has_begun.set()
        await is_swept.wait()
        yield CONTENT

    putting = asyncio.create_task(backend.put_blob(sha256(CONTENT * 2).hexdigest(), slow()))
    await has_begun.wait()
    await backend.sweep_blobs(0)
    assert await backend.extend_upload(DIGEST, 0, b"y" * len(CONTENT)) == len(CONTENT)
    is_swept.set()
    with pytest.raises(StorageError, match="swept"):
        await putting


async def test_who_waits_is_woken_by_closing(backend: SqliteBackend) -> None:
    waiting = asyncio.create_task(backend.wait(KEY, 3600))
    await asyncio.sleep(0)
    await backend.aclose()
    await waiting


async def test_cancelled_reads_leave_no_trace(backend: SqliteBackend) -> None:
    """Whenever they are cancelled, and whatever their threads do at that moment."""
    await backend.commit(KEY, Change(logs={"l": Splice([b"x" * 100] * 2000)}))
    for rounds in range(40):
        reading = asyncio.create_task(backend.read(KEY, logs={"l": LogRange()}))
        for _ in range(rounds % 5):
            await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
    revision = (await backend.commit(KEY, Change())).revision
    views = await asyncio.gather(*(backend.read(KEY, logs={"l": LogRange()}) for _ in range(8)))
    assert [(view.revision, view.logs["l"].length) for view in views if view] == [(revision, 2000)] * 8


async def test_a_cancelled_read_of_a_snapshot_ends_after_its_thread(backend: SqliteBackend) -> None:
    """Else the connection would be given to the next one while it is still in use."""
    assert backend._opened is not None
    readers = backend._opened.readers
    loop, is_running, may_end = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def step(connection: sqlite3.Connection) -> None:  # noqa: ARG001
        loop.call_soon_threadsafe(is_running.set)
        may_end.wait()

    async def read() -> None:
        async with readers.snapshot() as snapshot:
            await snapshot.read(step)

    reading = asyncio.create_task(read())
    await is_running.wait()
    reading.cancel()
    for _ in range(10):
        await asyncio.sleep(0)
    ended_early = reading.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert not ended_early


async def test_a_cancelled_commit_is_whole_or_nothing(backend: SqliteBackend, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        commit = asyncio.create_task(backend.commit(KEY, Change({"a": b"1"}, {"l": Splice([b"1"])})))
        await asyncio.sleep(0)
        commit.cancel()
        with pytest.raises(asyncio.CancelledError):
            await commit
    await backend.check_health()
    view = await backend.read(KEY, ["a"], {"l": LogRange()})
    assert view is None or (dict(view.documents), view.logs["l"].length) == ({"a": b"1"}, 1)


async def test_a_blob_left_half_read_holds_nothing(backend: SqliteBackend, path: Path) -> None:
    """SQLite can only start its log anew when nobody reads an old state of it."""
    await backend.put_blob(DIGEST, pieces())
    going = backend.get_blob(DIGEST)
    await anext(going)
    assert checkpoint(path) == 1
    await going.aclose()
    assert checkpoint(path) == 0


def checkpoint(path: Path) -> int:
    """Move the log of SQLite into the file; return 1 if somebody still reads it."""
    with closing(sqlite3.connect(path, timeout=0)) as connection:
        return int(connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0])
