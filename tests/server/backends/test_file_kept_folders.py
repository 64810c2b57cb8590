"""Folders that are held open between commits never hide what happened to them meanwhile."""

import os
from pathlib import Path

import pytest

from sessionstore.errors import StorageError
from sessionstore_server.backends.base import Change, Key, Splice
from sessionstore_server.backends.file import FileBackend, kept_folders

ONE = Change({"a": b"1"}, {"l": Splice([b"1"])})


@pytest.fixture
async def folder(files: FileBackend, root: Path, key: Key) -> Path:
    """The folder of a key that was changed often enough to be held open."""
    await files.commit(key, ONE)
    path = root / key.namespace / key.collection / key.id
    # The clock of the file system is coarse; what is added from now on is added later.
    os.utime(path, (0, 0))
    await files.commit(key, ONE)
    assert open_folders(root) == {path}
    return path


def open_folders(root: Path) -> set[Path]:
    """Return the folders of sessions that this process holds open."""
    links = Path("/proc/self/fd").iterdir()
    targets = {link.readlink() for link in links if link.is_symlink()}
    return {target for target in targets if target.parent == root / "default" / "sessions"}


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*")}


@pytest.mark.usefixtures("folder")
async def test_a_key_that_was_swept_and_made_again(files: FileBackend, opened, key: Key) -> None:
    async with opened() as another:
        await another.delete(key)
        assert await another.sweep_deleted(0) == 1
        await another.commit(key, Change({"b": b"2"}))
    assert (await files.commit(key, Change({"c": b"3"}))).revision == 2
    view = await files.read(key, ["a", "b", "c"])
    assert view is not None
    assert view.documents == {"b": b"2", "c": b"3"}


@pytest.mark.parametrize("place", ["default", "default/sessions", "default/sessions/one"])
@pytest.mark.usefixtures("folder")
async def test_a_link_that_leads_to_the_same_folder_is_refused(
    files: FileBackend, root: Path, tmp_path: Path, key: Key, place: str
) -> None:
    (root / place).rename(tmp_path / "moved")
    (root / place).symlink_to(tmp_path / "moved")
    with pytest.raises(StorageError, match="links inside the store are not followed"):
        await files.commit(key, ONE)
    with pytest.raises(StorageError, match="links inside the store are not followed"):
        await files.read(key, ["a"])


async def test_what_an_interrupted_commit_of_another_process_left_is_removed(
    files: FileBackend, folder: Path, key: Key
) -> None:
    (folder / "l.3.jsonl").write_bytes(b"left")
    (folder / "blobs").mkdir()
    (folder / "blobs" / ("0" * 64)).write_bytes(b"left")
    await files.commit(key, ONE)
    assert names_in(folder) == {"blobs", "commits.jsonl", "l.1.jsonl"}


async def test_the_last_ones_are_held_open_until_the_store_is_closed(
    files: FileBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_folders, "MAX_FOLDERS", 2)
    keys = [Key("default", "sessions", f"{number}") for number in range(4)]
    for key in [*keys, *keys]:
        await files.commit(key, ONE)
    assert open_folders(root) == {root / "default/sessions/2", root / "default/sessions/3"}
    await files.aclose()
    assert open_folders(root) == set()
