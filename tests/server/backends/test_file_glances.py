"""Which reads of the file backend need no thread, and that these find what all others find."""

from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager

import pytest
from tests.server.backends import busy_threads

from sessionstore_server.backends.base import Change, Key, LogRange, Splice, View
from sessionstore_server.backends.file import FileBackend, backend

Opened = Callable[..., AbstractAsyncContextManager[FileBackend]]

TURN = Change({"d": b"state"}, {"l": Splice([b"1", b"2"])})


async def needs_thread(files: FileBackend, reading: Coroutine[None, None, object]) -> bool:
    return await busy_threads.needs_thread(files._disk.readers.run, backend.THREADS, reading)


async def read(files: FileBackend, key: Key, start: int = 1) -> View | None:
    return await files.read(key, ["d"], {"l": LogRange(start)})


@pytest.mark.usefixtures("believed")
async def test_what_is_known_needs_no_thread(files: FileBackend, key: Key) -> None:
    await files.commit(key, TURN)
    first = await read(files, key)
    for _ in range(2):
        assert not await needs_thread(files, read(files, key))
    assert first == await read(files, key)


async def test_what_was_changed_lately_has_a_thread(files: FileBackend, key: Key) -> None:
    await files.commit(key, TURN)
    await read(files, key)
    assert await needs_thread(files, read(files, key))


@pytest.mark.usefixtures("believed")
async def test_what_is_not_known_has_a_thread(files: FileBackend, key: Key) -> None:
    await files.commit(key, TURN)
    await read(files, key, start=1)
    assert await needs_thread(files, read(files, key, start=0))


@pytest.mark.usefixtures("believed")
async def test_a_past_revision_has_a_thread(files: FileBackend, key: Key) -> None:
    await files.commit(key, TURN)
    await files.commit(key, TURN)
    await read(files, key)
    assert await needs_thread(files, files.read(key, ["d"], revision=1))


@pytest.mark.usefixtures("believed")
async def test_a_document_that_nobody_parsed_has_a_thread(opened: Opened, files: FileBackend, key: Key) -> None:
    async with opened() as another:
        await another.commit(key, TURN)
    await files.read(key)
    assert not await needs_thread(files, files.read(key))
    assert await needs_thread(files, files.read(key, ["d"]))
    assert not await needs_thread(files, files.read(key, ["d"]))


@pytest.mark.usefixtures("believed")
async def test_what_another_process_did_is_found(opened: Opened, files: FileBackend, key: Key) -> None:
    await files.commit(key, TURN)
    await read(files, key)
    async with opened() as another:
        await another.commit(key, TURN)
        found = await read(files, key)
        assert found is not None
        assert (found.revision, found.logs["l"].length) == (2, 4)
        await another.delete(key)
    assert await read(files, key) is None


@pytest.mark.parametrize("stamps", ["young", "believed"])
async def test_a_document_that_another_process_changed_is_found(
    opened: Opened, files: FileBackend, key: Key, stamps: str, request: pytest.FixtureRequest
) -> None:
    if stamps == "believed":
        request.getfixturevalue("believed")
    await files.commit(key, TURN)
    await files.read(key, ["d"])
    async with opened() as another:
        await another.commit(key, Change({"d": b"new state"}))
    view = await files.read(key, ["d"])
    assert view is not None
    assert view.documents == {"d": b"new state"}


@pytest.mark.usefixtures("believed")
async def test_what_is_deleted_is_absent(files: FileBackend, key: Key) -> None:
    await files.commit(key, TURN)
    await read(files, key)
    await files.delete(key)
    assert [await files.read(key) for _ in range(3)] == [None] * 3
