"""Symbolic links inside the root are refused wherever they stand, and nothing outside is touched."""

from collections.abc import AsyncIterator, Awaitable
from hashlib import sha256
from pathlib import Path

import pytest

from sessionstore.errors import DataCorruptionError, SessionStoreError, StorageError
from sessionstore_server.backends.base import Change, Key, LogRange, Request, Splice, Summary
from sessionstore_server.backends.file import FileBackend

DIGEST = sha256(b"content").hexdigest()

PLACES = [
    "default",
    "default/sessions",
    "default/sessions/one",
    "default/sessions/one/commits.jsonl",
    "default/sessions/one/messages.1.jsonl",
    "default/sessions/one/blobs",
    "blobs",
    f"blobs/{DIGEST[:2]}",
    f"blobs/{DIGEST[:2]}/{DIGEST}",
]


async def content() -> AsyncIterator[bytes]:
    yield b"content"


def contents(folder: Path) -> dict[str, bytes | None]:
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.mark.parametrize("place", PLACES)
async def test_links_are_refused(files: FileBackend, root: Path, tmp_path: Path, key: Key, place: str) -> None:
    await files.put_blob(DIGEST, content())
    change = Change({"a": b"1"}, {"messages": Splice([b"1"])}, summary=Summary(b"s"), blobs=frozenset([DIGEST]))
    await files.commit(key, change)
    outside = tmp_path / "outside"
    outside.mkdir()
    (root / place).rename(outside / "moved")
    (root / place).symlink_to(outside / "moved")
    before = contents(outside)

    other = sha256(b"other").hexdigest()
    calls = (
        files.read(key, ["a"], {"messages": LogRange()}),
        files.commit(key, change),
        files.commit(key, Change({"a": b"2"}, {"messages": Splice([b"2"])}, blobs=frozenset([other]))),
        files.commit(Key("default", "sessions", "new"), change),
        files.put_blob(DIGEST, content()),
        get_blob(files),
        files.sweep_blobs(0),
        files.delete(key),
    )
    outcomes = [await outcome(call) for call in calls]
    refusals = {error.location for error in outcomes if isinstance(error, (StorageError, DataCorruptionError))}
    assert refusals == {str(root / place)}
    assert contents(outside) == before


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def outcome(call: Awaitable[object]) -> object:
    try:
        return await call
    except SessionStoreError as error:
        return error


async def get_blob(files: FileBackend) -> None:
    assert [piece async for piece in files.get_blob(DIGEST)] == [b"content"]


async def test_a_dangling_link_is_not_written_through(files: FileBackend, root: Path, tmp_path: Path, key: Key) -> None:
    await files.commit(key, Change({"a": b"1"}))
    (root / "default/sessions/one/messages.1.jsonl").symlink_to(tmp_path / "target")
    await files.commit(key, Change(logs={"messages": Splice([b"1"])}))
    (root / "elsewhere").symlink_to(tmp_path / "target")
    with pytest.raises(StorageError):
        await files.commit(Key("elsewhere", "sessions", "one"), Change({"a": b"1"}))
    assert names_in(tmp_path) == ["root"]


@pytest.mark.parametrize("place", ["blobs", ".work", ".deleted", ".feed", ".uploads"])
async def test_the_first_write_refuses_links(
    files: FileBackend, root: Path, tmp_path: Path, key: Key, place: str
) -> None:
    (tmp_path / "outside").mkdir()
    (root / place).symlink_to(tmp_path / "outside")
    calls = (
        files.put_blob(DIGEST, content()),
        files.extend_upload(DIGEST, 0, b"content"),
        files.commit(key, Change()),
        files.delete(key, request=Request("r", DIGEST)),
    )
    refusals = [error for error in [await outcome(call) for call in calls] if isinstance(error, StorageError)]
    assert refusals
    assert all(str(root / place) in str(error) for error in refusals)
    assert names_in(tmp_path / "outside") == []
