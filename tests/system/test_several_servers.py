"""Several server processes over the same data, and clients that know all of them."""

import asyncio
import signal
from collections.abc import Awaitable, Callable

import pytest
from tests.system.conftest import ServerProcess
from tests.system.load import under_load
from tests.system.model_check import Added, Read, Refused, Seen, check

from sessionstore import Message, RemoteSessionStore, RevisionConflictError, SessionData
from sessionstore.errors import LeaseHeldError, StaleLeaseError
from sessionstore.testing.appends import each, numbered_traces
from sessionstore.testing.requests import PAIRS, Asked, asked
from sessionstore.testing.watching import told, watching
from sessionstore.transport import Kind

WRITES = 60
"""How many messages are added between two things that happen."""

Serve = Callable[..., Awaitable[ServerProcess]]


@pytest.fixture(params=["postgresql", "sqlite", "file"])
def url(request: pytest.FixtureRequest, folder) -> str:
    if request.param == "postgresql":
        dsn: str = request.getfixturevalue("postgres_dsn")()
        return dsn
    return f"{request.param}:{folder}"


@pytest.fixture
async def servers(serve: Serve, url: str) -> list[ServerProcess]:
    """Two servers, started at the same time on a store that does not exist yet."""
    return list(await asyncio.gather(serve(url), serve(url)))


async def test_a_commit_through_one_server_is_known_to_the_other(servers) -> None:
    """What a client holds of a conversation by one server counts at the other; so do revisions."""
    first, second = servers
    session = SessionData(id="a", messages=[Message.user("1")])
    async with first.store() as one, second.store() as two:
        assert await one.save(session, expected_revision=0) == 1
        assert await two.load("a") == session
        longer = SessionData(id="a", messages=[*session.messages, Message.user("2")])
        assert await two.save(longer, expected_revision=1) == 2
        with pytest.raises(RevisionConflictError) as caught:
            await one.save(session, expected_revision=1)
        assert caught.value == RevisionConflictError("a", 1, 2)
        assert await one.load("a") == longer


async def test_a_repeat_at_the_other_server_is_answered_as_the_first_time(servers) -> None:
    first, second = servers
    async with first.store() as one, second.store() as two:
        for name, (write, undo) in PAIRS.items():
            request = (await asked(write)).but(request_id=name)
            answer = await answer_of(one, request)
            await undo(two)
            before = await one.revision("a"), await one.load_snapshot("a")
            assert await answer_of(two, request) == answer, name
            assert (await one.revision("a"), await one.load_snapshot("a")) == before, name


async def answer_of(store: RemoteSessionStore, asked: Asked) -> object:
    if asked.method.kind is Kind.UNARY:
        return await store._transport.unary(asked.method, asked.parts[0])
    return await store._transport.upload(asked.method, each(asked.parts))


async def test_a_lease_holds_at_the_other_server(servers) -> None:
    first, second = servers
    async with first.store() as one, second.store() as two:
        lease = await one.acquire_lease("a", "one", 60)
        with pytest.raises(LeaseHeldError):
            await two.acquire_lease("a", "two", 60)
        await two.save(SessionData(id="a"), lease_epoch=lease.epoch)
        await two.release_lease(lease)
        successor = await two.acquire_lease("a", "two", 60)
        with pytest.raises(StaleLeaseError):
            await one.save(SessionData(id="a"), lease_epoch=lease.epoch)
        await one.save(SessionData(id="a"), lease_epoch=successor.epoch)


async def test_a_watch_sees_what_the_other_server_commits(servers) -> None:
    first, second = servers
    async with first.store() as one, second.store() as two, watching(two) as pages:
        await anext(pages)
        for _ in range(3):
            await one.save(SessionData(id="a"))
        assert [notice.revision for notice in await told(pages, 3)] == [1, 2, 3]


async def test_a_follower_sees_what_the_other_server_appends(servers) -> None:
    first, second = servers
    events = numbered_traces(30)
    async with first.store() as one, second.store() as two:
        await one.save_trace_events("a", events[:10])
        following = asyncio.create_task(followed(two, len(events)))
        async for _ in one.append_trace_events("a", each([events[10:20], events[20:]])):
            pass
        assert await following == events


async def followed(store: RemoteSessionStore, number: int) -> list[object]:
    """Follow the trace events of the session from the first one, up to so many."""
    events: list[object] = []
    async for event in store.follow_trace_events("a"):
        events.append(event)
        if len(events) == number:
            break
    return events


async def test_streams_go_on_at_the_other_server(servers, serve, url: str) -> None:
    """Nothing is missing and nothing there twice, although each server is killed once under each stream."""
    addresses = [server.address for server in servers]
    events = numbered_traces(400)
    killed = asyncio.create_task(kill_in_turn(servers, serve, url))

    async def batches():
        for start in range(0, len(events), 4):
            yield events[start : start + 4]
            if start == 200:
                await killed

    async with RemoteSessionStore(addresses) as store, RemoteSessionStore(addresses) as other:
        await store.save_trace_events("a", [])
        following = asyncio.create_task(followed(other, len(events)))
        assert [position async for position in store.append_trace_events("a", batches())][-1] == len(events)
        assert await following == events
        assert await store.load_trace_events("a") == events


async def test_a_watch_goes_on_at_the_other_server(servers, serve, url: str) -> None:
    """After a kill a commit may be told twice, but none too late and none never."""
    addresses = [server.address for server in servers]
    async with RemoteSessionStore(addresses) as store, RemoteSessionStore(addresses) as other, watching(other) as pages:
        await anext(pages)
        killing = asyncio.create_task(kill_in_turn(servers, serve, url))
        last = await saved_until(killing, store)
        revisions: list[int] = []
        while last not in revisions:
            revisions += [notice.revision for notice in (await anext(pages)).commits]
        assert list(dict.fromkeys(revisions)) == list(range(1, last + 1))


async def saved_until(killing: asyncio.Task[None], store: RemoteSessionStore) -> int:
    """Save a session again and again, at least once after the last kill; return the last revision."""
    while not killing.done():
        await store.save(SessionData(id="a"))
    await killing
    return await store.save(SessionData(id="a"))


async def kill_in_turn(servers: list[ServerProcess], serve: Serve, url: str) -> None:
    for server in servers:
        await server.stop(signal.SIGKILL)
        await serve(url, listen=server.address)


@pytest.mark.timeout(300)
async def test_servers_are_killed_under_load(servers, serve, url: str) -> None:
    """One is always there, so nobody waits for the other to come back."""
    async with under_load([server.address for server in servers]) as history:
        for server in servers:
            await history.grows_by(WRITES)
            await server.stop(signal.SIGKILL)
            await history.grows_by(WRITES)
            await serve(url, listen=server.address)
        await history.grows_by(WRITES)


@pytest.mark.timeout(300)
async def test_all_servers_are_away_under_load(servers, serve, url: str) -> None:
    async with under_load([server.address for server in servers]) as history:
        await history.grows_by(WRITES)
        await asyncio.gather(servers[0].stop(signal.SIGKILL), servers[1].stop(signal.SIGTERM))
        await asyncio.gather(*(serve(url, listen=server.address) for server in servers))
        await history.grows_by(WRITES)


@pytest.mark.timeout(300)
async def test_the_database_is_killed_under_load(serve, own_postgres) -> None:
    servers = await asyncio.gather(serve(own_postgres.url), serve(own_postgres.url))
    async with under_load([server.address for server in servers]) as history:
        for _ in range(3):
            await history.grows_by(WRITES)
            await asyncio.to_thread(own_postgres.kill)
            await asyncio.to_thread(own_postgres.start)
        await history.grows_by(WRITES)


ADDED = Added("a", 0, 1, 2, "x", None)
LATER = Added("a", 2, 3, 3, "y", 2)


@pytest.mark.parametrize(
    ("seen", "texts"),
    [
        ([ADDED, LATER], ["", "x"]),
        ([ADDED, LATER], ["", "y", "x"]),
        ([ADDED, LATER], ["", "x", "x", "y"]),
        ([ADDED], ["", "x", "nobody wrote this"]),
        ([ADDED, Added("a", 2, 3, 2, "y", None)], ["", "x"]),
        ([ADDED, Added("a", 2, 3, 3, "y", 1)], ["", "x", "y"]),
        ([ADDED, Refused("a", 2, 3, 2, 2)], ["", "x"]),
        ([ADDED, Read("a", 2, 3, 1, [""])], ["", "x"]),
        ([ADDED, Read("a", 2, 3, 2, ["", "y"])], ["", "x"]),
        ([Added("a", 2, 3, 2, "x", None), Added("a", 0, 1, 3, "y", None)], ["", "x", "y"]),
    ],
)
def test_the_check_finds(seen: list[Seen], texts: list[str]) -> None:
    check([ADDED, LATER], {"a": ["", "x", "y"]})
    with pytest.raises(AssertionError):
        check(seen, {"a": texts})
