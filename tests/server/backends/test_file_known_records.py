"""What is remembered of the files is parsed once, and never hides what happened to them."""

import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from sessionstore.errors import DataCorruptionError
from sessionstore_server.backends.base import Change, Key, LogRange, Splice, Summary
from sessionstore_server.backends.file import Base64Codec, FileBackend

Opened = Callable[..., AbstractAsyncContextManager[FileBackend]]

LOG = "l.1.jsonl"


class CountingCodec(Base64Codec):
    """Notes what it parses."""

    def __init__(self) -> None:
        self.parsed: list[bytes] = []

    @override
    def from_json(self, collection: str, name: str, text: bytes) -> bytes:
        self.parsed.append(record := super().from_json(collection, name, text))
        return record


async def records(files: FileBackend, key: Key, start: int = 0, revision: int | None = None) -> list[bytes]:
    view = await files.read(key, (), {"l": LogRange(start)}, revision)
    assert view is not None
    return list(view.logs["l"].records)


def write_until_stamped(path: Path, data: bytes) -> None:
    """Write over a file until its stamp is another: the clock of the file system is coarse."""
    before = path.stat().st_ctime_ns
    while path.stat().st_ctime_ns == before:
        path.write_bytes(data)


def damaged(data: bytes) -> bytes:
    return data.replace(b"MQ==", b"MA==")


async def test_a_record_is_parsed_once(opened: Opened, key: Key) -> None:
    codec = CountingCodec()
    async with opened(codec) as files, opened() as another:
        await another.commit(key, Change({"d": b"d"}, {"l": Splice([b"1", b"2"])}, Summary(b"s")))
        assert await records(files, key, start=1) == [b"2"]
        assert await records(files, key) == [b"1", b"2"]
        await another.commit(key, Change(logs={"l": Splice([b"3"])}))
        assert await records(files, key) == await records(files, key) == [b"1", b"2", b"3"]
        for _ in range(2):
            await files.read(key, ["d"])
    assert codec.parsed == [b"2", b"1", b"3", b"d"]


async def test_documents_that_this_process_wrote_are_not_parsed(opened: Opened, key: Key) -> None:
    codec = CountingCodec()
    async with opened(codec) as files:
        await files.commit(key, Change({"d": b"1"}))
        await files.commit(key, Change({"d": b"2"}))
        view = await files.read(key, ["d"])
    assert view is not None
    assert (view.documents, codec.parsed) == ({"d": b"2"}, [])


@pytest.mark.usefixtures("believed")
async def test_files_with_the_same_stamps_are_not_opened(
    files: FileBackend, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    await files.commit(key, Change(logs={"l": Splice([b"1"])}))
    await records(files, key)
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refused)
        assert await records(files, key) == [b"1"]
    await files.commit(key, Change(logs={"l": Splice([b"2"])}))
    assert await records(files, key) == [b"1", b"2"]


def refused(path: str, *_: Any, **__: Any) -> int:
    raise AssertionError(f"{path} was opened")


@pytest.mark.usefixtures("believed")
async def test_a_file_that_was_changed_in_its_place(files: FileBackend, folder: Path, key: Key) -> None:
    await files.commit(key, Change(logs={"l": Splice([b"1"])}))
    await records(files, key)
    status = (folder / LOG).stat()
    write_until_stamped(folder / LOG, damaged((folder / LOG).read_bytes()))
    # Whoever hides the change in this way cannot set the other time.
    os.utime(folder / LOG, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(DataCorruptionError, match=LOG):
        await records(files, key)


async def test_a_file_that_was_changed_in_the_same_moment(files: FileBackend, folder: Path, key: Key) -> None:
    await files.commit(key, Change(logs={"l": Splice([b"1"])}))
    await records(files, key)
    (folder / LOG).write_bytes(damaged((folder / LOG).read_bytes()))
    with pytest.raises(DataCorruptionError, match=LOG):
        await records(files, key)


@pytest.mark.parametrize("loss", [Path.unlink, lambda path: os.truncate(path, 3)])
@pytest.mark.usefixtures("believed")
async def test_a_file_that_is_gone(files: FileBackend, folder: Path, key: Key, loss: Callable[[Path], None]) -> None:
    await files.commit(key, Change(logs={"l": Splice([b"1"])}))
    await records(files, key)
    loss(folder / LOG)
    with pytest.raises(DataCorruptionError, match=LOG):
        await records(files, key)


@pytest.mark.usefixtures("believed")
async def test_a_key_that_another_process_made_again(opened: Opened, key: Key) -> None:
    async with opened() as files, opened() as another:
        await files.commit(key, Change({"d": b"1"}, {"l": Splice([b"1"])}))
        await records(files, key)
        await another.delete(key)
        assert await another.sweep_deleted(0) == 1
        await another.commit(key, Change({"d": b"2"}, {"l": Splice([b"2"])}))
        assert await records(files, key) == [b"2"]
        view = await files.read(key, ["d"])
    assert view is not None
    assert view.documents == {"d": b"2"}


async def test_revisions_in_turn(files: FileBackend, key: Key) -> None:
    for number in (b"1", b"2", b"3"):
        await files.commit(key, Change(logs={"l": Splice([number])}))
    await files.commit(key, Change(logs={"l": Splice([b"4"], keep=1)}))
    expected = {1: [b"1"], 2: [b"1", b"2"], 3: [b"1", b"2", b"3"], 4: [b"1", b"4"]}
    for revision in (3, 1, 2, 4, 3):
        assert await records(files, key, revision=revision) == expected[revision]


async def test_a_long_log(opened: Opened, key: Key) -> None:
    """Marks part it; what is known of one part does not hide the next."""
    codec = CountingCodec()
    big = [bytes([number]) * 100_000 for number in range(12)]
    async with opened(codec) as files:
        for record in big[:6]:
            await files.commit(key, Change(logs={"l": Splice([record])}))
        assert await records(files, key) == big[:6]
        for record in big[6:]:
            await files.commit(key, Change(logs={"l": Splice([record])}))
            assert await records(files, key, start=5) == big[5 : big.index(record) + 1]
        assert await records(files, key) == big
    assert codec.parsed == big


async def test_a_document_that_stays_as_it_is_is_not_written(files: FileBackend, folder: Path, key: Key) -> None:
    await files.commit(key, Change({"same": b"1", "other": b"1"}))
    await files.commit(key, Change({"same": b"1", "other": b"2"}))
    last = (folder / "commits.jsonl").read_bytes().splitlines()[-1]
    assert (b'"other"' in last, b'"same"' in last) == (True, False)
