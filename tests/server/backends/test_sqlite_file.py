"""What the SQLite backend opens and refuses, what is left in the file, and copies of it."""

import asyncio
import sqlite3
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from sessionstore.errors import (
    DataCorruptionError,
    InvalidArgumentError,
    PositionExpiredError,
    SessionStoreError,
    StorageError,
    UnsupportedVersionError,
)
from sessionstore_server.backends.base import (
    FEED_KEPT,
    REQUESTS_KEPT,
    REVISIONS_KEPT,
    Change,
    Key,
    LogRange,
    Origin,
    Request,
    Splice,
    Summary,
)
from sessionstore_server.backends.sqlite import SqliteBackend, backup

KEY = Key("default", "sessions", "one")
FORK = Key("default", "sessions", "two")
ALL = LogRange()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "store.db"


@pytest.fixture
async def backend(path: Path) -> AsyncIterator[SqliteBackend]:
    backend = SqliteBackend(path)
    await backend.open()
    yield backend
    await backend.aclose()


@pytest.fixture
def rows(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as connection:
        yield connection


def number_of(rows: sqlite3.Connection, table: str) -> int:
    return int(rows.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


async def refused(path: Path) -> SessionStoreError:
    with pytest.raises(SessionStoreError) as error:
        await SqliteBackend(path).open()
    return error.value


def stored_bytes(rows: sqlite3.Connection) -> int:
    """Return the size of the records of all logs."""
    return int(rows.execute("SELECT sum(length(content)) FROM batches").fetchone()[0])


def modes_in(folder: Path) -> dict[str, int]:
    return {one.name: stat.S_IMODE(one.stat().st_mode) for one in folder.iterdir()}


def damage(path: Path) -> None:
    """Overwrite what was written last."""
    content = path.read_bytes()
    path.write_bytes(content[:-50_000] + b"\xff" * 50_000)


async def test_the_file_is_private(backend: SqliteBackend, path: Path) -> None:
    await backend.commit(KEY, Change())
    assert modes_in(path.parent) == {"store.db": 0o600, "store.db-wal": 0o600, "store.db-shm": 0o600}


async def test_a_newer_schema(path: Path) -> None:
    backend = SqliteBackend(path)
    await backend.open()
    await backend.aclose()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    assert await refused(path) == UnsupportedVersionError(str(path), 99, 1)


@pytest.mark.parametrize("content", [b"something else", b"something else\n" * 1000])
def test_what_is_not_a_database(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    assert asyncio.run(refused(path)) == DataCorruptionError(str(path), "file is not a database")
    assert path.read_bytes() == content


def test_the_database_of_another_program(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    before = path.read_bytes()
    error = asyncio.run(refused(path))
    assert isinstance(error, DataCorruptionError)
    assert "another program" in error.problem
    assert path.read_bytes() == before


async def test_a_folder_in_place_of_the_file(tmp_path: Path) -> None:
    assert await refused(tmp_path) == StorageError(str(tmp_path), "Is a directory")


async def test_damaged_content(path: Path) -> None:
    backend = SqliteBackend(path)
    await backend.open()
    await backend.commit(KEY, Change(logs={"l": Splice([b"%04d" % number * 500 for number in range(100)])}))
    await backend.aclose()
    damage(path)
    await backend.open()
    with pytest.raises(DataCorruptionError, match="malformed"):
        await backend.read(KEY, logs={"l": ALL})
    await backend.aclose()


async def test_the_incarnation_stays(backend: SqliteBackend, path: Path) -> None:
    again = SqliteBackend(path)
    await again.open()
    assert again.incarnation == backend.incarnation
    await again.aclose()


async def test_what_no_kept_revision_has_goes(backend: SqliteBackend, rows: sqlite3.Connection) -> None:
    """A long log is removed, a shorter one is cut, a document is replaced; after that only another document is."""
    await backend.commit(KEY, Change({"d": b"1"}, {"gone": Splice([b"x"] * 50), "cut": Splice([b"y"] * 50)}))
    for number in range(10):
        await backend.commit(KEY, Change({"d": b"%d" % number}, summary=Summary(b"%d" % number)))
    await backend.commit(KEY, Change({"d": None}, {"gone": None, "cut": Splice([b"z"], keep=5)}))
    assert stored_bytes(rows) == 101
    for number in range(2 * REVISIONS_KEPT):
        await backend.commit(KEY, Change({"other": b"%d" % number}))
    assert stored_bytes(rows) == 6
    assert number_of(rows, "segments") == 2
    assert number_of(rows, "documents WHERE name = ''") == 1
    assert number_of(rows, "documents WHERE name = 'd'") == 0
    assert REVISIONS_KEPT <= number_of(rows, "documents WHERE name = 'other'") < 2 * REVISIONS_KEPT


async def test_the_ledger_and_the_feed_do_not_grow(backend: SqliteBackend, rows: sqlite3.Connection) -> None:
    position = (await backend.feed("default", "sessions", None, 1)).position
    commits = 2 * FEED_KEPT

    async def commit(number: int) -> None:
        digest = sha256(b"").hexdigest()
        await backend.commit(Key("default", "sessions", f"{number % 8}"), Change(request=Request(f"{number}", digest)))

    for start in range(0, commits, 500):
        await asyncio.gather(*(commit(number) for number in range(start, start + 500)))
    assert FEED_KEPT <= number_of(rows, "feed") < 1.2 * FEED_KEPT
    assert 8 * REQUESTS_KEPT <= number_of(rows, "requests") < 8 * 1.5 * REQUESTS_KEPT
    with pytest.raises(PositionExpiredError):
        await backend.feed("default", "sessions", position, 1)


async def test_forks_share_records_until_the_last_goes(backend: SqliteBackend, rows: sqlite3.Connection) -> None:
    await backend.commit(KEY, Change(logs={"l": Splice([b"x"] * 50)}))
    await backend.commit(FORK, Change(logs={"l": Splice([b"y"])}, origin=Origin(KEY, 1)))
    await backend.commit(KEY, Change(logs={"l": Splice([b"z"] * 9)}))
    assert stored_bytes(rows) == 60
    await backend.delete(KEY)
    assert stored_bytes(rows) == 51
    view = await backend.read(FORK, logs={"l": ALL})
    assert view is not None
    assert list(view.logs["l"].records) == [b"x"] * 50 + [b"y"]
    await backend.delete(FORK)
    assert number_of(rows, "batches") == number_of(rows, "segments") == 0


async def test_a_long_splice_is_read_from_anywhere(backend: SqliteBackend, rows: sqlite3.Connection) -> None:
    """It is stored in batches: of a few records, of many, and of a single one that is larger than a batch."""
    sizes = [30_000, 30_000, 30_000, 0, 1, 0, 100_000, 65_536, *[700] * 200]
    records = [bytes([number]) * size for number, size in enumerate(sizes)]
    await backend.commit(KEY, Change(logs={"l": Splice(records[:-1])}))
    await backend.commit(KEY, Change(logs={"l": Splice(records[-1:])}))
    assert number_of(rows, "batches") == 8
    positions = [*range(12), *range(90, 110), *range(200, 212), None]
    for start in positions[:-1]:
        for stop in positions:
            view = await backend.read(KEY, logs={"l": LogRange(start or 0, stop)})
            assert view is not None
            assert list(view.logs["l"].records) == records[start:stop]


async def test_the_content_of_a_batch_of_another_size(backend: SqliteBackend, rows: sqlite3.Connection) -> None:
    await backend.commit(KEY, Change(logs={"l": Splice([b"1", b"22"])}))
    rows.execute("UPDATE batches SET content = x'31'")
    rows.commit()
    with pytest.raises(DataCorruptionError, match="batch"):
        await backend.read(KEY, logs={"l": ALL})


async def test_the_summary_is_no_document(backend: SqliteBackend) -> None:
    await backend.commit(KEY, Change({"d": b"1"}, summary=Summary(b"s")))
    view = await backend.read(KEY, ["", "d"])
    assert view is not None
    assert view.documents == {"d": b"1"}


async def test_nothing_stays_of_what_was_swept(backend: SqliteBackend, rows: sqlite3.Connection) -> None:
    content = b"x" * 3_000_000
    digest = sha256(content).hexdigest()

    async def pieces() -> AsyncIterator[bytes]:
        yield content

    await backend.put_blob(digest, pieces())
    request = Request("r", digest)
    full = Change({"d": b"1"}, {"l": Splice([b"1"])}, Summary(b"s"), frozenset([digest]), request)
    await backend.commit(KEY, full)
    await backend.extend_upload(digest, 0, b"abc")
    await backend.delete(KEY)
    await backend.sweep_blobs(0)
    await backend.sweep_deleted(0)
    tables = rows.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    kept = {name for (name,) in tables if number_of(rows, name)}
    assert kept == {"meta", "feed", "sqlite_stat1", "sqlite_sequence"}


async def test_a_copy_while_others_write(backend: SqliteBackend, path: Path, tmp_path: Path) -> None:
    """Both keys are written in turn, so a copy of one moment has at most one round between them."""
    is_copied = asyncio.Event()

    async def write() -> int:
        number = 0
        while not is_copied.is_set() or number < 50:
            change = Change({"d": b"%d" % number}, {"l": Splice([b"%d" % number] * 20)})
            await backend.commit(KEY, change)
            await backend.commit(FORK, change)
            number += 1
        return number

    writing = asyncio.create_task(write())
    for number in range(5):
        await asyncio.to_thread(backup, path, tmp_path / f"copy-{number}.db")
    is_copied.set()
    await writing
    incarnations = {backend.incarnation}
    for number in range(5):
        copy = SqliteBackend(tmp_path / f"copy-{number}.db")
        await copy.open()
        await check_copy(copy)
        incarnations.add(copy.incarnation)
        await copy.aclose()
    assert len(incarnations) == 6
    assert modes_in(tmp_path).keys() == {*(f"copy-{number}.db" for number in range(5)), "folder"}


async def check_copy(copy: SqliteBackend) -> None:
    one, two = [await copy.read(key, ["d"], {"l": ALL}) for key in (KEY, FORK)]
    ahead, behind = one.revision if one else 0, two.revision if two else 0
    assert ahead - behind in (0, 1)
    for view in (one, two):
        if view:
            assert view.documents["d"] == b"%d" % (view.revision - 1)
            assert view.logs["l"].length == len(view.logs["l"].records) == 20 * view.revision
    assert (await copy.commit(KEY, Change())).revision == ahead + 1


async def test_positions_of_the_original_are_no_positions_of_a_copy(
    backend: SqliteBackend, path: Path, tmp_path: Path
) -> None:
    await backend.commit(KEY, Change())
    position = (await backend.feed("default", "sessions", None, 1)).position
    backup(path, tmp_path / "copy.db")
    copy = SqliteBackend(tmp_path / "copy.db")
    await copy.open()
    with pytest.raises(PositionExpiredError):
        await copy.feed("default", "sessions", position, 1)
    await copy.aclose()


async def test_copies_that_are_refused(backend: SqliteBackend, path: Path, tmp_path: Path) -> None:
    await backend.commit(KEY, Change())
    with pytest.raises(InvalidArgumentError, match="target"):
        backup(path, path)
    with pytest.raises(StorageError, match="no such file"):
        backup(tmp_path / "absent.db", tmp_path / "copy.db")
    with pytest.raises(StorageError):
        backup(path, tmp_path / "absent" / "copy.db")
    assert modes_in(tmp_path).keys() == {"folder"}


def test_no_copy_of_something_else(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"something else" * 1000)
    with pytest.raises(DataCorruptionError):
        backup(other, tmp_path / "copy.db")
    assert list(tmp_path.iterdir()) == [other]
