"""Several processes on one file, processes that are killed, and a medium that takes no more."""

import asyncio
import json
import signal
import sqlite3
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from sessionstore.errors import StorageError
from sessionstore_server.backends.base import Change, Key, LogRange
from sessionstore_server.backends.sqlite import SqliteBackend, database

WRITER = Path(__file__).with_name("sqlite_writer.py")
HOT = Key("default", "sessions", "hot")
ROUNDS = 6
WORKERS = 4


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "store.db"


async def start(*arguments: object) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, WRITER, *map(str, arguments), stdin=PIPE, stdout=PIPE, stderr=PIPE
    )


async def started_together(*arguments: object, number: int) -> list[tuple[bytes, bytes]]:
    """Start so many processes, give them the word when all are ready, and return what they said after it."""
    processes = [await start(*arguments) for _ in range(number)]
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    return await asyncio.gather(*(process.communicate(b"go\n") for process in processes))


def names_in(folder: Path) -> list[str]:
    return [one.name for one in folder.iterdir()]


async def test_two_processes_count_together(path: Path) -> None:
    assert await started_together("count", path, 200, number=2) == [(b"", b"")] * 2
    backend = SqliteBackend(path)
    await backend.open()
    view = await backend.read(HOT, ["count"], {"values": LogRange()})
    await backend.aclose()
    assert view is not None
    assert (view.revision, view.documents["count"]) == (400, b"400")
    assert [int(value) for value in view.logs["values"].records] == list(range(400))


async def test_many_processes_make_and_leave_the_file_together(path: Path) -> None:
    """Whoever closes last removes what SQLite keeps beside the file, while others open it."""
    assert await started_together("opens", path, 30, number=4) == [(b"30\n", b"")] * 4
    assert names_in(path.parent) == ["store.db"]


async def test_what_was_acknowledged_outlives_a_kill(path: Path) -> None:
    acknowledged = [-1] * WORKERS
    for lines in range(1, 40 * ROUNDS, 40):
        writer = await start("endless", path)
        assert writer.stdout is not None
        said = [await writer.stdout.readline() for _ in range(lines)]
        writer.kill()
        rest, errors = await writer.communicate()
        assert (writer.returncode, errors) == (-signal.SIGKILL, b"")
        for line in [*said, *rest.splitlines()]:
            worker, number = map(int, line.split())
            acknowledged[worker] = number
        await check(path, acknowledged)
    assert min(acknowledged) > ROUNDS


async def check(path: Path, acknowledged: list[int]) -> None:
    backend = SqliteBackend(path)
    await backend.open()
    for worker, number in enumerate(acknowledged):
        await check_worker(backend, worker, number)
    await backend.aclose()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def check_worker(backend: SqliteBackend, worker: int, acknowledged: int) -> None:
    view = await backend.read(
        Key("default", "sessions", f"{worker}"), ["big"], {"values": LogRange(), "halves": LogRange()}
    )
    last = view.revision - 1 if view else -1
    assert last in (acknowledged, acknowledged + 1)
    if view is None:
        return
    assert [int(value) for value in view.logs["values"].records] == list(range(last + 1))
    assert view.documents["big"] == b"%d" % last * 2000
    assert view.logs["halves"].records[-1] == b"%d" % last
    content = b"%d of %d" % (last, worker)
    blob = backend.get_blob(sha256(content).hexdigest())
    assert b"".join([piece async for piece in blob]) == content


async def test_a_full_medium_changes_nothing(path: Path) -> None:
    """All that shared the transaction failed, and all of it can be done later."""
    writer = await start("limited", path)
    output, errors = await writer.communicate()
    assert errors == b""
    failures, seen, revision = json.loads(output)
    assert failures
    assert {tuple(failure) for failure in failures} == {(str(path), "disk I/O error")}
    assert seen == [1 + 4 - len(failures), 1]
    assert revision == seen[0] + 1


async def test_a_full_medium_is_not_healthy(path: Path) -> None:
    """Also when there is room for the few pages of a small write."""
    writer = await start("unhealthy", path)
    output, errors = await writer.communicate()
    assert errors == b""
    assert json.loads(output) == ["disk I/O error", 0]
    with closing(sqlite3.connect(path)) as rows:
        assert rows.execute("SELECT count(*) FROM blobs").fetchone() == (0,)


async def test_a_commit_waits_for_another_process(path: Path) -> None:
    backend = SqliteBackend(path)
    await backend.open()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = asyncio.create_task(backend.commit(HOT, Change({"a": b"1"})))
        # Reads go on meanwhile, and see nothing of it.
        assert await backend.read(HOT) is None
        assert not waiting.done()
        other.execute("COMMIT")
    assert (await waiting).revision == 1
    await backend.aclose()


async def test_a_process_that_never_ends_its_transaction(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = SqliteBackend(path)
    await backend.open()
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.0)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match="locked"):
            await backend.commit(HOT, Change({"a": b"1"}))
    assert (await backend.commit(HOT, Change())).revision == 1
    await backend.aclose()
