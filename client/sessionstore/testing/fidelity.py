"""What every store promises about values: nothing is lost, rounded, reordered or normalised on the way."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from sessionstore.model import (
    LoopCheckpoint,
    Message,
    RunRecord,
    SessionData,
    SessionSnapshot,
    TextBlock,
    ToolResultBlock,
    ToolUseBlock,
    UnknownEvent,
    WorkflowCheckpoint,
)
from sessionstore.store import SessionStore
from sessionstore.testing import samples, strategies
from sessionstore.testing.comparison import assert_same

any_value = settings(
    max_examples=20,
    deadline=None,
    # Each example replaces all that it reads, so one store does for all of them; and the examples are the same for
    # every class that joins, so it is no harm that several share this test.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors, HealthCheck.too_slow],
)

EXTREMES: dict[str, Any] = {
    "u64": 2**64 - 1,
    "i64": -(2**63),
    "beyond a double": 2**53 + 1,
    "zero": 0,
    "float zero": 0.0,
    "minus zero": -0.0,
    "one": 1.0,
    "tiny": 5e-324,
    "huge": 1.7976931348623157e308,
    "third": 1 / 3,
    "": {"": []},
    "empty": [{}, [], "", None, False],
    "z then a": {"z": 1, "a": 2},
    "deep": [[[[[[[[[[{"deep": [None]}]]]]]]]]]],
}
"""Open values at the edges of what JSON and its numbers can say."""

ODD_TEXTS = (
    "",
    "\0",
    "\x01\x1f\x7f\x80",
    "\r\n",
    " \t ",
    "\ufeff",
    "\u2028\u2029",
    "\uffff",
    "e\u0301 é",
    "\U0010ffff🧵",
    '\\u0000"/',
)


class SessionFidelityContract:
    """Sessions come back as they were."""

    pytestmark = pytest.mark.asyncio

    @any_value
    @given(session=strategies.sessions())
    async def test_any_session_loads(self, store: SessionStore, session: SessionData) -> None:
        """F1: Any session loads as it was saved, to the last digit and in the same JSON text."""
        await store.save(session)
        assert_same(await store.load(session.id), session)

    async def test_unknown_fields_are_kept(self, store: SessionStore) -> None:
        """F2: Fields that this program does not know are kept at any depth, with their values and their order."""
        session = samples.with_unknown_fields(samples.session("a"))
        assert session.model_dump_json().count(samples.FUTURE_FIELD) > 20
        await store.save(session)
        assert_same(await store.load("a"), session)

    async def test_numbers_are_exact(self, store: SessionStore) -> None:
        """F3: Integers of 64 bits stay exact, floats keep every bit, and 1, 1.0 and true stay what they are."""
        block = ToolUseBlock(id="1", name="count", input=EXTREMES)
        session = SessionData(id="a", messages=[Message(role="assistant", content=(block,))], total_cost=5e-324)
        session.thinking_budget, session.created_at, session.updated_at = 2**64 - 1, -(2**63), 2**63 - 1
        session.context_usage.percent = 0.1
        await store.save(session)
        assert_same(await store.load("a"), session)

    @pytest.mark.parametrize("text", ODD_TEXTS, ids=ascii)
    async def test_text_is_exact(self, store: SessionStore, text: str) -> None:
        """F4: Any Unicode text is kept, character by character, in keys and in values."""
        block = TextBlock.model_validate({"type": "text", "text": text, "x-" + text: {text: [text]}})
        session = SessionData(id="a", messages=[Message(role=text, content=(block,))], model_name=text)
        await store.save(session)
        assert_same(await store.load("a"), session)

    async def test_none_and_defaults_stay_apart(self, store: SessionStore) -> None:
        """F5: None, an empty value, zero and a default stay what they are."""
        for is_error in (None, False, True):
            for content in ("", ()):
                block = ToolResultBlock(tool_use_id="1", content=content, is_error=is_error)
                for reasoning in (None, ""):
                    message = Message(role="user", content=(block,), reasoning_content=reasoning)
                    session = SessionData(id="a", messages=[message], model_name=reasoning, thinking_budget=0)
                    await store.save(session)
                    assert_same(await store.load("a"), session)


class RecordFidelityContract:
    """So do records, snapshots and checkpoints."""

    pytestmark = pytest.mark.asyncio

    @any_value
    @given(snapshot=strategies.snapshots())
    async def test_any_snapshot_loads(self, store: SessionStore, snapshot: SessionSnapshot) -> None:
        """F6: Any session with any records loads as it was saved, whole and part by part."""
        await store.save_snapshot(snapshot)
        session_id = snapshot.session.id
        assert_same(await store.load_snapshot(session_id), snapshot)
        assert_same(await store.load_trace_events(session_id), snapshot.trace_events)
        assert_same(await store.load_run_records(session_id), snapshot.run_records)
        assert_same(await store.load_verification_reports(session_id), snapshot.verification_reports)
        assert_same(await store.load_subagent_tasks(session_id), snapshot.subagent_tasks)

    @settings(any_value, max_examples=3)
    @given(events=strategies.one_run_event_of_each_type())
    async def test_every_type_of_event_loads(self, store: SessionStore, events: tuple[Any, ...]) -> None:
        """F7: Events of every type are kept, each with every field."""
        _, begun = samples.run_records("a")
        runs = [RunRecord(snapshot=begun.snapshot, events=events)]
        await store.save_run_records("a", runs)
        assert_same(await store.load_run_records("a"), runs)

    async def test_unknown_events_are_kept(self, store: SessionStore) -> None:
        """F8: An event of a type that this program does not know is kept with all its fields."""
        finished, begun = samples.run_records("a")
        event = UnknownEvent.model_validate({"type": "from_the_future", "extremes": EXTREMES, "\0": "🧵"})
        record = finished.events[0].model_copy(update={"event": event})
        runs = [RunRecord(snapshot=begun.snapshot, events=(record,))]
        await store.save_run_records("a", runs)
        assert_same(await store.load_run_records("a"), runs)

    async def test_unknown_fields_of_records_are_kept(self, store: SessionStore) -> None:
        """F9: Unknown fields are kept at any depth of records and of the snapshot itself."""
        snapshot = samples.with_unknown_fields(samples.snapshot("a"))
        await store.save_snapshot(snapshot)
        assert_same(await store.load_snapshot("a"), snapshot)

    async def test_unknown_fields_of_checkpoints_are_kept(self, store: SessionStore) -> None:
        """F9: Unknown fields are kept at any depth of checkpoints."""
        loop = samples.with_unknown_fields(samples.loop_checkpoint("a"))
        workflow = samples.with_unknown_fields(samples.workflow_checkpoint("a"))
        await store.save_loop_checkpoint("a", loop)
        await store.save_workflow_checkpoint("a", workflow)
        assert_same(await store.load_loop_checkpoint("a"), loop)
        assert_same(await store.load_workflow_checkpoint("a"), workflow)

    @any_value
    @given(checkpoint=strategies.loop_checkpoints())
    async def test_any_loop_checkpoint_loads(self, store: SessionStore, checkpoint: LoopCheckpoint) -> None:
        """F10: Any loop checkpoint loads as it was saved, with its 128-bit time stamps."""
        await store.save_loop_checkpoint(checkpoint.run_id, checkpoint)
        assert_same(await store.load_loop_checkpoint(checkpoint.run_id), checkpoint)

    @any_value
    @given(checkpoint=strategies.workflow_checkpoints())
    async def test_any_workflow_checkpoint_loads(self, store: SessionStore, checkpoint: WorkflowCheckpoint) -> None:
        """F10: Any workflow checkpoint loads as it was saved."""
        await store.save_workflow_checkpoint(checkpoint.workflow_id, checkpoint)
        assert_same(await store.load_workflow_checkpoint(checkpoint.workflow_id), checkpoint)
