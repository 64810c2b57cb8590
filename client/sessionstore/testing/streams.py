"""What a store promises about events that are read page by page, and followed while they are added."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from typing import TypeVar

import pytest

from sessionstore.errors import InvalidArgumentError
from sessionstore.model import RunRecord, RunStatus, page_run_events
from sessionstore.store import SessionStore
from sessionstore.testing import samples
from sessionstore.testing.appends import appended_events, appended_traces, numbered_traces, saved_run
from sessionstore.testing.comparison import assert_same
from sessionstore.testing.ids import BAD_IDS
from sessionstore.testing.run_records import text_events

T = TypeVar("T")

_RUNS: Mapping[str, RunRecord] = {
    "no event": saved_run("run", (), 0),
    "all dropped": saved_run("run", (), 9),
    "from 0": saved_run("run", text_events(10), 10),
    "oldest dropped": saved_run("run", text_events(10, start=7), 17),
    "gaps": saved_run(
        "run", (*text_events(3, start=2), *text_events(2, start=9), *text_events(1, start=2**63)), 2**64 - 1
    ),
    "one event": saved_run("run", text_events(1, start=5), 6),
}


class EventPageContract:
    """Pages hold what the whole list holds."""

    pytestmark = pytest.mark.asyncio

    @pytest.mark.parametrize("page_size", [1, 3, 10, 11])
    async def test_pages_of_trace_events(self, store: SessionStore, page_size: int) -> None:
        """J16: Pages from a position on go through all trace events; beyond the last there are none."""
        events = numbered_traces(10)
        await store.save_trace_events("a", events)
        for position in (0, 4, 9, 10, 11, 2**63):
            page = await store.read_trace_events("a", position, page_size)
            assert page is not None
            assert page.trace_events == events[position : position + page_size]
            assert page.next_position == position + len(page.trace_events)
            assert page.has_more is (position + page_size < len(events))

    async def test_pages_of_no_trace_events(self, store: SessionStore) -> None:
        """J17: A page of what was never saved is None, of what was saved empty it is empty."""
        assert await store.read_trace_events("a") is None
        await store.save(samples.session("a"))
        assert await store.read_trace_events("a") is None
        await store.save_trace_events("a", [])
        page = await store.read_trace_events("a")
        assert page is not None
        assert (page.trace_events, page.next_position, page.has_more) == ([], 0, False)

    @pytest.mark.parametrize("run", _RUNS.values(), ids=_RUNS)
    async def test_pages_of_run_events(self, store: SessionStore, run: RunRecord) -> None:
        """J18: A page behind any cursor is what `page_run_events` makes of the run."""
        await store.save_run_records("a", [run, saved_run("other", text_events(3), 3)])
        for cursor in (None, 0, 1, 2, 4, 5, 7, 8, 9, 10, 16, 2**63 - 1, 2**63, 2**64 - 2):
            for page_size in (1, 3, 100):
                page = await store.read_run_events("a", "run", cursor, page_size)
                assert page == page_run_events(run, cursor, page_size)

    async def test_pages_of_no_run(self, store: SessionStore) -> None:
        """J19: A page of a run that is not stored is None."""
        assert await store.read_run_events("a", "run") is None
        await store.save_run_records("a", [saved_run("other", text_events(1), 1)])
        assert await store.read_run_events("a", "run") is None
        assert await store.read_run_events("a", "other/events") is None

    async def test_sizes_of_event_pages(self, store: SessionStore) -> None:
        """J20: Page size 0 means 100, more than 1,000 means 1,000, and a negative one is an InvalidArgumentError."""
        run = saved_run("run", text_events(1_001), 1_001)
        await store.save_run_records("a", [run])
        await store.save_trace_events("a", numbered_traces(1_001))
        for page_size, count in ((0, 100), (1_000, 1_000), (5_000, 1_000)):
            assert await store.read_run_events("a", "run", None, page_size) == page_run_events(run, None, count)
            page = await store.read_trace_events("a", 0, page_size)
            assert page is not None
            assert len(page.trace_events) == count
        reads = (lambda: store.read_trace_events("a", 0, -1), lambda: store.read_run_events("a", "run", None, -1))
        for read in reads:
            with pytest.raises(InvalidArgumentError) as caught:
                await read()
            assert caught.value.field == "page_size"

    async def test_pages_of_large_events(self, store: SessionStore) -> None:
        """J21: A page of large events ends early, with at least one, and the next goes on behind it."""
        large = samples.trace_events()[0].model_copy(update={"name": "x" * (3 << 20)})
        await store.save_trace_events("a", [large] * 3)
        page = await store.read_trace_events("a", 0, 3)
        assert page is not None
        assert 1 <= len(page.trace_events) < 3
        assert page.has_more
        rest = await store.read_trace_events("a", page.next_position, 3)
        assert rest is not None
        assert len(page.trace_events) + len(rest.trace_events) <= 3

    @pytest.mark.parametrize("bad_id", BAD_IDS.values(), ids=BAD_IDS)
    async def test_ids_of_event_pages(self, store: SessionStore, bad_id: str) -> None:
        """J22: Ids of pages follow I1 and I2, by the names `session_id` and `run_id`."""
        reads = (
            ("session_id", lambda: store.read_trace_events(bad_id)),
            ("session_id", lambda: store.read_run_events(bad_id, "run")),
            ("run_id", lambda: store.read_run_events("a", bad_id)),
        )
        for field, read in reads:
            with pytest.raises(InvalidArgumentError) as caught:
                await read()
            assert caught.value.field == field


class FollowContract:
    """What is stored, and then what is added, each event once."""

    pytestmark = pytest.mark.asyncio

    async def test_trace_events_are_followed(self, store: SessionStore) -> None:
        """J23: A follower gets the trace events from a position on and then those that are added, in their order."""
        events = numbered_traces(30)
        following = asyncio.create_task(some(store.follow_trace_events("a", 2), 28))
        behind = asyncio.create_task(some(store.follow_trace_events("a", 25), 5))
        await store.save_trace_events("a", events[:10])
        assert await some(store.follow_trace_events("a", 4), 6) == events[4:10]
        await appended_traces(store, "a", events[10:11], events[11:20])
        await appended_traces(store, "a", events[20:])
        assert await following == events[2:]
        assert await behind == events[25:]

    async def test_replaced_list_is_followed(self, store: SessionStore) -> None:
        """J24: When the list is replaced, a follower goes on with what stands behind the same position then."""
        old, new = numbered_traces(4), numbered_traces(6, name="new")
        await store.save_trace_events("a", old)
        async with aclosing(store.follow_trace_events("a")) as events:  # type: ignore[type-var]
            assert [await anext(events) for _ in old] == old
            await store.save_trace_events("a", new[:2])
            await store.save_trace_events("a", new)
            assert [await anext(events) for _ in new[4:]] == new[4:]

    async def test_long_list_is_followed(self, store: SessionStore) -> None:
        """J25: A follower gets any number of events that are stored."""
        await store.save_trace_events("a", numbered_traces(2_500))
        assert await some(store.follow_trace_events("a"), 2_500) == numbered_traces(2_500)

    @pytest.mark.parametrize("status", [RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED])
    async def test_run_is_followed_to_its_end(self, store: SessionStore, status: RunStatus) -> None:
        """J26: A follower of a run gets the events behind a cursor and those that are added, until the run ends."""
        events = text_events(20)
        await store.save_run_records("a", [saved_run("run", events[:5], 5)])
        following = [
            asyncio.create_task(every(store.follow_run_events("a", "run", cursor))) for cursor in (None, 2, 11)
        ]
        await appended_events(store, "a", "run", events[5:6], events[6:15])
        snapshot = saved_run("run", (), 20).snapshot.model_copy(update={"status": status})
        await store.save_run_records("a", [RunRecord(snapshot=snapshot, events=events)])
        assert await asyncio.gather(*following) == [[*events], [*events[3:]], [*events[12:]]]
        assert await every(store.follow_run_events("a", "run", 17)) == [*events[18:]]
        assert await every(store.follow_run_events("a", "run", 19)) == []

    async def test_dropped_events_are_skipped(self, store: SessionStore) -> None:
        """J27: A follower goes on behind events that are no longer kept, as the sequences tell."""
        snapshot = saved_run("run", (), 12).snapshot.model_copy(update={"status": RunStatus.COMPLETED})
        await store.save_run_records("a", [RunRecord(snapshot=snapshot, events=text_events(5, start=7))])
        assert await every(store.follow_run_events("a", "run", 2)) == [*text_events(5, start=7)]

    @pytest.mark.parametrize("removal", ["run", "session"])
    async def test_removed_run_is_followed_no_longer(self, store: SessionStore, removal: str) -> None:
        """J28: A follower ends when its run is removed."""
        await store.save_run_records("a", [saved_run("run", text_events(2), 2)])
        events = store.follow_run_events("a", "run")
        assert [await anext(events), await anext(events)] == [*text_events(2)]
        removals: Mapping[str, Callable[[], object]] = {
            "run": lambda: store.save_run_records("a", []),
            "session": lambda: store.delete("a"),
        }
        await removals[removal]()  # type: ignore[misc]
        assert await every(events) == []

    async def test_absent_run_is_not_followed(self, store: SessionStore) -> None:
        """J29: To follow a run that is not stored is an InvalidArgumentError for `run_id`."""
        for _ in range(2):
            with pytest.raises(InvalidArgumentError) as caught:
                await every(store.follow_run_events("a", "run"))
            assert caught.value.field == "run_id"
            await store.save(samples.session("a"))

    async def test_followers_may_leave(self, store: SessionStore) -> None:
        """J30: A follower may leave at any time, also while it waits; nobody else notices."""
        waiting = asyncio.create_task(some(store.follow_trace_events("a"), 1))
        staying = asyncio.create_task(some(store.follow_trace_events("a"), 2))
        await store.save(samples.session("a"))
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await appended_traces(store, "a", samples.trace_events())
        assert_same(await staying, samples.trace_events())


async def some(events: AsyncIterator[T], count: int) -> list[T]:
    """Return so many events, and leave."""
    async with aclosing(events) as opened:  # type: ignore[type-var]
        return [await anext(opened) for _ in range(count)]


async def every(events: AsyncIterator[T]) -> list[T]:
    """Return all events, up to the end."""
    return [event async for event in events]
