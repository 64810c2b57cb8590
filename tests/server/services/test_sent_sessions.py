"""What a server keeps of sessions that it sent is never sent when it is out of date, and spares reading."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionstore import DataCorruptionError, FileSessionStore, Message, SessionData, SqliteSessionStore
from sessionstore.v1 import session_pb2 as pb
from sessionstore.wire.methods import LOAD_SESSION
from sessionstore.wire.records import SESSION
from sessionstore_server.backends.base import Key
from sessionstore_server.backends.memory import MemoryBackend
from sessionstore_server.backends.sqlite import SqliteBackend
from sessionstore_server.services.assembly import services_over
from sessionstore_server.services.handlers import Caller, Services
from sessionstore_server.services.sessions.sent import LIFETIME_SECONDS, Sent, SentSessions
from sessionstore_server.services.sessions.session import SessionService
from sessionstore_server.services.turns import Turns
from sessionstore_server.stores import LocalSessionStore

KEY = Key("default", "sessions", "a")


class CountingBackend(SqliteBackend):
    """Remembers from which message on conversations were read."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.read_from: list[int] = []

    async def read(self, key, documents=(), logs=None, revision=None):
        self.read_from += [span.start for span in (logs or {}).values()]
        return await super().read(key, documents, logs, revision)


@pytest.fixture
async def other(tmp_path: Path) -> AsyncIterator[SqliteSessionStore]:
    """Another server over the same database."""
    async with SqliteSessionStore(tmp_path / "store.db") as other:
        yield other


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[CountingBackend]:
    backend = CountingBackend(tmp_path / "store.db")
    await backend.open()
    yield backend
    await backend.aclose()


@pytest.fixture
def services(backend: CountingBackend) -> Services:
    return services_over(backend)


def session_of(texts: str) -> SessionData:
    """Return a session with a message of each letter."""
    return SessionData(id="a", messages=map(Message.user, texts))


async def loaded(services: Services, revision: int | None = None) -> str | None:
    """Load the session as a client that has nothing of it."""
    response = await services.handlers[LOAD_SESSION](pb.LoadSessionRequest(session_id="a", revision=revision), Caller())
    answer = pb.LoadSessionResponse.FromString(response)
    assert answer.held_count == 0
    return "".join(message.content[0].text.text for message in answer.messages) if answer.revision else None


async def test_a_load_reads_what_is_new(backend, services, other) -> None:
    for texts in ("abc", "abcd", "abcd", "abcdef"):
        await other.save(session_of(texts))
        assert await loaded(services) == texts
    assert backend.read_from == [0, 3, 4, 4]


async def test_a_load_of_the_same_reads_neither_messages_nor_state(backend, services, other) -> None:
    await other.save(session_of("abc"))
    assert [await loaded(services) for _ in range(3)] == ["abc"] * 3
    assert backend.read_from == [0]
    await other.delete("a")
    assert await loaded(services) is None


async def test_the_state_is_that_of_now(backend, services, other) -> None:
    session = session_of("abc")
    for revision, name in enumerate(("first", "second"), 1):
        session.config.name = name
        await other.save(session)
        response = await services.handlers[LOAD_SESSION](pb.LoadSessionRequest(session_id="a"), Caller())
        answer = pb.LoadSessionResponse.FromString(response)
        assert (answer.revision, answer.session.config.name, len(answer.messages)) == (revision, name, 3)
    assert backend.read_from == [0, 3]


async def test_after_many_turns(backend, services, other) -> None:
    texts = ""
    for turn in range(40):
        texts += chr(ord("a") + turn)
        await other.save(session_of(texts))
        assert await loaded(services) == texts
    assert backend.read_from == [*range(40)]


@pytest.mark.parametrize("changed", ["", "a", "ab", "xyz", "abcxyz", "xbc"])
async def test_after_another_server_shortened_it(services, other, changed: str) -> None:
    await other.save(session_of("abc"))
    assert await loaded(services) == "abc"
    await other.save(session_of(""))
    await other.save(session_of(changed))
    assert await loaded(services) == changed
    await other.save(session_of(changed + "!"))
    assert await loaded(services) == changed + "!"


async def test_after_another_server_deleted_it_and_made_it_again(services, other) -> None:
    for texts in ("abc", "vwxyz"):
        for length in range(1, len(texts) + 1):
            await other.save(session_of(texts[:length]))
        assert await loaded(services) == texts
        await other.delete("a")
        assert await loaded(services) is None


async def test_a_past_revision(services, other) -> None:
    for texts in ("ab", "x", "xyz"):
        await other.save(session_of(texts))
        assert await loaded(services) == texts
    assert [await loaded(services, revision) for revision in (1, 2, 3)] == ["ab", "x", "xyz"]
    assert await loaded(services) == "xyz"


@pytest.mark.parametrize("turns", [1, 3])
async def test_after_the_data_began_anew(turns: int) -> None:
    backend = MemoryBackend()
    store = LocalSessionStore(backend)
    await store.save(session_of("abc"))
    assert await loaded(store.services) == "abc"
    await backend.aclose()
    await backend.open()
    for turn in range(1, turns + 1):
        await store.save(session_of("xyz"[:turn]))
    assert await loaded(store.services) == "xyz"[:turns]


@given(steps=st.lists(st.sampled_from(["load", "delete", "", "a", "ab", "abc", "b", "bc"])))
async def test_it_sends_what_a_server_sends_that_kept_nothing(steps: list[str]) -> None:
    backend = MemoryBackend()
    async with LocalSessionStore(backend) as store:
        await store.services.open()
        for step in [*steps, "load"]:
            if step == "load":
                assert await loaded(store.services) == await loaded(services_over(backend))
            elif step == "delete":
                await store.delete("a")
            else:
                await store.save(session_of(step))


async def test_damage_of_files_is_found_after_they_were_sent(tmp_path) -> None:
    async with FileSessionStore(tmp_path) as store:
        await store.save(session_of("abc"))
        assert await loaded(store.services) == "abc"
        (path,) = tmp_path.rglob("messages.1.jsonl")
        path.write_bytes(path.read_bytes().replace(b"b", b"x"))
        with pytest.raises(DataCorruptionError):
            await loaded(store.services)


async def test_nothing_is_kept_of_a_deleted_session(backend) -> None:
    service = SessionService(backend, Turns())
    await service.save_session(pb.SaveSessionRequest(session=SESSION.to_proto(SessionData(id="a"))), Caller())
    await service.load_session(pb.LoadSessionRequest(session_id="a"), Caller())
    assert service._sent.get(KEY).response
    await service.delete_session(pb.DeleteSessionRequest(session_id="a"), Caller())
    assert not service._sent.get(KEY).response


def test_what_is_kept_is_bounded() -> None:
    kept = SentSessions(100_000)
    keys = [Key("default", "sessions", str(number)) for number in range(6)]
    for key in keys:
        kept.put(key, Sent(response=bytes(20_000)))
        kept.get(keys[0])
    assert [bool(kept.get(key).response) for key in keys] == [True, False, False, True, True, True]


def test_what_is_large_is_not_kept_nor_what_was_before() -> None:
    kept = SentSessions(100_000)
    for size, is_kept in ((20_000, True), (25_000, False)):
        kept.put(KEY, Sent(response=bytes(size)))
        assert bool(kept.get(KEY).response) is is_kept


def test_what_is_old_is_forgotten() -> None:
    kept = SentSessions()
    for age in (LIFETIME_SECONDS - 60, LIFETIME_SECONDS + 60):
        sent = Sent(response=b"old", told_at=time.monotonic() - age)
        kept.put(KEY, sent)
        assert (kept.get(KEY) is sent) is (age < LIFETIME_SECONDS)
