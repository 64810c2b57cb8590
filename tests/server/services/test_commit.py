"""Commits and forks that others overtake between what they read and what they write, and the caps on runs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from sessionstore import FileSessionStore, Message, SessionData, SessionStore, SqliteSessionStore
from sessionstore.errors import InvalidArgumentError, RevisionConflictError, StorageError
from sessionstore.model import ArtifactStore, RunRecord, ToolArtifact
from sessionstore.store import SessionChange
from sessionstore.testing import assert_same, samples
from sessionstore.testing.run_records import text_events
from sessionstore.v1.session_pb2 import HeldMessages, SaveSessionRequest
from sessionstore.wire.methods import SAVE_SESSION
from sessionstore.wire.records import MESSAGE, SESSION
from sessionstore_server.backends.memory import MemoryBackend
from sessionstore_server.services.assembly import services_over
from sessionstore_server.services.handlers import Caller
from sessionstore_server.services.records.retention import Retention
from sessionstore_server.stores import LocalSessionStore, MemorySessionStore

Interrupt = Callable[[], Awaitable[object]]


class InterruptedBackend(MemoryBackend):
    """Lets something else happen after reads, but for those of that itself."""

    def __init__(self) -> None:
        super().__init__()
        self.interrupts: list[Interrupt] = []
        self._is_interrupted = False

    async def read(self, *args, **kwargs):
        view = await super().read(*args, **kwargs)
        if self.interrupts and not self._is_interrupted:
            self._is_interrupted = True
            await self.interrupts.pop()()
            self._is_interrupted = False
        return view


@pytest.fixture
def backend() -> InterruptedBackend:
    return InterruptedBackend()


@pytest.fixture
async def store(backend: InterruptedBackend) -> AsyncIterator[SessionStore]:
    async with LocalSessionStore(backend) as store:
        yield store


@pytest.fixture
async def other(backend: InterruptedBackend) -> AsyncIterator[SessionStore]:
    """Another server over the same data, to which the turns of the first one mean nothing."""
    async with LocalSessionStore(backend) as other:
        yield other


async def test_an_overtaken_commit_is_made_on_what_is_there_then(backend, store, other):
    session = SessionData(id="a", messages=[Message.user("0")])
    await store.save(session)

    async def grow() -> None:
        session.messages.append(Message.user("other"))
        await other.save(session)

    backend.interrupts = [grow] * 5
    await store.commit("a", SessionChange(messages=[Message.user("mine")]))
    loaded = await store.load("a")
    assert [message.content[0].text for message in loaded.messages] == ["0", *["other"] * 5, "mine"]
    assert (await store.list_sessions()).sessions[0].message_count == 7


@pytest.mark.parametrize(("open_store", "name"), [(FileSessionStore, "store"), (SqliteSessionStore, "store.db")])
async def test_commits_through_several_stores_all_count(tmp_path, open_store, name):
    async with AsyncExitStack() as opened:
        stores = [await opened.enter_async_context(open_store(tmp_path / name)) for _ in range(4)]
        await stores[0].save(SessionData(id="a", messages=[]))
        await asyncio.gather(*(commit_ten(store, number) for number, store in enumerate(stores)))
        loaded = await stores[0].load_snapshot("a")
        texts = [message.content[0].text for message in loaded.session.messages]
        assert sorted(texts) == sorted(f"{writer} {turn}" for writer in range(4) for turn in range(10))
        assert [task.output for task in loaded.subagent_tasks] == texts
        (summary,) = (await stores[0].list_sessions()).sessions
        assert (summary.message_count, summary.revision) == (40, 41)


async def commit_ten(store: SessionStore, writer: int) -> None:
    task = samples.subagent_tasks("a")[0]
    for turn in range(10):
        text = f"{writer} {turn}"
        named = task.model_copy(update={"task_id": text, "output": text})
        await store.commit("a", SessionChange(messages=[Message.user(text)], subagent_tasks=[named]))


async def test_a_commit_on_condition_is_not_made_on_anything_else(backend, store, other):
    await store.save(SessionData(id="a"))
    backend.interrupts = [lambda: other.save_trace_events("a", [])]
    with pytest.raises(RevisionConflictError) as caught:
        await store.commit("a", SessionChange(messages=[Message.user("mine")]), expected_revision=1)
    assert caught.value == RevisionConflictError("a", 1, 2)


async def test_a_commit_that_is_always_overtaken_ends(backend, store, other):
    await store.save(SessionData(id="a"))
    backend.interrupts = [lambda: other.save_trace_events("a", [])] * 1_000
    with pytest.raises(StorageError):
        await store.commit("a", SessionChange(messages=[Message.user("mine")]))
    backend.interrupts = []
    assert (await store.load("a")).messages == []


async def test_a_fork_starts_again_when_its_revision_is_given_up(backend, store):
    """Whoever gives up content cuts the history, so that what the fork has read cannot be its start any more."""
    await store.save_snapshot(samples.snapshot("a"))
    backend.interrupts = [lambda: store.save_artifacts("a", ArtifactStore())]
    await store.fork("a", "b")
    expected = samples.snapshot("a").fork("b")
    expected.session.parent_id = "a"
    expected.artifacts, expected.retained_artifact_uris = [], []
    assert_same(await store.load_snapshot("b"), expected)


async def test_blobs_of_a_commit_may_go_before_it(backend, store):
    artifact = ToolArtifact.from_output("bash", "words", 0)
    await store.commit("b", SessionChange(artifacts=[artifact]))
    backend.interrupts = [lambda: store.delete("b")]
    await store.commit("a", SessionChange(artifacts=[artifact]))
    assert list(await store.load_artifacts("a")) == [artifact]


async def test_caps_hold_for_commits():
    async with MemorySessionStore(retention=Retention(max_runs=2, max_run_events=3)) as store:
        await store.commit("a", SessionChange(run_records=[run("first", 1, 5), run("second", 2, 1)]))
        assert await lengths(store) == {"first": (3, 5), "second": (1, 1)}
        await store.commit("a", SessionChange(run_events={"second": text_events(4, start=1)}))
        assert await lengths(store) == {"first": (3, 5), "second": (3, 5)}
        change = SessionChange(run_records=[run("third", 3, 0)], run_events={"third": text_events(4)})
        await store.commit("a", change)
        assert await lengths(store) == {"second": (3, 5), "third": (3, 4)}
        await store.commit("a", SessionChange(run_records=[run("old", 0, 1)]))
        assert await lengths(store) == {"second": (3, 5), "third": (3, 4)}


async def test_events_of_a_run_that_the_same_commit_pushes_out_are_refused():
    async with MemorySessionStore(retention=Retention(max_runs=2)) as store:
        await store.commit("a", SessionChange(run_records=[run("old", 1, 1), run("middle", 2, 1)]))
        change = SessionChange(run_records=[run("new", 3, 1)], run_events={"old": text_events(1, start=1)})
        with pytest.raises(InvalidArgumentError) as caught:
            await store.commit("a", change)
        assert caught.value.field == "run_events[0].run_id"
        assert await lengths(store) == {"old": (1, 1), "middle": (1, 1)}


async def test_messages_end_before_numbers_do(backend, store):
    await store.save(SessionData(id="a"))
    base = HeldMessages(revision=1, message_count=2**64 - 1)
    session = SESSION.to_proto(SessionData(id="a"))
    request = SaveSessionRequest(session=session, messages=[MESSAGE.to_proto(Message.user("0"))], base=base)
    with pytest.raises(InvalidArgumentError) as caught:
        await services_over(backend).handlers[SAVE_SESSION](request, Caller())
    assert caught.value.field == "base.message_count"


async def test_sequences_end_before_numbers_do():
    async with MemorySessionStore() as store:
        last = 2**64 - 1
        begun = run("full", 1, 0)
        full = RunRecord(snapshot=begun.snapshot.model_copy(update={"event_count": last}), events=())
        await store.save_run_records("a", [full])
        for run_records in ([], [full]):
            change = SessionChange(run_records=run_records, run_events={"full": text_events(1, start=last)})
            with pytest.raises(InvalidArgumentError) as caught:
                await store.commit("a", change)
            assert caught.value.field == "run_events[0].events[0].sequence"


def run(run_id: str, created_at_ms: int, count: int) -> RunRecord:
    _, begun = samples.run_records("a")
    values = {"id": run_id, "created_at_ms": created_at_ms, "event_count": count}
    return RunRecord(snapshot=begun.snapshot.model_copy(update=values), events=text_events(count))


async def lengths(store: SessionStore) -> dict[str, tuple[int, int]]:
    """Return by run id how many events are kept, and how many there ever were."""
    runs = await store.load_run_records("a") or []
    return {each.snapshot.id: (len(each.events), each.snapshot.event_count) for each in runs}
