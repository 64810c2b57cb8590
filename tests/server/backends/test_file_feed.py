"""What processes tell each other of their commits, also those that are killed."""

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, create_subprocess_exec
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sessionstore.errors import DataCorruptionError, PositionExpiredError
from sessionstore_server.backends.base import Change, FeedEntry, Key
from sessionstore_server.backends.file import FileBackend, feed, feed_writer
from sessionstore_server.backends.file.feed_writer import FeedWriter

Opened = Callable[..., AbstractAsyncContextManager[FileBackend]]

WRITER = Path(__file__).with_name("writer.py")
HOT = Key("default", "sessions", "hot")
OTHER = Key("default", "sessions", "other")


class Watcher:
    """Follows the sessions of a backend from now on."""

    def __init__(self, backend: FileBackend, position: str) -> None:
        self.backend = backend
        self.position = position

    @classmethod
    async def at(cls, backend: FileBackend) -> "Watcher":
        return cls(backend, (await backend.feed("default", "sessions", None, 100)).position)

    async def news(self, limit: int = 1000) -> list[tuple[str, int]]:
        told = await self.backend.feed("default", "sessions", self.position, limit)
        self.position = told.position
        return [(entry.id, entry.revision) for entry in told.entries]


def rows(root: Path) -> list[Path]:
    return list((root / ".feed" / feed_writer.boot()).iterdir())


def told_of(key: Key, revision: int, *, deleted: bool = False) -> FeedEntry:
    return FeedEntry(key.id, revision, datetime.now(UTC), deleted)


async def test_a_watcher_of_two_processes(root: Path, files: FileBackend) -> None:
    """Each commit is told once, in order, and only when it can be seen."""
    watcher = await Watcher.at(files)
    writers = [
        await create_subprocess_exec(sys.executable, WRITER, "count", root, "100", stdin=PIPE, stdout=PIPE)
        for _ in range(2)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert await writer.stdout.readline() == b"ready\n"
    writing = asyncio.gather(*(writer.communicate(b"go\n") for writer in writers))
    seen: list[tuple[str, int]] = []
    while not writing.done() or len(seen) < 200:
        seen += await watcher.news(limit=7)
        view = await files.read(HOT)
        assert (view.revision if view else 0) >= len(seen)
    assert seen == [("hot", revision) for revision in range(1, 201)]
    assert await watcher.news() == []
    assert len(rows(root)) == 2


async def test_a_process_goes_on_with_the_row_of_one_that_ended(opened: Opened, root: Path, key: Key) -> None:
    async with opened() as backend:
        await backend.commit(key, Change())
        watcher = await Watcher.at(backend)
        await backend.commit(key, Change())
    [row] = rows(root)
    [file] = row.glob("*.jsonl")
    with file.open("ab") as torn:
        torn.write(b'{"at":12')
    async with opened() as backend, opened() as another:
        assert (await backend.commit(key, Change())).revision == 3
        await another.commit(key, Change())
        watcher.backend = another
        assert await watcher.news() == [("one", 2), ("one", 3), ("one", 4)]
    assert len(rows(root)) == 2


async def test_a_commit_that_is_under_way_is_waited_for(
    files: FileBackend, root: Path, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing behind it is told, since that may be of the same key."""
    await files.commit(key, Change())
    watcher, elsewhere = await Watcher.at(files), FeedWriter(root)
    with elsewhere.telling(key, told_of(key, 2)):
        await files.commit(OTHER, Change())
        assert await watcher.news() == []
        monkeypatch.setattr(feed, "SETTLE_SECONDS", 0.01)
        late = await Watcher.at(files)
        await files.commit(key, Change())
        assert await watcher.news() == [("one", 2), ("other", 1), ("one", 2)]
        assert await late.news() == [("one", 2), ("one", 2)]
    elsewhere.close()


@pytest.mark.parametrize("is_killed", [True, False])
async def test_a_commit_that_failed_is_passed_over(files: FileBackend, root: Path, key: Key, is_killed: bool) -> None:
    await files.commit(key, Change())
    watcher, elsewhere = await Watcher.at(files), FeedWriter(root)
    with contextlib.suppress(OSError), elsewhere.telling(key, told_of(key, 2)):
        await files.commit(OTHER, Change())
        if is_killed:
            elsewhere.close()
            assert await watcher.news() == [("other", 1)]
        raise OSError
    if not is_killed:
        assert await watcher.news() == [("other", 1)]
        elsewhere.close()
    assert await (await Watcher.at(files)).news() == []


async def test_a_deletion_is_told_after_the_sweep(files: FileBackend, key: Key) -> None:
    await files.commit(key, Change())
    watcher = await Watcher.at(files)
    await files.delete(key)
    await files.sweep_deleted(0)
    told = await files.feed("default", "sessions", watcher.position, 9)
    assert [(entry.id, entry.revision, entry.deleted) for entry in told.entries] == [("one", 2, True)]


async def test_a_damaged_key_is_told_of(files: FileBackend, folder: Path, key: Key) -> None:
    watcher = await Watcher.at(files)
    await files.commit(key, Change())
    (folder / "commits.jsonl").write_bytes(b"damaged\n")
    assert await watcher.news() == [("one", 1)]


async def test_old_entries_are_dropped(opened: Opened, root: Path, key: Key, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_writer, "FEED_KEPT", 10)
    async with opened() as backend:
        await backend.commit(key, Change())
        watcher, late = await Watcher.at(backend), await Watcher.at(backend)
        for _ in range(19):
            await backend.commit(key, Change())
        assert await watcher.news() == [("one", revision) for revision in range(2, 21)]
        await backend.commit(key, Change())
    async with opened() as backend:
        with pytest.raises(PositionExpiredError):
            await backend.feed("default", "sessions", late.position, 9)
        watcher.backend = backend
        for _ in range(9):
            await backend.commit(key, Change())
        assert await watcher.news() == [("one", revision) for revision in range(21, 31)]
    [row] = rows(root)
    assert len(list(row.glob("*.jsonl"))) == 2


async def test_positions_of_before_the_machine_started(
    opened: Opened, root: Path, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened() as backend:
        await backend.commit(key, Change())
        watcher = await Watcher.at(backend)
    later = "0" * 36
    for module in (feed, feed_writer):
        monkeypatch.setattr(module, "boot", lambda: later)
    async with opened() as backend:
        with pytest.raises(PositionExpiredError):
            await backend.feed("default", "sessions", watcher.position, 9)
        watcher = await Watcher.at(backend)
        await backend.commit(key, Change())
        watcher.backend = backend
        assert await watcher.news() == [("one", 2)]
    assert [path.name for path in (root / ".feed").iterdir()] == [later]


async def test_a_damaged_line_is_named(files: FileBackend, root: Path, key: Key) -> None:
    watcher = await Watcher.at(files)
    await files.commit(key, Change())
    [row] = rows(root)
    (row / "0.jsonl").write_bytes(b"damaged\n")
    with pytest.raises(DataCorruptionError, match=f"{row} place 0"):
        await watcher.news()
