"""Events on their way into batches: also those that are rarely sent, and none that is wrong."""

from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given, settings

from sessionstore import InvalidArgumentError, MemorySessionStore, RunEventRecord, SessionStore
from sessionstore.model import TextDeltaEvent, TokenUsage, TurnEndEvent
from sessionstore.testing import samples
from sessionstore.testing.fidelity import any_value
from sessionstore.testing.strategies import one_run_event_of_each_type

RARE = TurnEndEvent(turn=1, usage=TokenUsage(prompt_tokens=1, completion_tokens=2, total_tokens=3))
USUAL = TextDeltaEvent(text="a")


async def begin_run(store: SessionStore) -> str:
    _, begun = samples.run_records("a")
    await store.save_run_records("a", [begun])
    return begun.snapshot.id


async def append(store: SessionStore, run_id: str, *events: Sequence[RunEventRecord]) -> None:
    async def batches() -> AsyncIterator[Sequence[RunEventRecord]]:
        for batch in events:
            yield batch

    async for _ in store.append_run_events("a", run_id, batches()):
        pass


async def stored(store: SessionStore) -> Sequence[RunEventRecord]:
    runs = await store.load_run_records("a")
    assert runs is not None
    return runs[0].events


def numbered(*events: TextDeltaEvent | TurnEndEvent) -> list[RunEventRecord]:
    return [RunEventRecord(sequence=number, timestamp_ms=number, event=event) for number, event in enumerate(events)]


@settings(any_value, max_examples=3)
@given(one_run_event_of_each_type())
async def test_events_of_all_types_arrive(events: tuple[RunEventRecord, ...]) -> None:
    async with MemorySessionStore() as store:
        await append(store, await begin_run(store), events)
        assert await stored(store) == events


@pytest.mark.parametrize("event", [USUAL, RARE], ids=["usual", "rare"])
async def test_only_what_stands_before_a_bad_event_arrives(event: TextDeltaEvent | TurnEndEvent) -> None:
    good = numbered(USUAL, RARE, USUAL)
    bad = numbered(event)[0].model_copy(update={"sequence": 4, "timestamp_ms": -1})
    behind = good[0].model_copy(update={"sequence": 5})
    async with MemorySessionStore() as store:
        run_id = await begin_run(store)
        with pytest.raises(InvalidArgumentError) as caught:
            await append(store, run_id, good, [good[0].model_copy(update={"sequence": 3}), bad, behind])
        assert caught.value.field == "run_events[4].timestamp_ms"
        assert [event.sequence for event in await stored(store)] == [0, 1, 2, 3]


async def test_what_is_no_event_is_refused() -> None:
    async with MemorySessionStore() as store:
        run_id = await begin_run(store)
        with pytest.raises(InvalidArgumentError, match=r"^run_events\[1\]: .*RunEventRecord"):
            await append(store, run_id, [*numbered(USUAL), USUAL])  # type: ignore[list-item]
        assert await stored(store) == tuple(numbered(USUAL))


async def test_a_large_batch_is_sent_in_parts() -> None:
    events = numbered(*[TextDeltaEvent(text="a" * 500_000)] * 5, *[USUAL] * 2_500)
    async with MemorySessionStore() as store:
        await append(store, await begin_run(store), events)
        assert await stored(store) == tuple(events)
