"""What waits for a lock that somebody else holds, and for how long; what a caller leaves who does not wait."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from sessionstore.errors import RevisionNotKeptError, StorageError
from sessionstore_server.backends.base import Change, Guard, GuardError, Key, Origin, Query, Splice, Summary
from sessionstore_server.backends.file import FileBackend
from sessionstore_server.backends.file import folder as folders
from sessionstore_server.backends.file.backend import THREADS
from sessionstore_server.backends.file.scratch import Scratch
from sessionstore_server.backends.file.uploads import Upload

Opened = Callable[..., AbstractAsyncContextManager[FileBackend]]

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
        await files.commit(key, Change({"a": b"1"}, {"l": Splice([b"1"])}, summary=Summary(b"s")))
    with held(*(folder_of(root, key) for key in KEYS)):
        writing = [asyncio.create_task(files.commit(key, Change({"a": b"2"}))) for key in KEYS]
        for key in KEYS:
            view = await files.read(key, ["a"])
            assert view is not None
            assert view.documents["a"] == b"1"
        assert len(await files.list("default", "sessions", Query(), None, 99)) == len(KEYS)
        assert not any(task.done() for task in writing)
    assert [commit.revision for commit in await asyncio.gather(*writing)] == [2] * len(KEYS)


async def test_a_guarded_commit_waits_for_who_changes_the_guard(files: FileBackend, root: Path, key: Key) -> None:
    """Whether the key is there already or not, and a commit that does not hold what it has to waits for nothing."""
    lease, new = Key("default", "leases", "one"), Key("default", "sessions", "new")
    await files.commit(lease, Change({"epoch": b"1"}))
    await files.commit(key, Change())
    guard = Guard(lease, "epoch", b"1")
    with held(folder_of(root, lease)):
        guarded = [asyncio.create_task(files.commit(one, Change(guard=guard))) for one in (key, new)]
        assert (await files.commit(Key("default", "sessions", "free"), Change())).revision == 1
        assert not any(task.done() for task in guarded)
    assert [commit.revision for commit in await asyncio.gather(*guarded)] == [2, 1]


async def test_who_changes_a_guard_waits_for_guarded_commits(opened: Opened, key: Key) -> None:
    """Whoever got an answer has seen the last commit that the old guard let through."""
    lease = Key("default", "leases", "one")
    async with opened() as holder, opened() as taker:
        await taker.commit(lease, Change({"epoch": b"0"}))
        for epoch in range(1, 30):
            guard = Guard(lease, "epoch", b"%d" % (epoch - 1))
            writing = [asyncio.create_task(holder.commit(key, Change(guard=guard))) for _ in range(3)]
            await taker.commit(lease, Change({"epoch": b"%d" % epoch}))
            view = await taker.read(key)
            await asyncio.gather(*writing, return_exceptions=True)
            after = await taker.read(key)
            assert after == view
            with pytest.raises(GuardError):
                await holder.commit(key, Change(guard=guard))


async def test_a_fork_does_not_wait_for_an_absent_key(
    files: FileBackend, folder: Path, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who holds its lock may be about to fork it from the very key that waits."""
    monkeypatch.setattr(folders, "LOCK_SECONDS", 0.01)
    fork = Key("default", "sessions", "fork")
    await files.commit(key, Change())
    with held(folder), pytest.raises(StorageError, match="another process holds the lock"):
        await files.commit(fork, Change(origin=Origin(key, 1)))
    await files.delete(key)
    with held(folder), pytest.raises(RevisionNotKeptError):
        await files.commit(fork, Change(origin=Origin(key, 1)))


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
