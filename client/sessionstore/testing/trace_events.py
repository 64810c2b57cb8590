"""What a store promises about trace events beyond what holds for records of any kind."""

import pytest

from sessionstore.store import SessionStore
from sessionstore.testing import samples
from sessionstore.testing.comparison import assert_same


class TraceEventContract:
    """A trace is a list of values."""

    pytestmark = pytest.mark.asyncio

    async def test_equal_events_are_all_kept(self, store: SessionStore) -> None:
        """T1: Equal trace events are as many as were saved, in their order."""
        first, second = samples.trace_events()
        events = [second, first, first, second, first]
        await store.save_trace_events("a", events)
        assert_same(await store.load_trace_events("a"), events)

    async def test_long_trace(self, store: SessionStore) -> None:
        """T2: No trace is cut: 3,000 events load in their order."""
        (event, _) = samples.trace_events()
        events = [event.model_copy(update={"duration_ms": number}) for number in range(3_000)]
        await store.save_trace_events("a", events)
        assert await store.load_trace_events("a") == events

    async def test_foreign_schema_is_kept(self, store: SessionStore) -> None:
        """T3: The schema of a trace event is kept and not checked."""
        events = [event.model_copy(update={"schema": "example.trace.v9"}) for event in samples.trace_events()]
        await store.save_trace_events("a", events)
        assert_same(await store.load_trace_events("a"), events)
