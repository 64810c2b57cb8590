"""What a client holds of a conversation ends with the program that told it."""

from sessionstore import Message, RemoteSessionStore, SessionData
from sessionstore_server.server import running_server
from sessionstore_server.stores import MemorySessionStore


async def grow(store: RemoteSessionStore, session: SessionData, turns: int, author: str) -> None:
    for turn in range(turns):
        session.messages.append(Message.user(f"{author} {turn}"))
        await store.save(session)


async def test_a_store_that_began_anew_is_not_taken_for_the_old_one() -> None:
    mine, theirs = SessionData(id="a"), SessionData(id="a")
    async with running_server(MemorySessionStore()) as server:
        address = server.address
        first = RemoteSessionStore(address)
        await grow(first, mine, 3, "mine")
    async with running_server(MemorySessionStore(), address), first, RemoteSessionStore(address) as second:
        await grow(second, theirs, 5, "theirs")
        assert await first.load("a") == theirs
        mine.messages.append(Message.user("mine again"))
        await first.save(mine)
        assert await second.load("a") == mine
