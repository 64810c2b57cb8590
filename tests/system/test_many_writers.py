"""Many clients change one session through a server process: every change that was acknowledged is there, once."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

import pytest

from sessionstore import Message, RemoteSessionStore, SessionData

CLIENTS = 16
UPDATES = 2_000
"""Of all clients together."""


@pytest.mark.timeout(300)
async def test_no_update_is_lost(serve, folder) -> None:
    server = await serve(f"file:{folder}")
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(server.store()) for _ in range(CLIENTS)]
        first = await stores[0].save(SessionData(id="a"))
        numbers = iter(range(UPDATES))
        await asyncio.gather(*(append(store, numbers) for store in stores))
        assert await stores[0].revision("a") == first + UPDATES
    async with server.store() as fresh:
        session = await fresh.load("a")
    assert session is not None
    counted = Counter(message.content[0].text for message in session.messages)
    assert counted == Counter(map(str, range(UPDATES)))


async def append(store: RemoteSessionStore, numbers) -> None:
    for number in numbers:
        message = Message.user(str(number))
        await store.update("a", lambda session, message=message: session.messages.append(message), attempts=10_000)
