"""What a turn costs follows what is new, by the bytes that are counted on disk and on the wire."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from sessionstore import (
    FileSessionStore,
    MemorySessionStore,
    Message,
    RemoteSessionStore,
    SessionData,
    SqliteSessionStore,
)
from sessionstore.store import SessionChange
from sessionstore.testing.proxy import LosingProxy
from sessionstore_server.server import running_server

LENGTH = 10_000
MOST_BYTES = 8 << 10
TURNS = 1_000
WORDS = "x" * 1_000


def turn(number: int) -> Message:
    return Message.user(f"{number:5} {WORDS}")


def written_bytes() -> int:
    """Return how many bytes this process handed to the system to write so far, sockets included."""
    counters = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(counters["wchar"])


@pytest.fixture(scope="module")
def long_folder(tmp_path_factory) -> Path:
    """The folder of a store that holds a session of `LENGTH` messages, or more."""
    return tmp_path_factory.mktemp("long") / "store"


@pytest.fixture
async def long_session(long_folder: Path) -> SessionData:
    async with FileSessionStore(long_folder) as store:
        session = await store.load("a")
        if session is None:
            session = SessionData(id="a", messages=map(turn, range(LENGTH)))
            await store.save(session)
    return session


async def saved_by_the_same(store: FileSessionStore, session: SessionData) -> Callable[[], Awaitable[int]]:
    await store.save(session)
    session.messages.append(turn(0))
    return lambda: store.save(session)


async def loaded_first(store: FileSessionStore, session: SessionData) -> Callable[[], Awaitable[int]]:
    loaded = await store.load(session.id)
    assert loaded is not None
    loaded.messages.append(turn(0))
    return lambda: store.save(loaded)


async def never_loaded(store: FileSessionStore, session: SessionData) -> Callable[[], Awaitable[int]]:
    equal = SessionData.model_validate_json(session.model_dump_json())
    equal.messages.append(turn(0))
    return lambda: store.save(equal)


async def added_by_commit(store: FileSessionStore, session: SessionData) -> Callable[[], Awaitable[int]]:
    return lambda: store.commit(session.id, SessionChange(messages=[turn(0)]))


@pytest.mark.parametrize("prepared", [saved_by_the_same, loaded_first, never_loaded, added_by_commit])
async def test_a_turn_of_a_long_session_on_disk(long_folder: Path, long_session: SessionData, prepared) -> None:
    length = len(long_session.messages)
    async with FileSessionStore(long_folder) as store:
        save = await prepared(store, long_session)
        before = written_bytes()
        await save()
        assert len(WORDS) < written_bytes() - before < MOST_BYTES
    async with FileSessionStore(long_folder) as store:
        session = await store.load("a")
    assert session is not None
    assert session.messages == [*long_session.messages[:length], turn(0)]


@pytest.mark.parametrize(("open_store", "name"), [(FileSessionStore, "store"), (SqliteSessionStore, "store.db")])
async def test_a_fork_of_a_long_session_on_disk(tmp_path: Path, open_store, name: str) -> None:
    async with open_store(tmp_path / name) as store:
        costs = [await counted_fork(store, length) for length in (10, LENGTH)]
    assert abs(costs[1] - costs[0]) < MOST_BYTES < LENGTH * len(WORDS) / 100


async def counted_fork(store, length: int) -> int:
    """Fork a session of `length` messages; return how many bytes that writes."""
    session = SessionData(id=f"{length}", messages=map(turn, range(length)))
    await store.save(session)
    before = written_bytes()
    await store.fork(session.id, f"fork of {length}")
    cost = written_bytes() - before
    fork = await store.load(f"fork of {length}")
    assert fork is not None
    assert fork.messages == session.messages
    return cost


class Wire(NamedTuple):
    """A store whose bytes on the wire are counted."""

    store: RemoteSessionStore
    proxy: LosingProxy

    def counts(self) -> tuple[int, int]:
        """Return the bytes to the server and back so far."""
        return self.proxy.requested_bytes, self.proxy.answered_bytes


@asynccontextmanager
async def opened_wire() -> AsyncIterator[Wire]:
    async with (
        running_server(MemorySessionStore()) as server,
        LosingProxy(server.address).running() as proxy,
        RemoteSessionStore(proxy.address) as store,
    ):
        yield Wire(store, proxy)


async def saved(store, session: SessionData) -> SessionData:
    await store.save(session)
    return session


async def saved_and_loaded(store, session: SessionData) -> SessionData:
    await store.save(session)
    loaded = await store.load(session.id)
    assert loaded == session
    return loaded


async def updated(store, session: SessionData) -> SessionData:
    """Store the last message of the session by an update, the first time by a save."""
    last = session.messages[-1]
    found = await store.update(session.id, lambda stored: stored.messages.append(last))
    return found or await saved(store, session)


async def committed(store, session: SessionData) -> SessionData:
    """Add the last message of the session by a commit, the first time with the session."""
    if len(session.messages) == 1:
        return await saved(store, session)
    await store.commit(session.id, SessionChange(messages=session.messages[-1:]))
    return session


WAYS = [saved, saved_and_loaded, updated]


@pytest.mark.parametrize("keep", [*WAYS, committed])
async def test_turns_on_the_wire(keep) -> None:
    async with opened_wire() as wire:
        counts = await counted_turns(wire.store, keep, wire.counts)
    assert_linear([sent for sent, _ in counts])
    assert_linear([received for _, received in counts])
    assert counts[-1][0] < TURNS * 2 * len(WORDS)


@pytest.mark.parametrize("keep", WAYS)
async def test_turns_on_disk(tmp_path: Path, keep) -> None:
    async with FileSessionStore(tmp_path / "store") as store:
        counts = await counted_turns(store, keep, written_bytes)
    assert_linear(counts)


async def counted_turns(store, keep, count: Callable[[], object]) -> list:
    """Keep a session turn by turn; return what `count` says at the start and after each turn."""
    session = SessionData(id="a")
    counts = [count()]
    for number in range(TURNS):
        session.messages.append(turn(number))
        session = await keep(store, session)
        counts.append(count())
    assert len(session.messages) == TURNS
    return counts


def assert_linear(counts: Sequence[int]) -> None:
    """Check that the second half of the turns cost about what the first did; files are written anew now and then."""
    half = len(counts) // 2
    assert counts[-1] - counts[half] <= 1.3 * (counts[half] - counts[0])
