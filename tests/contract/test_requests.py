"""Request ids, as a runtime with plain stubs sends them: a repeat is answered as the first time and has one effect."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import NamedTuple

import grpc
import pytest
from google.protobuf.message import Message

from sessionstore import FileSessionStore, MemorySessionStore, RemoteSessionStore, SessionData
from sessionstore import Message as Turn
from sessionstore.errors import RequestIdReusedError, SessionStoreError
from sessionstore.store import SessionChange
from sessionstore.testing import CustomStore, samples
from sessionstore.testing.comparison import json_text
from sessionstore.testing.kinds import CHECKPOINT_KINDS, RECORD_KINDS
from sessionstore.testing.requests import PAIRS, SESSION_PAIRS, Asked, asked
from sessionstore.testing.run_records import text_events
from sessionstore.transport import Kind
from sessionstore.v1 import artifact_pb2, run_pb2, session_pb2, subagent_pb2, trace_pb2
from sessionstore.wire import methods
from sessionstore.wire.status import DETAILS_KEY, from_trailer
from sessionstore_server.backends.base import REQUESTS_KEPT
from sessionstore_server.server import running_server


class Served(NamedTuple):
    """A server, and a store that looks at what is there."""

    channel: grpc.aio.Channel
    store: RemoteSessionStore

    async def answer(self, asked: Asked) -> Message:
        """Send a request, once. Errors: what the server packed."""
        method, parts = asked
        serialize, parse = method.request.SerializeToString, method.response.FromString
        if method.kind is Kind.UNARY:
            call = self.channel.unary_unary(method.path, serialize, parse)(parts[0])
        else:
            call = self.channel.stream_unary(method.path, serialize, parse)(iter(parts))
        try:
            return await call
        except grpc.aio.AioRpcError as error:
            details = dict(error.trailing_metadata())
            raise from_trailer(details[DETAILS_KEY]) from error

    async def refused(self, asked: Asked) -> tuple[grpc.StatusCode, SessionStoreError]:
        with pytest.raises(SessionStoreError) as caught:
            await self.answer(asked)
        assert isinstance(caught.value.__cause__, grpc.aio.AioRpcError)
        return caught.value.__cause__.code(), caught.value

    async def everything(self) -> list[object]:
        """Return all that is stored under the one id of these tests."""
        snapshot = await self.store.load_snapshot("a")
        records = [json_text(await kind.load(self.store, "a")) for kind in RECORD_KINDS]
        checkpoints = [json_text(await kind.load(self.store, "a")) for kind in CHECKPOINT_KINDS]
        return [await self.store.revision("a"), await self.store.list(), json_text(snapshot), records, checkpoints]


@pytest.fixture
async def served(request: pytest.FixtureRequest, tmp_path) -> AsyncIterator[Served]:
    stores = {"memory": MemorySessionStore, "file": lambda: FileSessionStore(tmp_path / "store"), "custom": CustomStore}
    async with (
        running_server(stores[request.param]()) as server,
        grpc.aio.insecure_channel(server.address) as channel,
        RemoteSessionStore(server.address) as store,
    ):
        yield Served(channel, store)


keeping = pytest.mark.parametrize("served", ["memory", "file"], indirect=True)
every_write = pytest.mark.parametrize(
    ("served", "name"),
    [(store, name) for store in ("memory", "file") for name in PAIRS] + [("custom", name) for name in SESSION_PAIRS],
    indirect=["served"],
)


async def test_every_write_on_condition_is_covered() -> None:
    writes = {(await asked(call)).method.path for pair in PAIRS.values() for call in pair}
    assert writes == {
        method.path
        for method in methods.ALL_METHODS
        if method is methods.SAVE_SNAPSHOT or "expected_revision" in method.request.DESCRIPTOR.fields_by_name
    } - {methods.FORK_SESSION.path}


@every_write
async def test_a_repeat_is_answered_as_the_first_time(served: Served, name: str) -> None:
    """Q1: A repeat of a request is answered as the first time and changes nothing, whatever came in between."""
    write, undo = [await asked(call) for call in PAIRS[name]]
    first = await served.answer(write)
    after_first = await served.everything()
    assert await served.answer(write) == first
    assert await served.everything() == after_first
    await served.answer(undo)
    after_undo = await served.everything()
    assert after_undo != after_first
    for _ in range(2):
        assert await served.answer(write) == first
    assert await served.everything() == after_undo


@every_write
async def test_repeats_at_the_same_time(served: Served, name: str) -> None:
    """Q1: So it is when the repeats come while the first is under way."""
    write, undo = [await asked(call) for call in PAIRS[name]]
    await served.answer(undo)
    before = await served.store.revision("a")
    answers = await asyncio.gather(*(served.answer(write) for _ in range(8)))
    assert answers == [answers[0]] * 8
    assert await served.store.revision("a") in (0, before, before + 1)
    after = await served.everything()
    assert await served.answer(write) == answers[0]
    assert await served.everything() == after


@every_write
async def test_an_id_stands_for_one_request(served: Served, name: str) -> None:
    """Q2: The id of a request that was carried out, with other content, is refused, and nothing is written."""
    write, undo = [(await asked(call)).but(request_id="one") for call in PAIRS[name]]
    await served.answer(write)
    before = await served.everything()
    others = [undo] if name in SESSION_PAIRS else [undo, write.but(expected_revision=before[0])]
    for other in others:
        code, error = await served.refused(other)
        assert (code, error) == (grpc.StatusCode.INVALID_ARGUMENT, RequestIdReusedError("one"))
    assert await served.everything() == before


@keeping
async def test_events_of_runs_are_content(served: Served) -> None:
    """Q2: Whatever a request holds is its content, down to the events of a run."""
    first, _ = samples.run_records("a")
    write = (await asked(lambda store: store.save_run_records("a", [first]))).but(request_id="one")
    await served.answer(write)
    shorter = first.model_copy(update={"events": first.events[:1]})
    other = (await asked(lambda store: store.save_run_records("a", [shorter]))).but(request_id="one")
    assert (await served.refused(other))[1] == RequestIdReusedError("one")
    assert await served.store.load_run_records("a") == [first]


@keeping
async def test_the_method_is_content(served: Served) -> None:
    """Q2: So is what is asked for, also when the bytes are the same."""
    await served.answer(
        Asked(methods.SAVE_TRACE_EVENTS, [trace_pb2.SaveTraceEventsRequest(session_id="a", request_id="one")])
    )
    for method, request in (
        (methods.SAVE_SUBAGENT_TASKS, subagent_pb2.SaveSubagentTasksRequest),
        (methods.SAVE_RUN_RECORDS, run_pb2.SaveRunRecordsRequest),
        (methods.SAVE_ARTIFACTS, artifact_pb2.SaveArtifactsRequest),
        (methods.DELETE_SESSION, session_pb2.DeleteSessionRequest),
    ):
        other = Asked(method, [request(session_id="a", request_id="one")])
        assert (await served.refused(other))[1] == RequestIdReusedError("one")
    assert await served.store.revision("a") == 1


@every_write
async def test_each_id_is_a_request(served: Served, name: str) -> None:
    """Q3: Equal requests with ids of their own, or with none, are carried out each."""
    write, undo = [await asked(call) for call in PAIRS[name]]
    for request_id in ("one", "two", "", ""):
        await served.answer(undo.but(request_id=""))
        before = await served.everything()
        await served.answer(write.but(request_id=request_id))
        assert await served.everything() != before


@keeping
@pytest.mark.parametrize("name", PAIRS)
async def test_a_refused_request_may_come_again(served: Served, name: str) -> None:
    """Q4: A request that was refused had no effect, so it may come again, and counts then."""
    write, undo = [(await asked(call)).but(expected_revision=1) for call in PAIRS[name]]
    code, _ = await served.refused(write)
    assert code is grpc.StatusCode.ABORTED
    await served.answer(undo.but(expected_revision=0))
    first = await served.answer(write)
    after = await served.everything()
    assert await served.answer(write) == first
    assert await served.everything() == after


@keeping
async def test_a_repeated_addition_counts_once(served: Served) -> None:
    """Q1: So it is with a commit to what has gone on since, where the same could not be added again."""
    run, events = samples.run_records("a")[1], text_events(2)
    await served.store.commit("a", SessionChange(session=SessionData(id="a"), run_records=[run]))
    change = SessionChange(messages=[Turn.user("more")], run_events={run.snapshot.id: events})
    write = await asked(lambda store: store.commit("a", change))
    first = await served.answer(write)
    after = await served.everything()
    assert await served.answer(write) == first
    assert await served.everything() == after
    await served.store.delete("a")
    assert await served.answer(write) == first
    assert await served.store.revision("a") == 0
    other = (await asked(lambda store: store.commit("a", change))).but(request_id=write.parts[0].request_id)
    other.parts[0].check_pairing = True
    assert (await served.refused(other))[1] == RequestIdReusedError(write.parts[0].request_id)


@keeping
async def test_a_repeated_fork_counts_once(served: Served) -> None:
    """Q1: So it is with a fork, also when neither of the sessions is there any more."""
    await served.store.save(SessionData(id="a"))
    write = await asked(lambda store: store.fork("a", "b"))
    answers = await asyncio.gather(*(served.answer(write) for _ in range(8)))
    assert answers == [answers[0]] * 8
    assert await served.store.revision("b") == 1
    for deleted in ("a", "b"):
        await served.store.delete(deleted)
        assert await served.answer(write) == answers[0]
    assert await served.store.list() == []


@keeping
async def test_a_repeated_change_of_a_lease_counts_once(served: Served) -> None:
    """Q1: So it is with leases, at the same time and when somebody else holds it by then."""
    lease = await served.store.acquire_lease("a", "one", 60)
    await served.store.release_lease(lease)
    made: list[tuple[Asked, Message]] = []
    for change in (
        lambda store: store.acquire_lease("a", "two", 60),
        lambda store: store.renew_lease(replace(lease, epoch=2), 60),
        lambda store: store.release_lease(replace(lease, epoch=2)),
    ):
        request = await asked(change)
        several = await asyncio.gather(*(served.answer(request) for _ in range(8)))
        assert several == [several[0]] * 8
        made.append((request, several[0]))
    successor = await served.store.acquire_lease("a", "three", 60)
    for request, answer in made:
        assert await served.answer(request) == answer
    assert [held async for held in served.store.list_leases()] == [successor]


@keeping
async def test_record_sets_know_their_requests_apart(served: Served) -> None:
    """Q5: A record set knows at least its last 128 requests, also when it was deleted, and none of another set."""
    deleted = session_pb2.DeleteSessionRequest(session_id="a", request_id="0")
    delete = Asked(methods.DELETE_SESSION, [deleted])
    for number in range(1, REQUESTS_KEPT):
        await served.answer(_trace("a", number))
        await served.answer(_trace("b", number))
    last = await served.answer(_trace("a", REQUESTS_KEPT - 1))
    await served.answer(delete)
    assert [(await served.answer(_trace("a", number))).revision for number in (1, 2, 3)] == [1, 2, 3]
    assert await served.answer(_trace("a", REQUESTS_KEPT - 1)) == last
    assert await served.store.revision("a") == 0
    assert await served.store.revision("b") == REQUESTS_KEPT - 1


@keeping
@pytest.mark.parametrize("request_id", ["a\0b", "x" * 513, "é" * 257])
async def test_a_bad_id_is_refused(served: Served, request_id: str) -> None:
    """Q6: A request id follows the rules of other ids, by its own name."""
    for call, _ in PAIRS.values():
        code, error = await served.refused((await asked(call)).but(request_id=request_id))
        assert (code, error.facts()["field"]) == (grpc.StatusCode.INVALID_ARGUMENT, "request_id")
    assert await served.store.revision("a") == 0


def _trace(session_id: str, number: int) -> Asked:
    request = trace_pb2.SaveTraceEventsRequest(session_id=session_id, request_id=str(number))
    return Asked(methods.SAVE_TRACE_EVENTS, [request])
