"""What a store promises to those who watch it: every commit, in order, from where they left off."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from sessionstore.errors import InvalidArgumentError
from sessionstore.model import SessionData
from sessionstore.store import CommitNotice, SessionStore, WatchPage
from sessionstore.testing import samples
from sessionstore.testing.kinds import CHECKPOINT_KINDS, RECORD_KINDS


class WatchContract:
    """Told once, in order, and never in the way."""

    pytestmark = pytest.mark.asyncio

    async def test_first_page_tells_the_position(self, store: SessionStore) -> None:
        """X1: The first page comes at once, has no commits, and tells the position from which the watch goes on."""
        await store.save(samples.session("before"))
        async with watching(store) as pages:
            first = await anext(pages)
            assert not first.commits
            assert first.position
            await store.save(samples.session("after"))
            assert [notice.session_id for notice in await told(pages, 1)] == ["after"]
        async with watching(store, first.position) as pages:
            again = await anext(pages)
            assert (again.commits, again.position) == ((), first.position)

    async def test_every_commit_is_told(self, store: SessionStore) -> None:
        """X2: Every write to a session or its records is told, once, with the revision that it made."""
        async with watching(store) as pages:
            await anext(pages)
            await store.save(samples.session("a"))
            for kind in RECORD_KINDS:
                await kind.save(store, "a", kind.some("a"))
            await store.save_snapshot(samples.snapshot("🧵/b"))
            notices = await told(pages, len(RECORD_KINDS) + 2)
        assert _facts(notices) == [
            *(("a", revision, False) for revision in range(1, len(RECORD_KINDS) + 2)),
            ("🧵/b", 1, False),
        ]
        times = [notice.commit_time for notice in notices]
        assert times == sorted(times)

    async def test_deletion_is_told(self, store: SessionStore) -> None:
        """X3: A deletion is told as one, and is a revision like the others."""
        async with watching(store) as pages:
            await anext(pages)
            await store.save(samples.session("a"))
            await store.delete("a")
            await store.save(samples.session("a"))
            assert _facts(await told(pages, 3)) == [("a", 1, False), ("a", 2, True), ("a", 3, False)]

    async def test_other_things_are_not_told(self, store: SessionStore) -> None:
        """X4: Checkpoints and leases are not told, nor is what was refused."""
        async with watching(store) as pages:
            await anext(pages)
            for kind in CHECKPOINT_KINDS:
                await kind.save(store, "a", kind.some("a"))
            await store.release_lease(await store.acquire_lease("a", "one", 60))
            with pytest.raises(InvalidArgumentError):
                await store.save(samples.session("a"), expected_revision=-1)
            await store.save(samples.session("b"))
            assert _facts(await told(pages, 1)) == [("b", 1, False)]

    async def test_watch_goes_on_from_any_position(self, store: SessionStore) -> None:
        """X5: From any position that was told a watch goes on with what follows, all of it and nothing else."""
        pages_told: list[WatchPage] = []
        async with watching(store) as pages:
            pages_told.append(await anext(pages))
            for number in range(6):
                await store.save(SessionData(id=str(number)))
                pages_told += [page async for page in _until_told(pages, 1)]
        ids = [notice.session_id for page in pages_told for notice in page.commits]
        assert ids == [str(number) for number in range(6)]
        passed = 0
        for page in pages_told[:-1]:
            passed += len(page.commits)
            async with watching(store, page.position) as resumed:
                following = await told(resumed, len(ids) - passed)
                assert [notice.session_id for notice in following] == ids[passed:]

    async def test_notice_comes_after_the_commit(self, store: SessionStore) -> None:
        """X6: Who reads a session after a notice finds the revision that it tells, or a later one."""
        async with watching(store) as pages:
            await anext(pages)
            writing = asyncio.create_task(_write(store, "a", 20))
            for notice in await told(pages, 20):
                assert await store.revision("a") >= notice.revision
            await writing

    async def test_concurrent_writers_are_told_in_order(self, store: SessionStore) -> None:
        """X7: Of several writers every commit is told, those of one session in the order of its revisions."""
        async with watching(store) as pages:
            await anext(pages)
            writing = asyncio.gather(*(_write(store, session_id, 10) for session_id in "abab"))
            notices = await told(pages, 40)
            await writing
        for session_id in "ab":
            revisions = [notice.revision for notice in notices if notice.session_id == session_id]
            assert revisions == list(range(1, 21))

    async def test_watchers_do_not_disturb_each_other(self, store: SessionStore) -> None:
        """X8: Each of several watchers is told everything; one that does not read holds up nobody, and misses none."""
        async with watching(store) as lazy, watching(store) as first, watching(store) as second:
            for pages in (lazy, first, second):
                await anext(pages)
            await asyncio.gather(*(_write(store, session_id, 50) for session_id in "ab"))
            for pages in (first, second, lazy):
                counted = Counter(notice.session_id for notice in await told(pages, 100))
                assert counted == {"a": 50, "b": 50}

    @pytest.mark.parametrize("position", ["nowhere", "\0", "🧵", "-", "1" * 2_000])
    async def test_position_from_nowhere(self, store: SessionStore, position: str) -> None:
        """X9: A position that no watch told is an InvalidArgumentError for `position`, at once."""
        with pytest.raises(InvalidArgumentError) as caught:
            await anext(store.watch(position))
        assert caught.value.field == "position"


@asynccontextmanager
async def watching(store: SessionStore, position: str = "") -> AsyncIterator[AsyncIterator[WatchPage]]:
    """Watch until the end of the block."""
    pages = store.watch(position)
    try:
        yield pages
    finally:
        if isinstance(pages, AsyncGenerator):
            await pages.aclose()


async def told(pages: AsyncIterator[WatchPage], count: int) -> Sequence[CommitNotice]:
    """Return the next commits, once there are `count`."""
    return [notice async for page in _until_told(pages, count) for notice in page.commits]


async def _until_told(pages: AsyncIterator[WatchPage], count: int) -> AsyncIterator[WatchPage]:
    seen = 0
    while seen < count:
        page = await anext(pages)
        seen += len(page.commits)
        yield page


def _facts(notices: Sequence[CommitNotice]) -> list[tuple[str, int, bool]]:
    return [(notice.session_id, notice.revision, notice.deleted) for notice in notices]


async def _write(store: SessionStore, session_id: str, times: int) -> None:
    for _ in range(times):
        await store.save(SessionData(id=session_id))
        # A store that never waits would otherwise not let the watchers run.
        await asyncio.sleep(0)
