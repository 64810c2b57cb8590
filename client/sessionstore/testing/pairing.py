"""What a store promises about commits that ask for a check of tool calls and of sequences."""

import pytest

from sessionstore.errors import InvalidArgumentError
from sessionstore.model import Message, SessionData, ToolResultBlock, ToolUseBlock
from sessionstore.store import SessionChange, SessionStore
from sessionstore.testing import samples
from sessionstore.testing.comparison import assert_same
from sessionstore.testing.run_records import text_events


class PairingContract:
    """Each result has its call."""

    pytestmark = pytest.mark.asyncio

    async def test_pairing_is_checked_on_request(self, store: SessionStore) -> None:
        """G9: A checked commit whose conversation would have a result without an open call is refused, and named."""
        await store.save(SessionData(id="a", messages=[Message.user("go"), _call("1")]))
        for messages, field in (
            ([_result("2")], "messages[2].content[0].tool_use_id"),
            ([_result("1"), _result("1")], "messages[3].content[0].tool_use_id"),
            ([_result("2"), _call("2")], "messages[2].content[0].tool_use_id"),
        ):
            with pytest.raises(InvalidArgumentError) as caught:
                await store.commit("a", SessionChange(messages=messages), check_pairing=True)
            assert caught.value.field == field
        assert await store.revision("a") == 1
        await store.commit("a", SessionChange(messages=[_result("1"), _call("1"), _call("2")]), check_pairing=True)
        await store.commit("a", SessionChange(messages=[_result("2"), _result("1")]), check_pairing=True)
        await store.commit("a", SessionChange(messages=[_result("1")]))
        with pytest.raises(InvalidArgumentError) as caught:
            await store.commit("a", SessionChange(trace_events=samples.trace_events()), check_pairing=True)
        assert caught.value.field == "messages[7].content[0].tool_use_id"

    async def test_pairing_of_a_session_that_goes_on(self, store: SessionStore) -> None:
        """G9: So is one that replaces the session: what counts is the conversation that it leads to."""
        session = SessionData(id="a", messages=[_call("1"), _result("1")])
        await store.commit("a", SessionChange(session=session), check_pairing=True)
        session.messages.append(_result("1"))
        with pytest.raises(InvalidArgumentError) as caught:
            await store.commit("a", SessionChange(session=session), check_pairing=True)
        assert caught.value.field == "messages[2].content[0].tool_use_id"
        session.messages[1:2] = []
        assert await store.commit("a", SessionChange(session=session), check_pairing=True) == 2
        assert_same(await store.load("a"), session)

    async def test_sequences_are_checked_on_request(self, store: SessionStore) -> None:
        """G9: So is one with a run whose sequences do not grow."""
        first, second = text_events(2)
        _, begun = samples.run_records("a")
        run = begun.model_copy(update={"events": (second, first)})
        with pytest.raises(InvalidArgumentError) as caught:
            await store.commit("a", SessionChange(run_records=[run]), check_pairing=True)
        assert caught.value.field == "run_records[0].events[1].sequence"
        assert await store.commit("a", SessionChange(run_records=[run])) == 1


def _call(call_id: str) -> Message:
    return Message(role="assistant", content=(ToolUseBlock(id=call_id, name="tool", input=None),))


def _result(call_id: str) -> Message:
    return Message(role="user", content=(ToolResultBlock(tool_use_id=call_id, content="done"),))
