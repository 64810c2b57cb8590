"""What the files keep of past revisions, and for how long."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from hashlib import sha256
from pathlib import Path

import pytest

from sessionstore.errors import RevisionNotKeptError
from sessionstore_server.backends.base import REVISIONS_KEPT, Change, Key, LogRange, Splice
from sessionstore_server.backends.file import FileBackend, RecordCodec

Opened = Callable[..., AbstractAsyncContextManager[FileBackend]]

BIG = 3_000


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def replaced(number: int) -> Change:
    """Make a revision of which everything tells its number, with a log of its own file."""
    text = b"%d" % number
    return Change({"a": text * BIG}, {"l": Splice([text, text], keep=0)})


def holds_secrets(root: Path) -> bool:
    return any(b"secret" in path.read_bytes() for path in root.rglob("*") if path.is_file())


async def check_revision(backend: FileBackend, key: Key, number: int) -> None:
    view = await backend.read(key, ["a"], {"l": LogRange()}, revision=number)
    assert view is not None
    text = b"%d" % number
    assert (view.revision, view.documents["a"], list(view.logs["l"].records)) == (number, text * BIG, [text, text])


async def test_files_stay_as_long_as_a_kept_revision_has_them(files: FileBackend, folder: Path, key: Key) -> None:
    await files.commit(key, replaced(1))
    await files.commit(key, replaced(2))
    await files.commit(key, Change(logs={"l": None}))
    for _ in range(REVISIONS_KEPT - 3):
        await files.commit(key, Change({"a": b"later"}))
    assert names_in(folder) == ["commits.jsonl", "l.1.jsonl", "l.2.jsonl"]
    await files.commit(key, Change())
    assert names_in(folder) == ["commits.jsonl", "l.2.jsonl"]
    await files.commit(key, Change())
    assert names_in(folder) == ["commits.jsonl"]


async def test_every_kept_revision_of_a_file_that_was_written_anew(opened: Opened, folder: Path, key: Key) -> None:
    """Another process reads along, and a third one afterwards."""
    inodes = set()
    async with opened() as writer, opened() as reader:
        for number in range(1, 4 * REVISIONS_KEPT):
            await writer.commit(key, replaced(number))
            inodes.add((folder / "commits.jsonl").stat().st_ino)
            await check_revision(reader, key, max(1, number - REVISIONS_KEPT + 1))
            await check_revision(reader, key, number)
    assert len(inodes) > 1
    async with opened() as backend:
        kept = range(3 * REVISIONS_KEPT, 4 * REVISIONS_KEPT)
        assert [commit.revision for commit in await backend.history(key)] == list(kept)
        for number in kept:
            await check_revision(backend, key, number)
        with pytest.raises(RevisionNotKeptError):
            await backend.read(key, revision=kept[0] - 1)
    assert names_in(folder) == ["commits.jsonl", *sorted(f"l.{number}.jsonl" for number in kept)]


async def test_a_past_revision_while_another_process_writes(opened: Opened, key: Key) -> None:
    """Whoever reads what is about to be dropped gets all of it, or is told that it went."""
    async with opened() as writer, opened() as reader:
        for number in range(1, 100):
            await writer.commit(key, replaced(number))
            oldest = max(1, number - REVISIONS_KEPT + 1)
            try:
                await check_revision(reader, key, oldest - 1 or 1)
            except RevisionNotKeptError as error:
                assert error.revision < oldest  # noqa: PT017


async def test_a_torn_line_is_no_revision(opened: Opened, folder: Path, key: Key) -> None:
    async with opened() as backend:
        for number in (1, 2, 3):
            await backend.commit(key, replaced(number))
    whole = (folder / "commits.jsonl").read_bytes()
    (folder / "commits.jsonl").write_bytes(whole[:-1])
    async with opened() as backend:
        assert [commit.revision for commit in await backend.history(key)] == [1, 2]
        await check_revision(backend, key, 1)
        with pytest.raises(RevisionNotKeptError):
            await backend.read(key, revision=3)
        await backend.commit(key, replaced(3))
        for number in (1, 2, 3):
            await check_revision(backend, key, number)


async def test_nothing_stays_of_a_history_that_was_cut(
    opened: Opened, root: Path, folder: Path, key: Key, codec: RecordCodec
) -> None:
    """Neither when a blob was given up nor when the key was deleted."""
    secret = b'"a secret"'
    digest = sha256(b"blob").hexdigest()

    async def content() -> AsyncIterator[bytes]:
        yield b"blob"

    async with opened(codec) as backend:
        await backend.put_blob(digest, content())
        await backend.commit(key, Change({"a": secret}, {"l": Splice([secret])}, blobs=frozenset([digest])))
        await backend.commit(key, Change({"a": b"1"}, {"l": Splice([b"1"], keep=0)}))
        assert (await backend.read(key, revision=1)) is not None
        await backend.commit(key, Change(blobs=frozenset()))
        assert [commit.revision for commit in await backend.history(key)] == [3]
        assert names_in(folder) == ["blobs", "commits.jsonl", "l.2.jsonl"]
        assert not holds_secrets(root)
        await backend.commit(key, Change({"a": secret}, {"l": Splice([secret], keep=0)}))
        await backend.commit(key, Change({"a": b"1"}, {"l": Splice(keep=0)}))
        await backend.delete(key)
    assert not holds_secrets(root)


async def test_the_first_line_is_the_oldest_kept_revision(files: FileBackend, folder: Path, key: Key) -> None:
    """What is older is dropped when the file is written anew, not later than at twice its size."""
    for number in range(1, 200):
        await files.commit(key, Change({"a": b"%d" % number * BIG}))
    first, *rest = map(json.loads, (folder / "commits.jsonl").read_bytes().splitlines())
    assert first["revision"] > 200 - 2 * (REVISIONS_KEPT + 2)
    assert [line["revision"] for line in rest] == list(range(first["revision"] + 1, 200))
    assert "key" not in rest[0]
