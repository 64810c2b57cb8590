"""Many calls over one stream: answers in any order, errors as by themselves, deadlines, cancellation, bad frames."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import grpc
import pytest
from google.rpc import status_pb2

from sessionstore import MemorySessionStore
from sessionstore.channel import LONGEST_WAIT_SECONDS
from sessionstore.errors import InvalidArgumentError, RevisionConflictError
from sessionstore.transport import Method
from sessionstore.v1 import multiplex_pb2 as pb
from sessionstore.v1 import session_pb2, system_pb2
from sessionstore.v1.multiplex_pb2_grpc import MultiplexServiceStub
from sessionstore.wire import methods
from sessionstore.wire.status import from_status
from sessionstore_server.server import running_server
from sessionstore_server.services.roads.multiplex import MAX_CALLS, with_multiplex


@pytest.fixture
def store() -> MemorySessionStore:
    return MemorySessionStore()


@pytest.fixture
async def stream(store) -> AsyncIterator[grpc.aio.StreamStreamCall]:
    async with (
        running_server(store, grace_seconds=0) as server,
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        stream = MultiplexServiceStub(channel).Multiplex()
        yield stream
        stream.cancel()


def call(id_: int, method: Method, request, **values) -> pb.MultiplexCall:
    return pb.MultiplexCall(id=id_, method=method.path, request=request.SerializeToString(), **values)


def save(id_: int, session_id: str, **values) -> pb.MultiplexCall:
    session = session_pb2.SessionData(id=session_id, state=session_pb2.SESSION_STATE_ACTIVE)
    return call(id_, methods.SAVE_SESSION, session_pb2.SaveSessionRequest(session=session, **values))


def exists(id_: int, session_id: str) -> pb.MultiplexCall:
    return call(id_, methods.SESSION_EXISTS, session_pb2.SessionExistsRequest(session_id=session_id))


async def answers(stream, count: int) -> dict[int, pb.MultiplexAnswer]:
    found: dict[int, pb.MultiplexAnswer] = {}
    while len(found) < count:
        found.update((answer.id, answer) for answer in (await stream.read()).answers)
    return found


def error_of(answer: pb.MultiplexAnswer):
    return from_status(status_pb2.Status.FromString(answer.status))


async def test_calls_of_one_frame_are_all_answered(stream, store) -> None:
    await stream.write(pb.MultiplexRequest(calls=[save(id_, f"s{id_}") for id_ in range(1, 40)]))
    found = await answers(stream, 39)
    revisions = [session_pb2.SaveSessionResponse.FromString(found[id_].response).revision for id_ in range(1, 40)]
    assert revisions == [1] * 39
    assert len(await store.list()) == 39


async def test_an_error_is_that_of_the_call_and_leaves_the_others(stream) -> None:
    await stream.write(pb.MultiplexRequest(calls=[save(1, "a"), save(2, "", request_id="x"), exists(3, "a")]))
    found = await answers(stream, 3)
    assert error_of(found[2]) == InvalidArgumentError("session.id", "is empty: give at least one character")
    await stream.write(pb.MultiplexRequest(calls=[save(4, "a", expected_revision=7)]))
    assert error_of((await answers(stream, 1))[4]) == RevisionConflictError("a", 7, 1)


async def test_what_is_no_call_is_refused(stream) -> None:
    unknown = pb.MultiplexCall(id=1, method="/sessionstore.v1.SessionService/Nothing")
    a_stream = call(2, methods.LOAD_SNAPSHOT, session_pb2.SessionExistsRequest(session_id="a"))
    broken = pb.MultiplexCall(id=3, method=methods.SAVE_SESSION.path, request=b"\xff")
    await stream.write(pb.MultiplexRequest(calls=[unknown, a_stream, broken]))
    found = await answers(stream, 3)
    assert error_of(found[1]).field == error_of(found[2]).field == "method"
    assert error_of(found[3]) == InvalidArgumentError("SaveSessionRequest", "is not a serialized message")


async def test_an_answer_that_is_too_large_is_an_error(stream) -> None:
    load = session_pb2.LoadSessionRequest(session_id="a")
    await stream.write(pb.MultiplexRequest(calls=[save(1, "a")]))
    await answers(stream, 1)
    await stream.write(pb.MultiplexRequest(calls=[call(2, methods.LOAD_SESSION, load, max_response_bytes=10)]))
    assert error_of((await answers(stream, 1))[2]).limit == 10


class Blocked(MemorySessionStore):
    """A store whose health check waits, and tells when it began and when it was given up."""

    def __init__(self) -> None:
        super().__init__()
        self.began = asyncio.Semaphore(0)
        self.given_up = asyncio.Event()
        self.go = asyncio.Event()
        handlers = {**self._local.services.handlers, methods.CHECK_HEALTH: self._wait}
        self._local.services = replace(self._local.services, handlers=with_multiplex(handlers))

    async def _wait(self, _request, _caller) -> system_pb2.CheckHealthResponse:
        self.began.release()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.given_up.set()
            raise
        return system_pb2.CheckHealthResponse()


def check_health(id_: int, **values) -> pb.MultiplexCall:
    return call(id_, methods.CHECK_HEALTH, methods.CHECK_HEALTH.request(), **values)


class TestSlowCalls:
    @pytest.fixture
    def store(self) -> Blocked:
        return Blocked()

    async def test_a_slow_call_holds_up_no_other(self, stream, store) -> None:
        await stream.write(pb.MultiplexRequest(calls=[check_health(1), exists(2, "a")]))
        assert (await answers(stream, 1)).keys() == {2}
        store.go.set()
        assert (await answers(stream, 1)).keys() == {1}

    async def test_a_cancelled_call_is_given_up(self, stream, store) -> None:
        await stream.write(pb.MultiplexRequest(calls=[check_health(1)]))
        await store.began.acquire()
        await stream.write(pb.MultiplexRequest(cancelled=[1, 99]))
        await store.given_up.wait()
        await stream.write(pb.MultiplexRequest(calls=[exists(1, "a")]))
        assert (await answers(stream, 1)).keys() == {1}

    async def test_a_call_ends_with_its_time(self, stream, store) -> None:
        await stream.write(pb.MultiplexRequest(calls=[check_health(1, timeout_ms=1)]))
        await store.given_up.wait()

    async def test_the_end_of_the_stream_gives_up_what_is_under_way(self, stream, store) -> None:
        await stream.write(pb.MultiplexRequest(calls=[check_health(1)]))
        await store.began.acquire()
        stream.cancel()
        await store.given_up.wait()

    async def test_an_id_that_is_under_way_ends_the_stream(self, stream) -> None:
        await stream.write(pb.MultiplexRequest(calls=[check_health(1), exists(1, "a")]))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stream.read()
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT

    async def test_no_more_calls_than_the_limit_are_under_way(self, stream, store) -> None:
        await stream.write(pb.MultiplexRequest(calls=[check_health(id_) for id_ in range(MAX_CALLS + 50)]))
        for _ in range(MAX_CALLS):
            await store.began.acquire()
        assert store.began.locked()
        store.go.set()
        assert len(await answers(stream, MAX_CALLS + 50)) == MAX_CALLS + 50


class Large(MemorySessionStore):
    """A store whose health check gives a large answer, and counts how often it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        handlers = {**self._local.services.handlers, methods.CHECK_HEALTH: self._answer}
        self._local.services = replace(self._local.services, handlers=with_multiplex(handlers))

    async def _answer(self, _request, _caller) -> bytes:
        self.asked += 1
        return bytes(1 << 20)


class TestReaderThatStops:
    @pytest.fixture
    def store(self) -> Large:
        return Large()

    async def test_what_is_not_read_is_not_made(self, stream, store) -> None:
        """The answers that wait are bounded by their size, however small the questions are."""
        for first in range(0, 1000, 10):
            await stream.write(pb.MultiplexRequest(calls=[check_health(first + n) for n in range(10)]))
        waiting = store.asked
        while True:
            await asyncio.sleep(0.2)
            if store.asked == waiting:
                break
            waiting = store.asked
        assert waiting < 200
        await answers(stream, 1000)
        assert store.asked == 1000


class Busy(MemorySessionStore):
    """A store whose health check keeps the processor for longer than answers wait."""

    def __init__(self) -> None:
        super().__init__()
        handlers = {**self._local.services.handlers, methods.CHECK_HEALTH: self._work}
        self._local.services = replace(self._local.services, handlers=with_multiplex(handlers))

    async def _work(self, _request, _caller) -> system_pb2.CheckHealthResponse:
        time.sleep(2 * LONGEST_WAIT_SECONDS)  # noqa: ASYNC251 - work
        return system_pb2.CheckHealthResponse()


class TestBusyServer:
    @pytest.fixture
    def store(self) -> Busy:
        return Busy()

    async def test_what_is_ready_is_sent_before_more_is_done(self, stream) -> None:
        """So that the client works meanwhile."""
        await stream.write(pb.MultiplexRequest(calls=[check_health(id_) for id_ in range(1, 9)]))
        first = await stream.read()
        assert len(first.answers) < 8
        await answers(stream, 8 - len(first.answers))
