"""What the file backend leaves of a deleted key, and for how long."""

import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from hashlib import sha256
from pathlib import Path

import pytest

from sessionstore.errors import DataCorruptionError, StorageError
from sessionstore_server.backends.base import Change, Key, LogRange, Query, Request, Splice, Summary
from sessionstore_server.backends.file import FileBackend, RecordCodec, lines
from sessionstore_server.backends.file.tombstones import KEPT_SECONDS

Opened = Callable[..., AbstractAsyncContextManager[FileBackend]]

ALL = LogRange()
DIGEST = sha256(b"").hexdigest()
SECRET = b'"a secret"'
FULL = Change({"a": SECRET}, {"l": Splice([SECRET])}, summary=Summary(SECRET), request=Request("make", DIGEST))
OTHER = Key("default", "sessions", "other")


async def put(backend: FileBackend, content: bytes) -> str:
    async def pieces() -> AsyncIterator[bytes]:
        yield content

    digest = sha256(content).hexdigest()
    await backend.put_blob(digest, pieces())
    return digest


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def note_of(root: Path) -> Path:
    [note] = (root / ".deleted").iterdir()
    return note


def make_older(root: Path, folder: Path, *, also_the_note: bool = True) -> None:
    """Let the deletion of `key` be more than a week ago."""
    commits = folder / "commits.jsonl"
    line = commits.read_bytes()
    members = json.loads(line)
    older = line.replace(members["commit_time"].encode(), b"2020-02-02T00:00:00.000000Z")
    commits.write_bytes(lines.sealed(older[: -lines.SEAL_BYTES]))
    if also_the_note:
        os.utime(note_of(root), (0, 0))


async def test_no_content_stays(opened: Opened, root: Path, folder: Path, key: Key, codec: RecordCodec) -> None:
    async with opened(codec) as backend:
        digest = await put(backend, b"a secret")
        await backend.commit(key, Change({"b": SECRET}, {"m": Splice([SECRET] * 3)}, blobs=frozenset([digest])))
        await backend.commit(key, FULL)
        await backend.delete(key)
    left = contents(root)
    kept = {str((folder / "commits.jsonl").relative_to(root)), str(note_of(root).relative_to(root)), ".incarnation"}
    assert {path for path in left if not path.startswith(".feed/")} == kept
    assert not any(b"secret" in content for content in left.values())
    assert json.loads(note_of(root).read_bytes()) == ["default", "sessions", "one"]
    [line] = (folder / "commits.jsonl").read_bytes().splitlines(keepends=True)
    assert len(line) < 500
    assert (json.loads(line)["revision"], json.loads(line)["deleted"]) == (3, True)


async def test_nor_of_one_that_was_made_again(
    opened: Opened, root: Path, folder: Path, key: Key, codec: RecordCodec
) -> None:
    async with opened(codec) as backend:
        for _ in range(3):
            await backend.commit(key, Change({"a": SECRET}, {"l": Splice([SECRET])}))
            await backend.delete(key)
        await backend.commit(key, Change(logs={"l": Splice([b"1"])}))
    assert not any(b"secret" in content for content in contents(root).values())
    assert names_in(folder) == ["commits.jsonl", "l.7.jsonl"]


async def test_deleting_what_is_absent_leaves_nothing(files: FileBackend, root: Path, key: Key) -> None:
    assert not await files.delete(key)
    assert set(contents(root)) == {".incarnation"}
    assert not (root / "default").exists()


@pytest.mark.parametrize("call", ["repeat", "another deletion", "commit"])
async def test_leftovers_of_a_killed_deletion(opened: Opened, root: Path, folder: Path, key: Key, call: str) -> None:
    """Killed after the commit line: the logs and links are still there, and go with the next call."""
    request = Request("r", DIGEST)
    async with opened() as backend:
        digest = await put(backend, b"content")
        await backend.commit(key, FULL)
        await backend.delete(key, request=request)
        (folder / "l.1.jsonl").write_bytes(b"a secret")
        (folder / "blobs").mkdir()
        (folder / "blobs" / digest).hardlink_to(root / "blobs" / digest[:2] / digest)
        match call:
            case "repeat":
                assert await backend.delete(key, request=request)
            case "another deletion":
                assert not await backend.delete(key)
            case "commit":
                await backend.commit(key, Change())
        assert names_in(folder) == ["blobs", "commits.jsonl"]
        assert names_in(folder / "blobs") == []


async def test_opening_sweeps_what_was_deleted_long_ago(opened: Opened, root: Path, folder: Path, key: Key) -> None:
    async with opened() as backend:
        await backend.commit(key, FULL)
        await backend.commit(OTHER, FULL)
        await backend.delete(key)
    async with opened():
        assert names_in(folder.parent) == ["one", "other"]
    make_older(root, folder)
    async with opened() as backend:
        assert names_in(folder.parent) == ["other"]
        assert list((root / ".deleted").iterdir()) == []
        assert (await backend.commit(key, FULL)).revision == 1
        assert (await backend.commit(OTHER, Change())).revision == 2


async def test_a_key_that_was_deleted_again_is_kept(opened: Opened, root: Path, folder: Path, key: Key) -> None:
    async with opened() as backend:
        await backend.commit(key, FULL)
        await backend.delete(key)
    os.utime(note_of(root), (0, 0))
    async with opened() as backend:
        assert names_in(folder.parent) == ["one"]
        assert (await backend.commit(key, Change())).revision == 3
    os.utime(note_of(root), (0, 0))
    async with opened() as backend:
        assert list((root / ".deleted").iterdir()) == []
        assert await backend.read(key) is not None
        await backend.delete(key)
    make_older(root, folder, also_the_note=False)
    async with opened():
        assert names_in(folder.parent) == ["one"]


def test_the_age_at_opening() -> None:
    assert KEPT_SECONDS == 7 * 86_400


async def test_notes_that_are_not_readable(
    opened: Opened, root: Path, folder: Path, key: Key, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened() as backend:
        await backend.commit(key, FULL)
        await backend.delete(key)
        (root / ".deleted" / "half").write_bytes(b'["default",')
        (root / ".deleted" / "other").write_bytes(b'["default", "sessions", 1]')
        (root / ".deleted" / "link").symlink_to(tmp_path)
        (root / ".deleted" / "absent").write_bytes(b'["a", "b", "c"]')
        assert await backend.sweep_deleted(0) == 1
    assert names_in(folder.parent) == []
    for name in ("half", "other", "link"):
        assert f"passed over the note of a deleted key: {root}/.deleted/{name}" in caplog.text


async def test_a_damaged_tombstone_is_left(
    files: FileBackend, folder: Path, key: Key, caplog: pytest.LogCaptureFixture
) -> None:
    for one in (key, OTHER):
        await files.commit(one, FULL)
        await files.delete(one)
    (folder / "commits.jsonl").write_bytes(b"damaged\n")
    assert await files.sweep_deleted(0) == 1
    assert (folder / "commits.jsonl").read_bytes() == b"damaged\n"
    assert f"left what remains of a deleted key: {folder}/commits.jsonl" in caplog.text
    with pytest.raises(DataCorruptionError):
        await files.read(key)


async def test_deleting_a_damaged_key(files: FileBackend, folder: Path, key: Key) -> None:
    """The revision and the ledger start anew; this deletion itself is remembered."""
    request = Request("r", DIGEST)
    for _ in range(3):
        await files.commit(key, Change({"a": b"1"}, {"l": Splice([b"1"])}))
    (folder / "commits.jsonl").write_bytes(b"damaged\n")
    with pytest.raises(DataCorruptionError):
        await files.delete(key, expected_revision=3)
    assert names_in(folder) == ["commits.jsonl", "l.1.jsonl"]
    assert await files.delete(key, request=request)
    assert await files.delete(key, request=request)
    assert names_in(folder) == ["commits.jsonl"]
    assert (await files.commit(key, FULL)).revision == 2


@pytest.mark.parametrize("damage", [b"", b"damaged\n"])
async def test_a_deletion_that_fails_removes_nothing(
    files: FileBackend, root: Path, folder: Path, key: Key, damage: bytes
) -> None:
    await files.commit(key, FULL)
    before = contents(folder) | ({"commits.jsonl": damage} if damage else {})
    (folder / "commits.jsonl").write_bytes(before["commits.jsonl"])
    (root / ".deleted").write_bytes(b"")
    with pytest.raises(StorageError, match="deleted"):
        await files.delete(key)
    assert contents(folder) == before


async def test_a_reader_that_knew_the_key(opened: Opened, key: Key) -> None:
    """Another process deletes the key and makes it again, with files of the same names."""
    async with opened() as reader, opened() as writer:
        for number in range(1, 12, 2):
            record = b"%d" % number
            await writer.commit(key, Change({"a": record}, {"l": Splice([record])}, summary=Summary(record)))
            view = await reader.read(key, ["a"], {"l": ALL})
            assert view is not None
            assert (view.revision, view.documents["a"], list(view.logs["l"].records)) == (number, record, [record])
            await writer.delete(key)
            assert await reader.read(key) is None
            assert await reader.list("default", "sessions", Query(), None, 9) == []
