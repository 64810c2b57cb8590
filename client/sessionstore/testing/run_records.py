"""What a store promises about runs beyond what holds for records of any kind."""

import pytest

from sessionstore.errors import InvalidArgumentError
from sessionstore.model import RunEventRecord, RunRecord, TextDeltaEvent
from sessionstore.store import SessionStore
from sessionstore.testing import samples
from sessionstore.testing.comparison import assert_same


class RunRecordContract:
    """Runs in their order, each with its events."""

    pytestmark = pytest.mark.asyncio

    async def test_runs_keep_their_order(self, store: SessionStore) -> None:
        """R1: Runs load in the order they were saved, whatever their ids and times are."""
        runs = [_run(run_id) for run_id in ("z", "a", "m", "a/events", "a/snapshot", "/", "../a", "🏃")]
        await store.save_run_records("a", runs)
        assert_same(await store.load_run_records("a"), runs)

    async def test_repeated_run_id_is_refused(self, store: SessionStore) -> None:
        """R2: Two runs of one id are refused by the place of the second, and nothing is written."""
        await store.save_run_records("a", [_run("kept")])
        with pytest.raises(InvalidArgumentError) as caught:
            await store.save_run_records("a", [_run("b"), _run("c"), _run("b")])
        assert caught.value.field == "run_records[2].snapshot.id"
        assert_same(await store.load_run_records("a"), [_run("kept")])

    async def test_runs_of_two_sessions_may_share_an_id(self, store: SessionStore) -> None:
        """R3: A run belongs to the session under which it was saved; another session may have a run of that id."""
        await store.save_run_records("a", [_run("run", text_events(3))])
        await store.save_run_records("b", [_run("run", text_events(1))])
        assert_same(await store.load_run_records("a"), [_run("run", text_events(3))])
        assert_same(await store.load_run_records("b"), [_run("run", text_events(1))])

    async def test_counters_are_kept_as_they_are(self, store: SessionStore) -> None:
        """R4: Sequences may begin above 0 and have gaps, and the event count may be larger than what is kept."""
        events = (*text_events(2, start=7), *text_events(1, start=2**63))
        runs = [_run("run", events, event_count=2**64 - 1)]
        await store.save_run_records("a", runs)
        assert_same(await store.load_run_records("a"), runs)

    async def test_long_run(self, store: SessionStore) -> None:
        """R5: No run is cut: 3,000 events load in their order."""
        runs = [_run("run", text_events(3_000))]
        await store.save_run_records("a", runs)
        assert await store.load_run_records("a") == runs

    async def test_run_that_was_dropped_leaves_nothing(self, store: SessionStore) -> None:
        """R6: A run that returns after it was dropped has only the events it returned with."""
        await store.save_run_records("a", [_run("run", text_events(3)), _run("other")])
        await store.save_run_records("a", [_run("other")])
        await store.save_run_records("a", [_run("run")])
        assert_same(await store.load_run_records("a"), [_run("run")])


def text_events(count: int, start: int = 0) -> tuple[RunEventRecord, ...]:
    """Return `count` events from the sequence `start` on."""
    return tuple(
        RunEventRecord(sequence=start + number, timestamp_ms=number, event=TextDeltaEvent(text=str(number)))
        for number in range(count)
    )


def _run(run_id: str, events: tuple[RunEventRecord, ...] = (), event_count: int | None = None) -> RunRecord:
    _, begun = samples.run_records("a")
    counted = len(events) if event_count is None else event_count
    return RunRecord(snapshot=begun.snapshot.model_copy(update={"id": run_id, "event_count": counted}), events=events)
