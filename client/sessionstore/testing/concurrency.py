"""What every store promises about calls that run at the same time: each is whole."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

import pytest

from sessionstore.model import Message, RunRecord, SessionData, SessionSnapshot
from sessionstore.store import SessionStore
from sessionstore.testing import samples
from sessionstore.testing.comparison import assert_same
from sessionstore.testing.kinds import RECORD_KINDS
from sessionstore.testing.run_records import text_events

WRITERS = 8


class SessionConcurrencyContract:
    """Sessions under concurrent calls."""

    pytestmark = pytest.mark.asyncio

    async def test_concurrent_saves_of_one_session(self, store: SessionStore) -> None:
        """C1: Concurrent saves of one session all succeed, and one of them is there whole."""
        generations = [generation(number) for number in range(WRITERS)]
        await asyncio.gather(*map(store.save, generations))
        loaded = await store.load("a")
        assert loaded in generations
        assert await store.list() == ["a"]

    async def test_concurrent_saves_of_many_sessions(self, store: SessionStore) -> None:
        """C2: Concurrent saves of different sessions are all there."""
        ids = [f"{number:02}" for number in range(20)]
        await asyncio.gather(*(store.save(SessionData(id=session_id, updated_at=7)) for session_id in ids))
        assert await store.list() == ids
        loaded = await asyncio.gather(*map(store.load, ids))
        assert [session and (session.id, session.updated_at) for session in loaded] == [(each, 7) for each in ids]

    async def test_reads_beside_writes_see_whole_sessions(self, store: SessionStore) -> None:
        """C3: A read beside writes gives a session as one of the writes left it, and never an older one again."""
        await store.save(generation(0))
        numbers = await _read_while(partial(_load_number, store), _save_all(store, range(1, 30)))
        assert numbers == sorted(numbers)
        assert_same(await store.load("a"), generation(29))

    async def test_saves_beside_deletes(self, store: SessionStore) -> None:
        """C4: Saves and deletes of one session at the same time all succeed; afterwards it is there whole, or gone."""
        await asyncio.gather(
            *(store.delete("a") if number % 2 else store.save(generation(number)) for number in range(WRITERS))
        )
        loaded = await store.load("a")
        assert loaded is None or loaded in [generation(number) for number in range(0, WRITERS, 2)]
        assert await store.exists("a") == (loaded is not None)
        assert await store.list() == ([] if loaded is None else ["a"])

    async def test_concurrent_saves_that_share_parts(self, store: SessionStore) -> None:
        """C9: So it is when they differ in one part only: in the conversation, in its length, or in the rest."""
        for _ in range(20):
            await store.save(_variant("first", "a"))
            variants = [
                _variant("first", "ab"),
                _variant("second", "ac"),
                _variant("first", ""),
                _variant("third", "a"),
            ]
            await asyncio.gather(*map(store.save, variants))
            assert await store.load("a") in variants


class RecordConcurrencyContract:
    """Records and snapshots under concurrent calls."""

    pytestmark = pytest.mark.asyncio

    async def test_kinds_saved_at_the_same_time(self, store: SessionStore) -> None:
        """C5: The session and records of all kinds, saved at the same time, are all there."""
        saves = [kind.save(store, "a", kind.some("a")) for kind in RECORD_KINDS]
        await asyncio.gather(store.save(samples.session("a")), *saves)
        assert_same(await store.load_snapshot("a"), samples.snapshot("a"))

    async def test_concurrent_saves_of_runs(self, store: SessionStore) -> None:
        """C6: Of runs saved at the same time, one list is there whole."""
        lists = [_runs(number) for number in range(WRITERS)]
        await asyncio.gather(*(store.save_run_records("a", runs) for runs in lists))
        assert await store.load_run_records("a") in lists

    async def test_snapshots_beside_writes_are_one_generation(self, store: SessionStore) -> None:
        """C7: A snapshot that is loaded beside writes is one generation, in all its parts."""
        await store.save_snapshot(_snapshot(0))
        numbers = await _read_while(partial(_load_snapshot_number, store), _save_snapshots(store, range(1, 15)))
        assert numbers == sorted(numbers)
        assert_same(await store.load_snapshot("a"), _snapshot(14))

    async def test_concurrent_saves_of_runs_that_share_parts(self, store: SessionStore) -> None:
        """C9: So it is with lists of runs that differ in one run or in its events only."""
        for _ in range(10):
            first, second = samples.run_records("a")
            shorter = RunRecord(snapshot=first.snapshot, events=first.events[:1])
            await store.save_run_records("a", [first])
            lists = [[first], [first, second], [second, first], [shorter], []]
            await asyncio.gather(*(store.save_run_records("a", runs) for runs in lists))
            assert await store.load_run_records("a") in lists

    async def test_concurrent_snapshots_that_share_parts(self, store: SessionStore) -> None:
        """C9: So it is with snapshots."""
        session, other = _variant("first", "a"), _variant("second", "ab")
        runs, fewer = samples.run_records("a"), samples.run_records("a")[:1]
        pairs = [(session, runs), (session, fewer), (other, runs), (other, fewer)]
        snapshots = [SessionSnapshot(session=session, run_records=runs) for session, runs in pairs]
        for _ in range(10):
            await store.save_snapshot(snapshots[0])
            await asyncio.gather(*map(store.save_snapshot, snapshots))
            assert await store.load_snapshot("a") in snapshots

    async def test_artifacts_of_sessions_that_come_and_go(self, store: SessionStore) -> None:
        """C8: Content that several sessions share stays while one of them has it, however they come and go."""

        async def come_and_go(session_id: str) -> None:
            for _ in range(4):
                await store.save_artifacts(session_id, samples.artifacts())
                await store.delete(session_id)
            await store.save_artifacts(session_id, samples.artifacts())

        ids = [str(number) for number in range(4)]
        await asyncio.gather(*map(come_and_go, ids))
        for session_id in ids:
            assert_same(await store.load_artifacts(session_id), samples.artifacts())


def generation(number: int) -> SessionData:
    """Return the session `a`, in which every part tells the number, so that a mixture shows."""
    messages = [Message.user(str(number))] * (number % 5 + 1)
    return SessionData(id="a", messages=messages, model_name=str(number), created_at=number, updated_at=number)


def _variant(name: str, texts: str) -> SessionData:
    """Return the session `a` with a message for each letter; two of these may share their conversation or the rest."""
    return SessionData(id="a", messages=map(Message.user, texts), model_name=name, created_at=1, updated_at=1)


def _snapshot(number: int) -> SessionSnapshot:
    events = [event.model_copy(update={"duration_ms": number}) for event in samples.trace_events()]
    return SessionSnapshot(session=generation(number), trace_events=events, run_records=_runs(number))


def _runs(number: int) -> list[RunRecord]:
    _, begun = samples.run_records("a")
    snapshot = begun.snapshot.model_copy(update={"event_count": number})
    return [RunRecord(snapshot=snapshot, events=text_events(number + 1))]


async def _save_all(store: SessionStore, numbers: range) -> None:
    for number in numbers:
        await store.save(generation(number))


async def _save_snapshots(store: SessionStore, numbers: range) -> None:
    for number in numbers:
        await store.save_snapshot(_snapshot(number))


async def _load_number(store: SessionStore) -> int:
    session = await store.load("a")
    assert session is not None
    assert_same(session, generation(session.created_at))
    return session.created_at


async def _load_snapshot_number(store: SessionStore) -> int:
    snapshot = await store.load_snapshot("a")
    assert snapshot is not None
    assert_same(snapshot, _snapshot(snapshot.session.created_at))
    return snapshot.session.created_at


async def _read_while(read: Callable[[], Awaitable[int]], writing: Coroutine[Any, Any, None]) -> list[int]:
    """Read again and again until `writing` is done, and return what was read."""
    task = asyncio.create_task(writing)
    results: list[int] = []
    while not task.done():
        results.append(await read())
        # A store that never waits would otherwise not let the writer run.
        await asyncio.sleep(0)
    await task
    return results
