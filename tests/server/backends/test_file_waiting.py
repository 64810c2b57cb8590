"""What waits for a lock that somebody else holds, and for how long; what a caller leaves who does not wait."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from sessionstore.errors import StorageError
from sessionstore_server.backends.base import Change, Key, Splice
from sessionstore_server.backends.file import FileBackend
from sessionstore_server.backends.file import folder as folders
from sessionstore_server.backends.file.backend import THREADS
from sessionstore_server.backends.file.blobs import Upload
from sessionstore_server.backends.file.scratch import Scratch

KEYS = [Key("default", "sessions", f"{number}") for number in range(2 * THREADS)]


@contextmanager
def held(*paths: Path) -> Iterator[None]:
    """Hold the locks of folders, as another process would."""
    descriptors = [os.open(path, os.O_RDONLY) for path in paths]
    for descriptor in descriptors:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield
    for descriptor in descriptors:
        os.close(descriptor)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def folder_of(root: Path, key: Key) -> Path:
    return root / key.namespace / key.collection / key.id


async def test_a_lock_that_stays_held(
    files: FileBackend, root: Path, folder: Path, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "LOCK_SECONDS", 0.01)
    await files.commit(key, Change({"a": b"1"}))
    await files.put_blob(sha256(b"1").hexdigest(), pieces(b"1"))
    before = descriptors()
    with held(folder, root / "blobs"):
        for call, location in (
            (files.commit(key, Change({"a": b"2"})), folder),
            (files.delete(key), folder),
            (files.put_blob(sha256(b"2").hexdigest(), pieces(b"2")), root / "blobs"),
        ):
            with pytest.raises(StorageError, match="another process holds the lock of this folder") as refused:
                await call
            assert refused.value.location == str(location)
    assert descriptors() == before
    assert (await files.commit(key, Change({"a": b"2"}))).revision == 2


async def test_readers_do_not_wait_for_writers(files: FileBackend, root: Path) -> None:
    for key in KEYS:
        await files.commit(key, Change({"a": b"1"}, {"l": Splice([b"1"])}, summary=b"s"))
    with held(*(folder_of(root, key) for key in KEYS)):
        writing = [asyncio.create_task(files.commit(key, Change({"a": b"2"}))) for key in KEYS]
        for key in KEYS:
            view = await files.read(key, ["a"])
            assert view is not None
            assert view.documents["a"] == b"1"
        assert len(await files.list("default", "sessions", None, 99)) == len(KEYS)
        assert not any(task.done() for task in writing)
    assert [commit.revision for commit in await asyncio.gather(*writing)] == [2] * len(KEYS)


@pytest.fixture
def left(root: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is in the scratch folder of a store when all its threads have ended, known after closing it."""
    names: list[str] = []
    close = Scratch.close

    def closing(scratch: Scratch) -> None:
        names.extend(path.name for path in (root / ".work").glob("*/*"))
        close(scratch)

    monkeypatch.setattr(Scratch, "close", closing)
    return names


async def test_uploads_cancelled_anywhere_leave_nothing(files: FileBackend, left: list[str]) -> None:
    content = [b"x" * 1000] * 3
    digest = sha256(b"".join(content)).hexdigest()
    for number in range(300):
        uploads = [asyncio.create_task(files.put_blob(digest, pieces(*content))) for _ in range(1 + number % 12)]
        await turns(number % 9)
        for upload in uploads:
            upload.cancel()
        await asyncio.gather(*uploads, return_exceptions=True)
    await files.aclose()
    assert left == []


async def test_an_upload_cancelled_twice_leaves_nothing(files: FileBackend, root: Path, left: list[str]) -> None:
    """The second time while its clean-up waits for a thread."""
    for key in KEYS:
        await files.commit(key, Change())
    arrived, never = asyncio.Event(), asyncio.Event()

    async def stuck() -> AsyncIterator[bytes]:
        yield b"1"
        arrived.set()
        await never.wait()

    upload = asyncio.create_task(files.put_blob(sha256(b"1").hexdigest(), stuck()))
    await arrived.wait()
    with held(*(folder_of(root, key) for key in KEYS)):
        writing = [asyncio.create_task(files.commit(key, Change())) for key in KEYS]
        await turns(5)
        for _ in range(2):
            upload.cancel()
            await turns(5)
        assert upload.cancelled()
    await asyncio.gather(*writing)
    await files.aclose()
    assert left == []


def test_an_upload_that_starts_after_its_end_leaves_nothing(root: Path) -> None:
    root.mkdir()
    scratch = Scratch(root)
    upload = Upload(scratch.folder())
    upload.discard()
    upload.start()
    assert scratch.folder().names() == []
    scratch.close()


async def turns(number: int) -> None:
    """Let everybody else run, so many times."""
    for _ in range(number):
        await asyncio.sleep(0)


async def pieces(*contents: bytes) -> AsyncIterator[bytes]:
    for content in contents:
        yield content
        await asyncio.sleep(0)
