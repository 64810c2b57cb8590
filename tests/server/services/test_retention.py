"""The caps on runs: against a model that applies them at once, and what they cost."""

from collections.abc import Sequence
from itertools import accumulate, takewhile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessionstore.errors import InvalidArgumentError
from sessionstore.model import RunEventRecord, RunRecord, page_run_events
from sessionstore.store import SessionChange
from sessionstore.testing import assert_same, samples
from sessionstore.testing.appends import appended_events, saved_run
from sessionstore.testing.run_records import text_events
from sessionstore_server.backends.base import Key, LogRange
from sessionstore_server.backends.memory import MemoryBackend
from sessionstore_server.services.keys import SESSIONS, run_events
from sessionstore_server.services.records.retention import Retention
from sessionstore_server.stores import LocalSessionStore, MemorySessionStore

CAPS = st.none() | st.integers(1, 12)
BYTES = st.none() | st.integers(1, 1_000)
STEPS = st.lists(
    st.tuples(st.sampled_from(["append", "commit", "save", "save snapshot"]), st.integers(0, 15)), max_size=8
)


def json_size(event: RunEventRecord) -> int:
    return len(event.model_dump_json().encode())


def kept(retention: Retention, events: Sequence[RunEventRecord]) -> tuple[RunEventRecord, ...]:
    """The latest events that the caps leave."""
    latest = list(events)[-(retention.max_run_events or len(events) or 1) :]
    if retention.max_run_bytes is not None:
        fitting = takewhile(lambda size: size <= retention.max_run_bytes, accumulate(map(json_size, reversed(latest))))
        latest = latest[len(latest) - len(list(fitting)) :]
    return tuple(latest)


@settings(max_examples=150, deadline=None)
@given(max_run_events=CAPS, max_run_bytes=BYTES, steps=STEPS, cursor=st.none() | st.integers(0, 60))
async def test_runs_are_kept_as_a_model_keeps_them(max_run_events, max_run_bytes, steps, cursor) -> None:
    retention = Retention(max_run_events=max_run_events, max_run_bytes=max_run_bytes)
    expected = saved_run("run", (), 0)
    async with MemorySessionStore(retention=retention) as store:
        await store.save(samples.session("a"))
        await store.save_run_records("a", [expected])
        for step, size in steps:
            start = expected.snapshot.event_count
            events = text_events(size, start=start)
            longer = saved_run("run", (*expected.events, *events), start + size)
            match step:
                case "append":
                    await appended_events(store, "a", "run", events[: size // 2], events[size // 2 :])
                case "commit":
                    await store.commit("a", SessionChange(run_events={"run": events}))
                case "save":
                    await store.save_run_records("a", [longer])
                case "save snapshot":
                    snapshot = samples.snapshot("a").model_copy(update={"run_records": [longer]})
                    await store.save_snapshot(snapshot)
            expected = RunRecord(snapshot=longer.snapshot, events=kept(retention, longer.events))
            assert_same(await store.load_run_records("a"), [expected])
            page = await store.read_run_events("a", "run", cursor, 3)
            assert page == page_run_events(expected, cursor, 3)
        loaded = await store.load_snapshot("a")
        assert loaded is not None
        assert_same(loaded.run_records, [expected])


@pytest.mark.parametrize("way", ["save", "commit", "snapshot"])
async def test_the_oldest_runs_go_first(way: str) -> None:
    """By the time they were created, those that were saved first if it is the same; the order of the others stays."""
    times = {"b": 5, "a": 1, "d": 5, "c": 9, "e": 5}
    runs = [_created(run_id, time) for run_id, time in times.items()]
    async with MemorySessionStore(retention=Retention(max_runs=3)) as store:
        match way:
            case "save":
                await store.save_run_records("a", runs)
            case "commit":
                await store.save_run_records("a", runs[:3])
                await store.commit("a", SessionChange(run_records=runs[3:]))
            case "snapshot":
                await store.save_snapshot(samples.snapshot("a").model_copy(update={"run_records": runs}))
        assert_same(await store.load_run_records("a"), [runs[2], runs[3], runs[4]])
        assert await store.read_run_events("a", "a") is None


async def test_a_log_is_cut_only_now_and_then() -> None:
    """It never holds more than twice what is kept, and what is added, and is not written anew each time."""
    backend = MemoryBackend()
    async with LocalSessionStore(backend, Retention(max_run_events=100)) as store:
        await store.save_run_records("a", [saved_run("run", (), 0)])
        lengths, cuts = [], set()
        for number in range(200):
            await appended_events(store, "a", "run", text_events(10, start=10 * number))
            view = await backend.read(Key("default", SESSIONS, "a"), logs={run_events("run"): LogRange(0, 0)})
            assert view is not None
            lengths.append(view.logs[run_events("run")].length)
            cuts.add(view.logs[run_events("run")].shortened_at)
        assert max(lengths) <= 200
        assert len(cuts) <= 1 + 2_000 // 100


async def test_caps_hold_for_what_was_stored_without_them() -> None:
    """The first append applies them."""
    backend = MemoryBackend()
    async with LocalSessionStore(backend) as store:
        await store.save_run_records("a", [saved_run("run", (), 0)])
        await appended_events(store, "a", "run", text_events(20))
        size = json_size(text_events(1)[0])
        capped = LocalSessionStore(_Opened(backend), Retention(max_run_bytes=5 * size + 5))
        await appended_events(capped, "a", "run", text_events(21)[20:])
        (run,) = await capped.load_run_records("a") or []
        assert 1 <= len(run.events) <= 5
        assert run.events == text_events(21)[-len(run.events) :]


@pytest.mark.parametrize("name", ["max_runs", "max_run_events", "max_run_bytes"])
def test_a_cap_is_at_least_one(name: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        Retention(**{name: 0})
    assert caught.value.field == name


class _Opened(MemoryBackend):
    """The data of a backend that is open."""

    def __init__(self, other: MemoryBackend) -> None:
        self.__dict__ = other.__dict__

    async def open(self) -> None:
        pass


def _created(run_id: str, time: int) -> RunRecord:
    run = saved_run(run_id, text_events(2), 2)
    return RunRecord(snapshot=run.snapshot.model_copy(update={"created_at_ms": time}), events=run.events)
