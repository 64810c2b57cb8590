"""What every store promises about errors: they say what is wrong, and a write that fails changes nothing."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import pytest

from sessionstore.errors import InvalidArgumentError, StoreClosedError
from sessionstore.model import Message, SessionData, SessionSnapshot
from sessionstore.store import SessionStore
from sessionstore.testing import samples
from sessionstore.testing.comparison import assert_same

Call = Callable[[SessionStore], Awaitable[Any]]

REQUIRED_CALLS: Mapping[str, Call] = {
    "save": lambda store: store.save(samples.session("a")),
    "load": lambda store: store.load("a"),
    "delete": lambda store: store.delete("a"),
    "list": lambda store: store.list(),
    "exists": lambda store: store.exists("a"),
}
OTHER_CALLS: Mapping[str, Call] = {
    "list_sessions": lambda store: store.list_sessions(),
    "count_sessions": lambda store: store.count_sessions(),
    "acquire_lease": lambda store: store.acquire_lease("a", "holder", 1),
    "list_leases": lambda store: anext(store.list_leases()),
    "watch": lambda store: anext(store.watch()),
    "save_snapshot": lambda store: store.save_snapshot(samples.snapshot("a")),
    "load_snapshot": lambda store: store.load_snapshot("a"),
    "is_snapshot": lambda store: store.is_snapshot("a"),
    "save_artifacts": lambda store: store.save_artifacts("a", samples.artifacts()),
    "load_artifacts": lambda store: store.load_artifacts("a"),
    "save_trace_events": lambda store: store.save_trace_events("a", samples.trace_events()),
    "load_trace_events": lambda store: store.load_trace_events("a"),
    "save_run_records": lambda store: store.save_run_records("a", samples.run_records("a")),
    "load_run_records": lambda store: store.load_run_records("a"),
    "save_verification_reports": lambda store: store.save_verification_reports("a", samples.verification_reports()),
    "load_verification_reports": lambda store: store.load_verification_reports("a"),
    "save_subagent_tasks": lambda store: store.save_subagent_tasks("a", samples.subagent_tasks("a")),
    "load_subagent_tasks": lambda store: store.load_subagent_tasks("a"),
    "save_loop_checkpoint": lambda store: store.save_loop_checkpoint("a", samples.loop_checkpoint("a")),
    "load_loop_checkpoint": lambda store: store.load_loop_checkpoint("a"),
    "delete_loop_checkpoint": lambda store: store.delete_loop_checkpoint("a"),
    "list_loop_checkpoints": lambda store: store.list_loop_checkpoints(),
    "save_workflow_checkpoint": lambda store: store.save_workflow_checkpoint("a", samples.workflow_checkpoint("a")),
    "load_workflow_checkpoint": lambda store: store.load_workflow_checkpoint("a"),
    "delete_workflow_checkpoint": lambda store: store.delete_workflow_checkpoint("a"),
    "list_workflow_checkpoints": lambda store: store.list_workflow_checkpoints(),
    "capabilities": lambda store: store.capabilities(),
    "health_check": lambda store: store.health_check(),
}


class SessionErrorContract:
    """Closed stores, and sessions that hold what they cannot."""

    pytestmark = pytest.mark.asyncio

    @pytest.mark.parametrize("call", REQUIRED_CALLS.values(), ids=REQUIRED_CALLS)
    async def test_closed_store_refuses(self, store: SessionStore, call: Call) -> None:
        """E1: Every operation of a closed store is refused, whether it was used before or not."""
        await store.aclose()
        with pytest.raises(StoreClosedError) as caught:
            await call(store)
        assert caught.value.backend == store.backend_name

    async def test_closing_twice_is_allowed(self, store: SessionStore) -> None:
        """E2: A store may be closed twice, and is closed at the end of its `async with`."""
        async with store as entered:
            assert entered is store
            await store.save(samples.session("a"))
        await store.aclose()
        with pytest.raises(StoreClosedError):
            await store.load("a")

    async def test_value_of_wrong_type_is_refused(self, store: SessionStore) -> None:
        """E3: A session edited into something that it cannot be is refused by the path, and nothing is written."""
        await store.save(samples.session("a"))
        faulty = samples.session("a")
        faulty.tool_names.append(cast("str", 3))
        with pytest.raises(InvalidArgumentError) as caught:
            await store.save(faulty)
        assert caught.value.field.endswith("tool_names[3]")
        assert_same(await store.load("a"), samples.session("a"))

    async def test_message_of_wrong_type_is_refused(self, store: SessionStore) -> None:
        """E3: So is a conversation in which something else than a message stands."""
        session = SessionData(id="a", messages=[Message.user("fine")])
        session.messages.append(cast("Message", "not a message"))
        with pytest.raises(InvalidArgumentError) as caught:
            await store.save(session)
        assert caught.value.field.endswith("messages[1]")
        assert await store.list() == []

    async def test_text_that_is_not_unicode_is_refused(self, store: SessionStore) -> None:
        """E4: Text with an unpaired surrogate, which JSON cannot say, is refused by the path."""
        session = samples.session("a")
        session.tool_names.append("\ud800")
        with pytest.raises(InvalidArgumentError) as caught:
            await store.save(session)
        assert caught.value.field.endswith("tool_names[3]")
        assert await store.list() == []


class RecordErrorContract:
    """The same for everything beside sessions."""

    pytestmark = pytest.mark.asyncio

    @pytest.mark.parametrize("call", OTHER_CALLS.values(), ids=OTHER_CALLS)
    async def test_closed_store_refuses_records(self, store: SessionStore, call: Call) -> None:
        """E1: Every other operation of a closed store is refused too."""
        await store.health_check()
        await store.aclose()
        with pytest.raises(StoreClosedError) as caught:
            await call(store)
        assert caught.value.backend == store.backend_name

    async def test_faulty_record_is_refused(self, store: SessionStore) -> None:
        """E5: Records that were built unchecked with a bad value are refused by the path, and nothing is written."""
        good, other = samples.trace_events()
        await store.save_trace_events("a", [good])
        with pytest.raises(InvalidArgumentError) as caught:
            await store.save_trace_events("a", [other, good.model_copy(update={"exit_code": 2**31})])
        assert caught.value.field.endswith("exit_code")
        assert_same(await store.load_trace_events("a"), [good])

    async def test_faulty_snapshot_is_refused(self, store: SessionStore) -> None:
        """E5: A snapshot with a bad value anywhere is refused by the path, and nothing of it is written."""
        snapshot = SessionSnapshot(session=samples.session("a"))
        snapshot.subagent_tasks.append(samples.subagent_tasks("a")[0].model_copy(update={"started_ms": -1}))
        with pytest.raises(InvalidArgumentError) as caught:
            await store.save_snapshot(snapshot)
        assert caught.value.field.endswith("started_ms")
        assert await store.load("a") is None
