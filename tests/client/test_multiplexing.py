"""Small calls of the remote store share one stream to the server, and each ends as it would by itself."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import grpc
import pytest

from sessionstore import (
    DeadlineExceededError,
    InternalError,
    MemorySessionStore,
    Message,
    RemoteSessionStore,
    RevisionConflictError,
    SessionData,
    StoreClosedError,
    StoreUnavailableError,
)
from sessionstore.channel import LONGEST_WAIT_SECONDS, MULTIPLEXED_BYTES
from sessionstore.testing.proxy import LosingProxy
from sessionstore.transport import Method
from sessionstore.wire import methods
from sessionstore_server.server import running_server
from sessionstore_server.services.roads.multiplex import MAX_CALLS, with_multiplex

LONG_SECONDS = 600


class Observed(MemorySessionStore):
    """A store that counts what is called, by itself and in streams, and whose health check waits."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()
        self.began = asyncio.Event()
        self.given_up = asyncio.Event()
        self.go = asyncio.Event()
        services = self._local.services
        plain = {method: self._counted(method, handler) for method, handler in services.handlers.items()}
        plain[methods.CHECK_HEALTH] = self._wait
        self._local.services = replace(services, handlers=with_multiplex(plain))
        self._count_streams()

    def _counted(self, method: Method, handler):
        def call(request, caller):
            self.calls[method.name] += 1
            return handler(request, caller)

        return call

    def _count_streams(self) -> None:
        handlers = dict(self._local.services.handlers)
        handlers[methods.MULTIPLEX] = self._counted(methods.MULTIPLEX, handlers[methods.MULTIPLEX])
        self._local.services = replace(self._local.services, handlers=handlers)

    async def _wait(self, _request, _caller):
        self.began.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.given_up.set()
            raise
        return methods.CHECK_HEALTH.response()


@pytest.fixture
def observed() -> Observed:
    return Observed()


@pytest.fixture
async def address(observed: Observed) -> AsyncIterator[str]:
    async with running_server(observed, grace_seconds=0) as server:
        yield server.address


async def test_calls_share_one_stream(observed: Observed, address: str) -> None:
    async with RemoteSessionStore(address) as store:
        await asyncio.gather(*(store.save(SessionData(id=f"s{number}")) for number in range(50)))
        assert len(await store.list()) == 50
    assert (observed.calls["SaveSession"], observed.calls["Multiplex"]) == (50, 1)


async def test_plain_calls_open_no_stream(observed: Observed, address: str) -> None:
    async with RemoteSessionStore(address, multiplex=False) as store:
        assert await store.save(SessionData(id="a")) == 1
    assert observed.calls["Multiplex"] == 0


async def test_a_large_call_goes_by_itself(observed: Observed, address: str) -> None:
    session = SessionData(id="a", messages=[Message.user("x" * MULTIPLEXED_BYTES)])
    async with RemoteSessionStore(address) as store, RemoteSessionStore(address) as other:
        await store.save(session)
        assert observed.calls["Multiplex"] == 0
        assert await other.load("a") == session


async def test_no_answer_in_time(observed: Observed, address: str) -> None:
    """The server gives the call up too, and the calls after it go on over the same stream."""
    async with RemoteSessionStore(address, timeout_seconds=0.3) as store:
        with pytest.raises(DeadlineExceededError) as caught:
            await store.health_check()
        assert caught.value == DeadlineExceededError("CheckHealth", address)
        await observed.given_up.wait()
        assert not await store.exists("a")
    assert observed.calls["Multiplex"] == 1


async def test_a_cancelled_call_is_given_up_by_the_server(observed: Observed, address: str) -> None:
    async with RemoteSessionStore(address, timeout_seconds=LONG_SECONDS) as store:
        call = asyncio.create_task(store.health_check())
        await observed.began.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await observed.given_up.wait()
        assert not await store.exists("a")
    assert observed.calls["Multiplex"] == 1


async def test_a_call_that_is_cancelled_before_it_was_sent_is_never_sent(observed: Observed, address: str) -> None:
    """The server takes no more than its limit at a time; what waits for that is cancelled here."""
    async with RemoteSessionStore(address) as store:
        checks = [asyncio.create_task(store.health_check()) for _ in range(MAX_CALLS)]
        await observed.began.wait()
        large = [Message.user("x" * (MULTIPLEXED_BYTES - 1000))]
        saves = [asyncio.create_task(store.save(SessionData(id=f"s{i}", messages=large))) for i in range(100)]
        await asyncio.wait(saves, timeout=0.2)
        for save in saves:
            save.cancel()
        await asyncio.wait(saves)
        observed.go.set()
        await asyncio.wait(checks)
        assert not await store.exists("a")
    assert observed.calls["SaveSession"] < 50


async def test_an_error_is_that_of_the_call(address: str) -> None:
    async with RemoteSessionStore(address) as store:
        outcomes = await asyncio.gather(
            store.save(SessionData(id="a"), expected_revision=7), store.exists("a"), return_exceptions=True
        )
    assert outcomes == [RevisionConflictError("a", 7, 0), False]


async def test_closing_ends_the_calls_under_way(observed: Observed, address: str) -> None:
    store = RemoteSessionStore(address)
    call = asyncio.create_task(store.health_check())
    await observed.began.wait()
    await store.aclose()
    with pytest.raises(StoreClosedError):
        await call
    with pytest.raises(StoreClosedError):
        await store.exists("a")


async def test_a_cut_stream_is_opened_again(observed: Observed, address: str) -> None:
    async with LosingProxy(address).running() as proxy, RemoteSessionStore(proxy.address) as store:
        await store.save(SessionData(id="a"))
        for revision in range(1, 6):
            proxy.lose_answers = 1
            assert await store.save(SessionData(id="a"), expected_revision=revision) == revision + 1
            assert proxy.lost_answers == revision
    assert observed.calls["Multiplex"] == 6


async def test_draining_lets_calls_under_way_end(observed: Observed) -> None:
    """The stream takes no more calls, but what it took is answered before it ends."""
    running = running_server(observed)
    server = await running.__aenter__()
    async with RemoteSessionStore(server.address) as store, grpc.aio.insecure_channel(server.address) as channel:
        call = asyncio.create_task(store.health_check())
        await observed.began.wait()
        await channel.channel_ready()
        draining = asyncio.create_task(running.__aexit__(None, None, None))
        await channel.wait_for_state_change(grpc.ChannelConnectivity.READY)
        observed.go.set()
        await call
        await draining


@asynccontextmanager
async def server_of(handlers: dict[Method, grpc.RpcMethodHandler]) -> AsyncIterator[str]:
    """Serve a few methods; the others are not known there."""
    server = grpc.aio.server()
    for method, handler in handlers.items():
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(method.service, {method.name: handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)


async def _exists(_request: bytes, _context: object) -> bytes:
    return methods.SESSION_EXISTS.response(exists=True).SerializeToString()


async def test_a_server_that_knows_no_such_stream_is_called_plainly() -> None:
    handlers = {methods.SESSION_EXISTS: grpc.unary_unary_rpc_method_handler(_exists)}
    async with server_of(handlers) as address, RemoteSessionStore(address) as store:
        assert await asyncio.gather(*(store.exists(f"s{number}") for number in range(20))) == [True] * 20
        assert await store.exists("a")


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, InternalError("SessionExists", "UNAUTHENTICATED: said the proxy")),
        (grpc.StatusCode.INTERNAL, InternalError("SessionExists", "INTERNAL: said the proxy")),
    ],
)
async def test_an_error_of_the_stream_is_that_of_its_calls(code: grpc.StatusCode, error: Exception) -> None:
    async def refuse(_requests: object, context: grpc.aio.ServicerContext) -> None:
        await context.abort(code, "said the proxy")

    handlers = {methods.MULTIPLEX: grpc.stream_stream_rpc_method_handler(refuse)}
    async with server_of(handlers) as address, RemoteSessionStore(address) as store:
        with pytest.raises(InternalError) as caught:
            await store.exists("a")
    assert caught.value == error


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED])
async def test_calls_of_a_stream_that_somebody_ends_are_repeated_if_they_may_be(code: grpc.StatusCode) -> None:
    ended: Counter[bool] = Counter()

    async def end_twice(requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
        async for request in requests:
            ended[True] += 1
            if ended[True] % 3:
                await context.abort(code, "draining")
            (call,) = methods.MULTIPLEX.request.FromString(request).calls
            answer = {"id": call.id, "response": b""}
            yield methods.MULTIPLEX.response(answers=[answer]).SerializeToString()

    handlers = {methods.MULTIPLEX: grpc.stream_stream_rpc_method_handler(end_twice)}
    async with server_of(handlers) as address, RemoteSessionStore(address) as store:
        transport = store._transport
        await transport.unary(methods.SESSION_EXISTS, methods.SESSION_EXISTS.request())
        await transport.unary(methods.SAVE_SESSION, methods.SAVE_SESSION.request(request_id="a"))
        assert ended[True] == 6
        with pytest.raises(StoreUnavailableError):
            await transport.unary(_WITHOUT_REQUEST_ID, methods.SESSION_EXISTS.request())
        assert ended[True] == 7


_WITHOUT_REQUEST_ID = replace(methods.SESSION_EXISTS, reads=False)


async def test_what_callers_ask_is_sent_before_others_go_on() -> None:
    """So that the server works while they do."""
    frames: list[int] = []

    async def observed(requests):
        async for request in requests:
            frames.append(len(request.calls))
            yield request

    store = MemorySessionStore()
    handlers = dict(store._local.services.handlers)
    multiplex = handlers[methods.MULTIPLEX]
    handlers[methods.MULTIPLEX] = lambda requests, caller: multiplex(observed(requests), caller)
    store._local.services = replace(store._local.services, handlers=handlers)

    async def ask_twice() -> None:
        await client.exists("a")
        time.sleep(2 * LONGEST_WAIT_SECONDS)  # noqa: ASYNC251 - work
        await client.exists("a")

    async with running_server(store) as server, RemoteSessionStore(server.address) as client:
        await client.exists("a")
        frames.clear()
        await asyncio.gather(*(ask_twice() for _ in range(8)))
    assert sum(frames) == 16
    assert frames[0] == 8
    assert frames[1] < 8
