"""What was committed, but never answered, takes effect once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sessionstore import Message, RemoteSessionStore, SessionData, SessionStore, TraceEvent, TraceEventKind
from sessionstore.testing.proxy import LosingProxy
from sessionstore_server.server import running_server
from sessionstore_server.stores import FileSessionStore, MemorySessionStore

EVENT = TraceEvent(
    schema="a3s.trace_event.v1",
    kind=TraceEventKind.TOOL_EXECUTION,
    name="read",
    success=True,
    exit_code=0,
    duration_ms=1,
    output_bytes=1,
)


@pytest.fixture(params=["memory", "file"])
def local_store(request: pytest.FixtureRequest, tmp_path: Path) -> SessionStore:
    stores: dict[str, Callable[[], SessionStore]] = {
        "memory": MemorySessionStore,
        "file": lambda: FileSessionStore(tmp_path / "sessions"),
    }
    return stores[request.param]()


async def test_a_write_whose_answer_was_lost_has_one_effect(local_store: SessionStore) -> None:
    async with (
        running_server(local_store) as server,
        LosingProxy(server.address).running() as proxy,
        RemoteSessionStore(proxy.address) as store,
    ):
        session = SessionData(id="a")
        for turn in range(1, 11):
            session.messages.append(Message.user(f"turn {turn}"))
            proxy.lose_answers = 1
            assert await store.save(session) == turn
            assert proxy.lose_answers == 0
        assert await store.load("a") == session


async def test_a_delete_whose_answer_was_lost_removes_nothing_that_came_after(local_store: SessionStore) -> None:
    async with (
        running_server(local_store) as server,
        LosingProxy(server.address).running() as proxy,
        RemoteSessionStore(proxy.address) as store,
    ):
        await store.save(SessionData(id="a"))
        await store.save_trace_events("a", [EVENT])
        proxy.lose_answers = 1
        await store.delete("a")
        assert proxy.lose_answers == 0
        assert await store.revision("a") == 0
        assert await store.save(SessionData(id="a"), expected_revision=0) == 4
