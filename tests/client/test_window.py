"""What a stream that appends keeps until it is durable, and how it is sent."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from sessionstore.adapter.window import JOINED_BYTES, MAX_BATCHES, Batch, Window
from sessionstore.v1.trace_pb2 import TraceEvent, TraceEventBatch


def following(*sizes: int) -> list[Batch]:
    """Return batches of two records each."""
    records = TraceEventBatch(trace_events=[TraceEvent(name="one"), TraceEvent(name="two")])
    return [Batch(2 * number, records, 2, size) for number, size in enumerate(sizes)]


async def each(batches: Sequence[Batch]) -> AsyncIterator[Batch]:
    for batch in batches:
        yield batch


async def test_small_batches_travel_together() -> None:
    window, batches = Window(), following(JOINED_BYTES // 2, JOINED_BYTES // 2, 1, 1)
    await window.fill(each(batches))
    assert await window.batches_at(0) == batches[:2]
    assert await window.batches_at(2) == batches[1:]
    assert await window.batches_at(4) == batches[2:]
    assert await window.batches_at(8) == []


async def test_a_large_batch_travels_alone() -> None:
    window, batches = Window(), following(1, JOINED_BYTES + 1, JOINED_BYTES + 1)
    await window.fill(each(batches))
    assert await window.batches_at(0) == batches[:1]
    assert await window.batches_at(2) == batches[1:2]
    assert await window.batches_at(4) == batches[2:]


async def test_what_is_ready_is_sent_before_the_next_is_made() -> None:
    """Also when the caller has everything at once."""
    window, batches = Window(), following(1, 1, 1)
    filling = asyncio.create_task(window.fill(each(batches)))
    assert await window.batches_at(0) == batches[:1]
    await filling


async def test_what_is_not_durable_is_kept_and_bounded() -> None:
    window, batches = Window(), following(*[1] * (MAX_BATCHES + 1))
    filling = asyncio.create_task(window.fill(each(batches)))
    for _ in range(1_000):
        await asyncio.sleep(0)
    assert await window.batches_at(0) == batches[:MAX_BATCHES]
    assert await window.confirm(4)
    assert not await window.confirm(3)
    await filling
    assert await window.batches_at(window.start) == batches[2:]
