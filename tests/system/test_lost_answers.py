"""What was committed, but never answered, takes effect once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from sessionstore import Message, RemoteSessionStore, SessionData, SessionStore
from sessionstore.testing import samples
from sessionstore.testing.proxy import LosingProxy
from sessionstore.testing.requests import PAIRS
from sessionstore_server.server import running_server
from sessionstore_server.stores import FileSessionStore, MemorySessionStore

CLIENTS = 16
UPDATES = 8
"""Of each client."""


class Lossy(NamedTuple):
    """A proxy before a server, a store that goes through it, and one that does not."""

    proxy: LosingProxy
    store: RemoteSessionStore
    direct: RemoteSessionStore


@pytest.fixture(params=["memory", "file"])
def local_store(request: pytest.FixtureRequest, tmp_path: Path) -> SessionStore:
    stores: dict[str, Callable[[], SessionStore]] = {
        "memory": MemorySessionStore,
        "file": lambda: FileSessionStore(tmp_path / "sessions"),
    }
    return stores[request.param]()


@pytest.fixture
async def lossy(local_store: SessionStore) -> AsyncIterator[Lossy]:
    async with (
        running_server(local_store) as server,
        LosingProxy(server.address).running() as proxy,
        RemoteSessionStore(proxy.address) as store,
        RemoteSessionStore(server.address) as direct,
    ):
        yield Lossy(proxy, store, direct)


async def test_a_save_whose_answer_was_lost_has_one_effect(lossy: Lossy) -> None:
    session = SessionData(id="a")
    for turn in range(1, 11):
        session.messages.append(Message.user(f"turn {turn}"))
        lossy.proxy.lose_answers = 1
        assert await lossy.store.save(session, expected_revision=turn - 1) == turn
        assert lossy.proxy.lost_answers == turn
    assert await lossy.store.load("a") == session


@pytest.mark.parametrize("name", PAIRS)
async def test_every_write_whose_answer_was_lost_has_one_effect(lossy: Lossy, name: str) -> None:
    write, undo = PAIRS[name]
    before = await undo(lossy.direct)
    lossy.proxy.lose_answers = 2
    written = await write(lossy.store)
    assert lossy.proxy.lost_answers == 2
    assert written in (None, before + 1)
    assert await undo(lossy.direct) == before + 2


async def test_a_delete_whose_answer_was_lost_removes_nothing_that_came_after(lossy: Lossy) -> None:
    await lossy.store.save(SessionData(id="a"))
    await lossy.store.save_trace_events("a", samples.trace_events())
    lossy.proxy.lose_answers = 1
    await lossy.store.delete("a")
    assert lossy.proxy.lost_answers == 1
    assert await lossy.store.revision("a") == 0
    assert await lossy.store.save(SessionData(id="a"), expected_revision=0) == 4


async def test_leases_whose_answers_were_lost_change_once(lossy: Lossy) -> None:
    lossy.proxy.lose_answers = 2
    lease = await lossy.store.acquire_lease("a", "one", 60)
    assert [held async for held in lossy.direct.list_leases()] == [lease]
    lossy.proxy.lose_answers = 2
    lease = await lossy.store.renew_lease(lease, 120)
    assert [held async for held in lossy.direct.list_leases()] == [lease]
    lossy.proxy.lose_answers = 2
    await lossy.store.release_lease(lease)
    assert lossy.proxy.lost_answers == 6
    assert (await lossy.direct.acquire_lease("a", "two", 60)).epoch == lease.epoch + 1


async def test_lost_answers_of_many_clients(local_store: SessionStore) -> None:
    """Each client has a connection of its own, and loses one of twelve answers, but never too many in a row."""
    async with running_server(local_store) as server, AsyncExitStack() as stack:
        proxies = [LosingProxy(server.address, lost_share=0.08, seed=number) for number in range(CLIENTS)]
        for proxy in proxies:
            await stack.enter_async_context(proxy.running())
        stores = [await stack.enter_async_context(RemoteSessionStore(proxy.address)) for proxy in proxies]
        await stores[0].save(SessionData(id="a"))
        await asyncio.gather(*(_append(store, number) for number, store in enumerate(stores)))
        session = await stores[0].load("a")
        assert session is not None
        texts = [message.content[0].text for message in session.messages]
        assert sorted(texts) == sorted(f"{client} {number}" for client in range(CLIENTS) for number in range(UPDATES))
        assert await stores[0].revision("a") == 1 + CLIENTS * UPDATES
        assert sum(proxy.lost_answers for proxy in proxies) > CLIENTS


async def _append(store: RemoteSessionStore, client: int) -> None:
    for number in range(UPDATES):
        message = Message.user(f"{client} {number}")
        await store.update("a", lambda session, message=message: session.messages.append(message), attempts=10_000)
