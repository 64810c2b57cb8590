"""A medium that fails at any operation of a change, power cuts after any: the change is there whole, or not at all."""

import errno
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from pathlib import Path

import pytest
from tests.server.backends.faults import Disk, Fault, Image, image, restore

from sessionstore.errors import InvalidArgumentError, StorageError
from sessionstore_server.backends.base import Backend, Change, Key, LogRange, Origin, Query, Request, Splice, Summary
from sessionstore_server.backends.file import FileBackend, state

HOT = Key("default", "sessions", "hot")
NEW = Key("default", "sessions", "new")
GONE = Key("default", "sessions", "gone")
OLD_BLOB, NEW_BLOB = b"old" * 3_000, b"new" * 3_000
LARGE = b"l" * 6_000
"""More than a page, so that it can be torn."""
FEW_REVISIONS = 4
"""How many are kept here: each of them is read after each fault."""
REQUEST = Request("the change", sha256(b"").hexdigest())

Operation = Callable[[Backend], Awaitable[object]]


def digest(content: bytes) -> str:
    return sha256(content).hexdigest()


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    yield content[:5_000]
    yield content[5_000:]


def changing(key: Key, **change: object) -> Operation:
    return lambda backend: backend.commit(key, Change(**change, request=REQUEST))


def bringing(key: Key, **change: object) -> Operation:
    """Make the change together with a new blob."""

    async def operation(backend: Backend) -> None:
        if await backend.missing_blobs([digest(NEW_BLOB)]):
            await backend.put_blob(digest(NEW_BLOB), pieces(NEW_BLOB))
        documents = {"blob": digest(NEW_BLOB).encode(), "a": LARGE}
        await changing(key, documents=documents, blobs=frozenset([digest(NEW_BLOB)]), **change)(backend)

    return operation


async def upload_rest(backend: Backend) -> None:
    offset = await backend.upload_size(digest(NEW_BLOB))
    async for piece in pieces(NEW_BLOB[offset:]):
        offset = await backend.extend_upload(digest(NEW_BLOB), offset, piece)
    await backend.finish_upload(digest(NEW_BLOB))


async def upload(backend: Backend) -> None:
    try:
        await upload_rest(backend)
    except InvalidArgumentError:
        await upload_rest(backend)
    documents = {"blob": digest(NEW_BLOB).encode()}
    await changing(HOT, documents=documents, blobs=frozenset([digest(NEW_BLOB)]))(backend)


async def grow(backend: Backend) -> None:
    """Let the next commit be the one that writes the commit file anew."""
    for number in range(4):
        await backend.commit(HOT, Change({"b": b"%d" % number * 25_000}))
    for number in range(FEW_REVISIONS - 2):
        await backend.commit(HOT, Change({"a": b"%d" % number}))


async def nothing(_: Backend) -> None:
    pass


@dataclass(frozen=True)
class Scenario:
    operation: Operation
    prepare: Operation = nothing


SCENARIOS = {
    "documents": Scenario(changing(HOT, documents={"a": LARGE})),
    "append": Scenario(changing(HOT, documents={"a": LARGE}, logs={"values": Splice([LARGE, b"2"])})),
    "new log": Scenario(changing(HOT, logs={"other": Splice([LARGE])})),
    "shorter log": Scenario(changing(HOT, logs={"values": Splice([LARGE], keep=1)})),
    "new blob": Scenario(bringing(HOT)),
    "uploaded blob": Scenario(upload),
    "a blob less": Scenario(changing(HOT, documents={"blob": None}, blobs=frozenset())),
    "first": Scenario(bringing(NEW, logs={"values": Splice([LARGE])}, summary=Summary(b"s"))),
    "again": Scenario(bringing(GONE, logs={"values": Splice([LARGE])}, summary=Summary(b"s"))),
    "fork that goes on": Scenario(changing(NEW, logs={"values": Splice([LARGE])}, origin=Origin(HOT, 2))),
    "delete": Scenario(lambda backend: backend.delete(HOT, request=REQUEST)),
    "compaction": Scenario(changing(HOT, documents={"a": LARGE}), grow),
}


@asynccontextmanager
async def opened(root: Path) -> AsyncIterator[FileBackend]:
    backend = FileBackend(root)
    await backend.open()
    try:
        yield backend
    finally:
        await backend.aclose()


async def contents(backend: Backend) -> dict[str, object]:
    """Everything under the keys, at each revision that can be read, and what is listed."""
    listed = await backend.list("default", "sessions", Query(), None, 9)
    blobs: dict[bytes, bytes] = {}
    found: dict[str, object] = {"listed": [(one.id, one.revision, one.damage) for one in listed], "blobs": blobs}
    for key in (HOT, NEW, GONE):
        for commit in await backend.history(key):
            view = await backend.read(
                key, ["a", "b", "blob"], {"values": LogRange(), "other": LogRange()}, commit.revision
            )
            assert view is not None
            logs = {name: list(log.records) for name, log in view.logs.items()}
            found[f"{key.id} {commit.revision}"] = (dict(view.documents), logs)
            if (name := view.documents.get("blob")) and name not in blobs:
                blobs[name] = b"".join([piece async for piece in backend.get_blob(name.decode())])
    return found


@pytest.fixture(autouse=True)
def _unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """No machine ends here: what is durable stands in the model, and the medium is not waited for."""
    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, os.fstat)


@pytest.fixture(autouse=True)
def _few_revisions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "REVISIONS_KEPT", FEW_REVISIONS)


@dataclass(frozen=True)
class Prepared:
    scenario: Scenario
    image: Image
    before: dict[str, object]
    after: dict[str, object]


@pytest.fixture(params=list(SCENARIOS))
async def prepared(request: pytest.FixtureRequest, tmp_path: Path) -> Prepared:
    scenario = SCENARIOS[request.param]
    root = tmp_path / "prepared"
    async with opened(root) as backend:
        await backend.put_blob(digest(OLD_BLOB), pieces(OLD_BLOB))
        made = Change(
            {"a": b"1", "blob": digest(OLD_BLOB).encode()},
            {"values": Splice([b"1", b"2", b"3"])},
            Summary(b"s"),
            frozenset([digest(OLD_BLOB)]),
        )
        await backend.commit(HOT, made)
        await backend.commit(HOT, Change({"a": b"2"}, {"values": Splice([b"4"])}))
        await backend.commit(GONE, Change({"a": b"1"}, {"values": Splice([b"1"])}))
        await backend.delete(GONE)
        await scenario.prepare(backend)
        before = await contents(backend)
    start = image(root)
    async with opened(root) as backend:
        await scenario.operation(backend)
        return Prepared(scenario, start, before, await contents(backend))


async def check_goes_on(backend: Backend, prepared: Prepared) -> None:
    """The change made once more is made once, and others follow."""
    await prepared.scenario.operation(backend)
    assert await contents(backend) == prepared.after
    for key in (HOT, NEW, GONE):
        await backend.commit(key, Change({"b": b"later"}, {"values": Splice([b"later"])}))
    await backend.check_health()


@pytest.mark.parametrize("prepared", ["compaction"], indirect=True)
async def test_a_compaction_is_among_the_changes(prepared: Prepared, tmp_path: Path) -> None:
    root = tmp_path / "root"
    restore(prepared.image, root)
    commits = root / "default" / "sessions" / "hot" / "commits.jsonl"
    size = commits.stat().st_size
    async with opened(root) as backend:
        await prepared.scenario.operation(backend)
    assert commits.stat().st_size < size


async def test_a_power_cut(prepared: Prepared, tmp_path: Path) -> None:
    """Of what was not synced any part may be gone: the change is whole or absent, and whole once it has returned."""
    root = tmp_path / "root"
    restore(prepared.image, root)
    disk = Disk(root, records_cuts=True)
    backend = FileBackend(root)
    await backend.open()
    with disk.installed():
        await prepared.scenario.operation(backend)
        acknowledged = set(disk.possible())
    await backend.aclose()
    cuts = [*(cut for cut in disk.cuts if cut not in acknowledged), *acknowledged]
    assert len(cuts) > 20
    for number, cut in enumerate(cuts):
        copy = tmp_path / f"cut-{number}"
        restore(cut, copy)
        async with opened(copy) as after:
            found = await contents(after)
            assert found == prepared.after or (found == prepared.before and cut not in acknowledged)
            await check_goes_on(after, prepared)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO], ids=["ENOSPC", "EIO"])
@pytest.mark.parametrize("duration", ["once", "lasting"])
async def test_a_failing_medium(prepared: Prepared, tmp_path: Path, error: int, duration: str) -> None:
    """Whichever operation fails, a StorageError tells it and nothing changed, or says that this is in doubt.

    When the medium works again, the repeated change is durable, and others follow.
    """
    async for backend, disk in after_faults(prepared, tmp_path, error, lasting=duration == "lasting"):
        with disk.installed():
            await prepared.scenario.operation(backend)
        await check_durable(disk, backend)
        await check_goes_on(backend, prepared)


@pytest.mark.parametrize("prepared", ["append", "first", "delete", "compaction"], indirect=True)
async def test_a_failed_sync_is_not_trusted(prepared: Prepared, tmp_path: Path) -> None:
    """What a later commit builds on is written anew: a sync after one that failed would prove nothing."""
    async for backend, disk in after_faults(prepared, tmp_path, errno.EIO, lasting=True):
        with disk.installed():
            await backend.commit(HOT, Change({"b": b"another"}))
            await backend.commit(NEW, Change({"b": b"another"}))
        await check_durable(disk, backend)


async def after_faults(
    prepared: Prepared, folder: Path, error: int, *, lasting: bool
) -> AsyncIterator[tuple[FileBackend, Disk]]:
    """Let each operation of the change fail in turn, and check what that left; then the medium works again."""
    number, fault = 0, Fault(0, error)
    while number == 0 or fault.hit:
        number += 1
        fault = Fault(number, error, lasting)
        root = folder / f"{number}"
        restore(prepared.image, root)
        disk = Disk(root, fault)
        async with opened(root) as backend:
            with disk.installed():
                expected = await expected_after(prepared, backend, fault)
            fault.lifted = True
            assert await contents(backend) in expected
            yield backend, disk
    assert number > 5


async def expected_after(prepared: Prepared, backend: Backend, fault: Fault) -> list[dict[str, object]]:
    try:
        await prepared.scenario.operation(backend)
    except StorageError as failure:
        if os.strerror(fault.error) not in failure.problem:
            raise
        return [prepared.before, prepared.after] if "in doubt" in failure.problem else [prepared.before]
    return [prepared.after]


async def check_durable(disk: Disk, backend: Backend) -> None:
    """A power cut now takes nothing away."""
    copy = disk.root.with_suffix(".cut")
    restore(disk.durable(), copy)
    async with opened(copy) as restarted:
        assert await contents(restarted) == await contents(backend)


async def test_a_finished_upload_is_durable(tmp_path: Path) -> None:
    """Also when it was finished before, by a call that failed."""
    number, fault = 0, Fault(0, errno.EIO)
    while number == 0 or fault.hit:
        number += 1
        fault = Fault(number, errno.EIO)
        root = tmp_path / f"{number}"
        root.mkdir()
        disk = Disk(root, fault)
        async with opened(root) as backend:
            with disk.installed():
                with suppress(StorageError):
                    await upload_rest(backend)
                fault.lifted = True
                await upload_rest(backend)
        restore(disk.durable(), root.with_suffix(".cut"))
        async with opened(root.with_suffix(".cut")) as restarted:
            assert await restarted.blob_size(digest(NEW_BLOB)) == len(NEW_BLOB)


async def test_an_upload_that_outlived_its_end(tmp_path: Path) -> None:
    """A kill left the upload beside the blob, as two names of one file: nothing is added to the blob."""
    root, name = tmp_path / "root", digest(NEW_BLOB)
    async with opened(root) as backend:
        await backend.put_blob(name, pieces(NEW_BLOB))
        left = root / ".uploads" / name / "whole"
        left.parent.mkdir(parents=True)
        left.hardlink_to(root / "blobs" / name[:2] / name)
        assert await backend.extend_upload(name, len(NEW_BLOB), b"more") == 0
        assert await backend.extend_upload(name, 0, b"new") == 3
        assert b"".join([piece async for piece in backend.get_blob(name)]) == NEW_BLOB
        assert await backend.sweep_blobs(0) == 1


@pytest.fixture
def small_medium(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    folder = tmp_path / "mounted"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


async def fill(backend: Backend) -> int:
    """Commit until the medium is full; return how many commits were acknowledged."""
    for number in count():
        try:
            await backend.commit(HOT, Change({"a": b"%d" % number}, {"values": Splice([LARGE * 5])}))
        except StorageError as error:
            if "No space left on device" not in error.problem:
                raise
            return number
    raise AssertionError


async def test_a_full_medium(small_medium: Path) -> None:
    """A store that has filled its medium can be read, deleted from, and goes on when there is room again."""
    async with opened(small_medium) as backend:
        await backend.commit(NEW, Change({"a": b"room" * 20_000}))
        written = await fill(backend)
        with pytest.raises(StorageError, match="No space left on device"):
            await backend.commit(GONE, Change({"a": LARGE * 10}))
        before = await contents(backend)
        assert before["listed"] == []
        assert f"hot {written}" in before
        assert not any(name.startswith("gone") for name in before)
    (small_medium / ".feed").rename(small_medium / ".given up")
    shutil.rmtree(small_medium / ".given up")
    async with opened(small_medium) as backend:
        assert await contents(backend) == before
        await backend.delete(NEW)
        assert (await backend.commit(HOT, Change({"a": b"again"}, {"values": Splice([LARGE])}))).revision == written + 1
