"""What a store promises about events that are appended batch by batch."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import TypeVar

import pytest

from sessionstore.errors import InvalidArgumentError
from sessionstore.model import RunEventRecord, RunRecord, SessionData, TraceEvent
from sessionstore.store import SessionStore
from sessionstore.testing import samples
from sessionstore.testing.comparison import assert_same
from sessionstore.testing.ids import BAD_IDS
from sessionstore.testing.run_records import text_events

T = TypeVar("T")

_NOT_TEXT = "\ud800"


class CallerError(Exception):
    """Something that goes wrong where the batches come from."""


class AppendContract:
    """Each event once, in order, durable when told."""

    pytestmark = pytest.mark.asyncio

    async def test_appended_trace_events_stand_behind_the_others(self, store: SessionStore) -> None:
        """J1: Trace events are added behind what is stored, in their order, equal ones too."""
        saved, added = samples.trace_events(), numbered_traces(50)
        await store.save_trace_events("a", saved)
        assert await appended_traces(store, "a", added[:20], added[20:21], added[21:]) == 50
        assert await appended_traces(store, "a", saved, saved) == 4
        assert_same(await store.load_trace_events("a"), [*saved, *added, *saved, *saved])

    async def test_appended_run_events_stand_behind_the_others(self, store: SessionStore) -> None:
        """J2: Events are added to their run and counted there; the rest of the runs stays as it is."""
        finished, begun = samples.run_records("a")
        await store.save_run_records("a", [finished, begun])
        events = text_events(30)
        assert await appended_events(store, "a", begun.snapshot.id, events[:10], events[10:]) == 30
        counted = begun.snapshot.model_copy(update={"event_count": 30})
        assert_same(await store.load_run_records("a"), [finished, RunRecord(snapshot=counted, events=events)])

    async def test_run_goes_on_where_it_ends(self, store: SessionStore) -> None:
        """J3: The next sequence is the event count, or follows the last event if that is greater."""
        for number, count in enumerate((0, 7, 8, 1000)):
            run = saved_run(f"run-{number}", text_events(3, start=5), count)
            following = text_events(2, start=max(8, count))
            await store.save_run_records("a", [run])
            await appended_events(store, "a", run.snapshot.id, following[:1])
            await appended_events(store, "a", run.snapshot.id, following[1:])
            counted = run.snapshot.model_copy(update={"event_count": max(8, count) + 2})
            appended = RunRecord(snapshot=counted, events=(*run.events, *following))
            assert_same(await store.load_run_records("a"), [appended])

    async def test_what_is_told_is_durable(self, store: SessionStore) -> None:
        """J4: At each position that is told, so many events can be read; positions rise up to the number of events."""
        events = numbered_traces(200)
        positions = []
        async for position in store.append_trace_events("a", each([events[i : i + 7] for i in range(0, 200, 7)])):
            stored = await store.load_trace_events("a")
            assert stored is not None
            assert stored[:position] == events[:position]
            positions.append(position)
        assert positions == sorted(set(positions))
        assert positions[-1] == 200

    async def test_batches_of_any_size(self, store: SessionStore) -> None:
        """J5: A batch may be empty or huge; one event may be as large as several MiB."""
        large = samples.trace_events()[0].model_copy(update={"name": "x" * (3 << 20)})
        events = numbered_traces(2_500)
        assert await appended_traces(store, "a", [], [large], [], events, [large, large]) == 2_503
        assert await store.load_trace_events("a") == [large, *events, large, large]

    async def test_append_of_nothing_changes_nothing(self, store: SessionStore) -> None:
        """J6: An append without events writes nothing: what was never saved is None afterwards."""
        await store.save(SessionData(id="a"))
        assert [position async for position in store.append_trace_events("a", each([[], []]))] == []
        assert await store.load_trace_events("a") is None
        assert await store.revision("a") == 1

    async def test_append_makes_no_session(self, store: SessionStore) -> None:
        """J7: Appended events need no session and make none; nothing else of the session is touched."""
        await appended_traces(store, "a", samples.trace_events())
        assert await store.load("a") is None
        assert await store.list() == []
        assert await store.load_snapshot("a") is None
        await store.save_snapshot(samples.snapshot("a"))
        await appended_traces(store, "a", samples.trace_events())
        snapshot = samples.snapshot("a")
        snapshot.trace_events = [*snapshot.trace_events, *samples.trace_events()]
        assert_same(await store.load_snapshot("a"), snapshot)

    async def test_several_append_at_once(self, store: SessionStore) -> None:
        """J8: All that several writers append at once is kept, that of each in its order."""
        writers = [numbered_traces(60, name=f"writer {number}") for number in range(5)]
        appends = (appended_traces(store, "a", *(events[i : i + 3] for i in range(0, 60, 3))) for events in writers)
        assert await asyncio.gather(*appends) == [60] * 5
        stored = await store.load_trace_events("a") or []
        assert len(stored) == 300
        for events in writers:
            assert [event for event in stored if event.name == events[0].name] == events

    async def test_append_beside_other_writes(self, store: SessionStore) -> None:
        """J9: Events that are appended while the session is saved and its runs grow are kept, and so is the rest."""
        session, run = samples.session("a"), saved_run("run", (), 0)
        await store.save_run_records("a", [run])
        events = text_events(60)

        async def save_often() -> None:
            for number in range(20):
                await store.save(session.model_copy(update={"updated_at": number}))

        await asyncio.gather(
            appended_events(store, "a", "run", *(events[i : i + 3] for i in range(0, 60, 3))),
            appended_traces(store, "a", *([event] for event in numbered_traces(20))),
            save_often(),
        )
        counted = run.snapshot.model_copy(update={"event_count": 60})
        assert_same(await store.load_run_records("a"), [RunRecord(snapshot=counted, events=events)])
        assert await store.load_trace_events("a") == numbered_traces(20)
        assert_same(await store.load("a"), session.model_copy(update={"updated_at": 19}))

    async def test_run_must_be_stored(self, store: SessionStore) -> None:
        """J10: Events of a run that is not stored are an InvalidArgumentError for `run_id`."""
        await store.save_run_records("a", [saved_run("other", (), 0)])
        for session_id in ("a", "b"):
            with pytest.raises(InvalidArgumentError) as caught:
                await appended_events(store, session_id, "run", text_events(1))
            assert caught.value.field == "run_id"
        assert await store.load_run_records("b") is None

    @pytest.mark.parametrize("sequence", [0, 3, 5, 2**63])
    async def test_sequences_go_on_without_gaps(self, store: SessionStore, sequence: int) -> None:
        """J11: A sequence that does not follow is refused by its place in the stream; what came before is kept."""
        await store.save_run_records("a", [saved_run("run", text_events(2), 2)])
        good, bad = text_events(4)[2:], text_events(1, start=sequence)
        with pytest.raises(InvalidArgumentError) as caught:
            await appended_events(store, "a", "run", good, bad)
        assert caught.value.field == "run_events[2].sequence"
        (run,) = await store.load_run_records("a") or []
        assert run.events == text_events(4)
        with pytest.raises(InvalidArgumentError) as caught:
            await appended_events(store, "a", "run", text_events(1, start=2))
        assert caught.value.field == "run_events[0].sequence"

    async def test_bad_event_is_refused(self, store: SessionStore) -> None:
        """J12: A bad event is refused by its place in the stream; the events before it are kept."""
        good = numbered_traces(3)
        bad = good[0].model_copy(update={"name": _NOT_TEXT})
        with pytest.raises(InvalidArgumentError) as caught:
            await appended_traces(store, "a", good, [good[0], bad])
        assert caught.value.field.startswith("trace_events[4]")
        assert await store.load_trace_events("a") == [*good, good[0]]

    async def test_error_of_the_caller_ends_the_stream(self, store: SessionStore) -> None:
        """J13: What the caller's own batches raise is raised, once all that came before is durable."""
        events = numbered_traces(30)

        async def failing() -> AsyncIterator[Sequence[TraceEvent]]:
            for event in events:
                yield [event]
            raise CallerError

        with pytest.raises(CallerError):
            await last(store.append_trace_events("a", failing()))
        assert await store.load_trace_events("a") == events

    async def test_stream_that_is_left(self, store: SessionStore) -> None:
        """J14: A caller who leaves the stream, or is cancelled, stops it; what was told stays."""
        events = numbered_traces(3)
        told = asyncio.Event()

        async def endless() -> AsyncIterator[Sequence[TraceEvent]]:
            yield events
            await asyncio.Event().wait()

        async with aclosing(store.append_trace_events("a", endless())) as positions:  # type: ignore[type-var]
            assert await anext(positions) == 3

        async def append() -> None:
            async for _ in store.append_trace_events("a", endless()):
                told.set()

        appending = asyncio.create_task(append())
        await told.wait()
        appending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await appending
        assert await store.load_trace_events("a") == [*events, *events]

    @pytest.mark.parametrize("bad_id", BAD_IDS.values(), ids=BAD_IDS)
    async def test_ids_of_appends(self, store: SessionStore, bad_id: str) -> None:
        """J15: Ids follow I1 and I2, by the names `session_id` and `run_id`."""
        with pytest.raises(InvalidArgumentError) as caught:
            await appended_traces(store, bad_id, samples.trace_events())
        assert caught.value.field == "session_id"
        with pytest.raises(InvalidArgumentError) as caught:
            await appended_events(store, "a", bad_id, text_events(1))
        assert caught.value.field == "run_id"


def numbered_traces(count: int, name: str = "tool") -> list[TraceEvent]:
    """Return trace events that differ."""
    event = samples.trace_events()[0]
    return [event.model_copy(update={"name": name, "duration_ms": number}) for number in range(count)]


def saved_run(run_id: str, events: tuple[RunEventRecord, ...], event_count: int) -> RunRecord:
    """Return a run that goes on."""
    _, begun = samples.run_records("a")
    return RunRecord(
        snapshot=begun.snapshot.model_copy(update={"id": run_id, "event_count": event_count}), events=events
    )


async def appended_traces(store: SessionStore, session_id: str, *batches: Sequence[TraceEvent]) -> int:
    """Append trace events; return how many are durable."""
    return await last(store.append_trace_events(session_id, each(batches)))


async def appended_events(store: SessionStore, session_id: str, run_id: str, *batches: Sequence[RunEventRecord]) -> int:
    """Append events to a run; return how many are durable."""
    return await last(store.append_run_events(session_id, run_id, each(batches)))


async def each(batches: Sequence[T]) -> AsyncIterator[T]:
    """Iterate over what a sequence holds."""
    for batch in batches:
        yield batch


async def last(positions: AsyncIterator[int]) -> int:
    """Return the last of some positions, 0 if there are none."""
    position = 0
    async for told in positions:
        position = told
    return position
