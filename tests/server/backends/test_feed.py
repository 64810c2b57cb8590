"""What every backend promises to those who watch: commits are told in order, after they can be seen."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from sessionstore.errors import InvalidArgumentError, PositionExpiredError, StaleBaseError
from sessionstore_server.backends.base import FEED_KEPT, Backend, Change, FeedEntry, Key, Origin, Splice
from sessionstore_server.backends.memory import MemoryBackend

TWO = Key("default", "sessions", "two")


async def now(backend: Backend) -> str:
    feed = await backend.feed("default", "sessions", None, 100)
    assert feed.entries == []
    return feed.position


async def told(backend: Backend, position: str) -> list[tuple[str, int, bool]]:
    feed = await backend.feed("default", "sessions", position, 1000)
    return [(entry.id, entry.revision, entry.deleted) for entry in feed.entries]


async def test_commits_are_told_in_order(backend: Backend, key: Key) -> None:
    await backend.commit(key, Change())
    position = await now(backend)
    commits = [(one, await backend.commit(one, Change())) for one in (key, TWO, key, key, TWO)]
    feed = await backend.feed("default", "sessions", position, 100)
    assert feed.entries == [FeedEntry(one.id, commit.revision, commit.commit_time, False) for one, commit in commits]
    assert (await backend.feed("default", "sessions", feed.position, 100)).entries == []


async def test_deletions_are_told(backend: Backend, key: Key) -> None:
    position = await now(backend)
    await backend.commit(key, Change())
    await backend.delete(key)
    assert not await backend.delete(key)
    await backend.commit(key, Change())
    assert await told(backend, position) == [("one", 1, False), ("one", 2, True), ("one", 3, False)]


async def test_forks_are_told(backend: Backend, key: Key) -> None:
    await backend.commit(key, Change())
    position = await now(backend)
    await backend.commit(TWO, Change(origin=Origin(key, 1)))
    assert await told(backend, position) == [("two", 1, False)]


async def test_what_failed_is_not_told(backend: Backend, key: Key) -> None:
    position = await now(backend)
    await backend.commit(key, Change())
    with pytest.raises(StaleBaseError):
        await backend.commit(key, Change(logs={"l": Splice(length=1)}))
    await backend.commit(TWO, Change())
    assert await told(backend, position) == [("one", 1, False), ("two", 1, False)]


async def test_collections_have_feeds_of_their_own(backend: Backend, key: Key) -> None:
    position = await now(backend)
    others = [Key("other", "sessions", "a"), Key("default", "runs", "b"), Key("default", "sessions/", "c")]
    for one in (*others, key):
        start = (await backend.feed(one.namespace, one.collection, None, 1)).position
        await backend.commit(one, Change())
        feed = await backend.feed(one.namespace, one.collection, start, 100)
        assert [entry.id for entry in feed.entries] == [one.id]
    assert await told(backend, position) == [("one", 1, False)]


async def test_a_feed_comes_in_pages(backend: Backend, key: Key) -> None:
    """A position stays good, however often it is used."""
    position = start = await now(backend)
    for _ in range(10):
        await backend.commit(key, Change())
        await backend.commit(Key("default", "runs", "one"), Change())
    pages = []
    while (feed := await backend.feed("default", "sessions", position, 4)).entries:
        pages.append([entry.revision for entry in feed.entries])
        position = feed.position
    assert pages == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]
    assert [revision for _, revision, _ in await told(backend, start)] == list(range(1, 11))


async def test_a_watcher_sees_what_it_is_told(backend: Backend, key: Key) -> None:
    """Whoever reads a key after it was told finds that revision or a later one."""
    await check_watching(backend, backend, key)


async def test_a_watcher_sees_what_another_writes(backend: Backend, another: Backend, key: Key) -> None:
    await check_watching(backend, another, key)


async def check_watching(watcher: Backend, writer: Backend, key: Key) -> None:
    keys = [key, TWO, Key("default", "sessions", "three")]
    position = await now(watcher)

    async def write(key: Key) -> None:
        for _ in range(12):
            await writer.commit(key, Change({"a": b"1"}))
            await asyncio.sleep(0)

    writing = asyncio.gather(*(write(one) for one in keys))
    revisions: dict[str, list[int]] = {one.id: [] for one in keys}
    async for entry in watch(watcher, position):
        view = await watcher.read(Key("default", "sessions", entry.id))
        assert view is not None
        assert view.revision >= entry.revision
        revisions[entry.id].append(entry.revision)
        if all(12 in known for known in revisions.values()):
            break
    await writing
    assert revisions == {one.id: list(range(1, 13)) for one in keys}


async def watch(backend: Backend, position: str) -> AsyncIterator[FeedEntry]:
    while True:
        feed = await backend.feed("default", "sessions", position, 5)
        position = feed.position
        for entry in feed.entries:
            yield entry
        if not feed.entries:
            await backend.wait(None, 0.02)


async def test_a_commit_that_returned_stands_before_the_position(backend: Backend, another: Backend, key: Key) -> None:
    for writer, reader in ((backend, another), (another, backend)):
        await writer.commit(key, Change())
        position = await now(reader)
        assert await told(reader, position) == await told(writer, position) == []
        await writer.commit(TWO, Change())
        assert [id_ for id_, _, _ in await told(reader, position)] == ["two"]
        assert [id_ for id_, _, _ in await told(writer, position)] == ["two"]


async def test_several_writers_are_told_once(backend: Backend, another: Backend, key: Key) -> None:
    position = await now(backend)
    for _ in range(3):
        for writer in (backend, another):
            await writer.commit(key, Change())
            await writer.commit(TWO, Change())
    entries = await told(another, position)
    assert sorted(entries) == [(id_, revision, False) for id_ in ("one", "two") for revision in range(1, 7)]


async def test_a_position_outlives_the_backend(backend: Backend, another: Backend, key: Key) -> None:
    position = await now(backend)
    await backend.commit(key, Change())
    await backend.aclose()
    await backend.open()
    await backend.commit(key, Change())
    assert await told(backend, position) == await told(another, position) == [("one", 1, False), ("one", 2, False)]


@pytest.mark.parametrize("position", ["", "x", "{}x", "\0", "-1", "\ud800", "[1]", '{"a": []}', "9" * 5000])
async def test_what_is_no_position(backend: Backend, position: str) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        await backend.feed("default", "sessions", position, 1)
    assert refused.value.field == "position"


async def test_a_position_of_other_data(backend: Backend, key: Key) -> None:
    """Such as that of a store which began anew: nobody knows what came after it there."""
    elsewhere = MemoryBackend()
    await elsewhere.open()
    position = (await elsewhere.feed("default", "sessions", None, 1)).position
    await backend.commit(key, Change())
    with pytest.raises((PositionExpiredError, InvalidArgumentError)):
        await backend.feed("default", "sessions", position, 1)
    await elsewhere.aclose()


async def test_who_falls_behind_is_told_so(key: Key) -> None:
    """In the memory backend, where so many commits take no time."""
    backend = MemoryBackend()
    await backend.open()
    position = await now(backend)
    for _ in range(FEED_KEPT):
        await backend.commit(key, Change())
    feed = await backend.feed("default", "sessions", position, FEED_KEPT + 1)
    assert [entry.revision for entry in feed.entries] == list(range(1, FEED_KEPT + 1))
    for _ in range(FEED_KEPT):
        await backend.commit(key, Change())
    with pytest.raises(PositionExpiredError) as expired:
        await backend.feed("default", "sessions", position, 1)
    assert expired.value == PositionExpiredError(position)
    again = await backend.feed("default", "sessions", feed.position, 1)
    assert [entry.revision for entry in again.entries] == [FEED_KEPT + 1]
    await backend.aclose()


@pytest.mark.parametrize("any_key", [False, True])
@pytest.mark.parametrize("written", ["commit", "delete"])
async def test_a_write_wakes_those_who_wait(backend: Backend, key: Key, written: str, *, any_key: bool) -> None:
    """Without it they would wait beyond the end of the test."""
    await backend.commit(key, Change())
    waiting = [asyncio.create_task(backend.wait(None if any_key else key, 3600)) for _ in range(3)]
    while not all(task.done() for task in waiting):
        await (backend.commit(key, Change()) if written == "commit" else recreate(backend, key))
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)


async def recreate(backend: Backend, key: Key) -> None:
    await backend.delete(key)
    await backend.commit(key, Change())


async def test_waiting_ends_with_its_time(backend: Backend, key: Key) -> None:
    await backend.wait(key, 0)
    await backend.wait(None, 0.001)


async def test_closing_wakes_those_who_wait(backend: Backend, key: Key) -> None:
    waiting = [asyncio.create_task(backend.wait(wanted, 3600)) for wanted in (key, None)]
    await asyncio.sleep(0)
    await backend.aclose()
    await asyncio.gather(*waiting)
