"""What the remote store makes of servers that are absent, silent, or failing. The servers here are real gRPC servers
with handlers that misbehave. They are called by calls of their own; test_multiplexing.py is about the others.
"""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import grpc
import pytest

from sessionstore import (
    DeadlineExceededError,
    InternalError,
    InvalidArgumentError,
    RemoteSessionStore,
    SessionSnapshot,
    StoreClosedError,
    StoreUnavailableError,
    UnsupportedOperationError,
)
from sessionstore.testing import samples
from sessionstore.transport import Kind, Method
from sessionstore.wire.methods import ALL_METHODS, SAVE_SNAPSHOT
from sessionstore.wire.snapshot import snapshot_to_parts

TEST_SECONDS = 20
LONG_SECONDS = 600


@asynccontextmanager
async def server_of(behavior: Callable) -> AsyncIterator[str]:
    """Serve every method of every service with `behavior(method, context)`."""

    def handlers(method: Method) -> grpc.RpcMethodHandler:
        async def one(_request: object, context: grpc.aio.ServicerContext) -> object:
            return await behavior(method, context)

        async def after_all(requests: AsyncIterator[object], context: grpc.aio.ServicerContext) -> object:
            assert [request async for request in requests]
            return await behavior(method, context)

        async def many(_request: object, context: grpc.aio.ServicerContext) -> AsyncIterator[object]:
            yield await behavior(method, context)

        async def many_after_all(requests: AsyncIterator[object], context: grpc.aio.ServicerContext) -> object:
            assert [request async for request in requests]
            yield await behavior(method, context)

        make, respond = {
            Kind.UNARY: (grpc.unary_unary_rpc_method_handler, one),
            Kind.UPLOAD: (grpc.stream_unary_rpc_method_handler, after_all),
            Kind.DOWNLOAD: (grpc.unary_stream_rpc_method_handler, many),
            Kind.DUPLEX: (grpc.stream_stream_rpc_method_handler, many_after_all),
        }[method.kind]
        return make(respond, method.request.FromString, method.response.SerializeToString)

    server = grpc.aio.server()
    for method in ALL_METHODS:
        handler = grpc.method_handlers_generic_handler(method.service, {method.name: handlers(method)})
        server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)


async def answer_nothing(_method: Method, _context: object) -> None:
    await asyncio.Event().wait()


def fail_with(code: grpc.StatusCode, details: str = "") -> Callable:
    async def behavior(_method: Method, context: grpc.aio.ServicerContext) -> None:
        await context.abort(code, details)

    return behavior


CALLS = {
    "unary": lambda store: store.load("id"),
    "upload": lambda store: store.save_snapshot(samples.snapshot()),
    "download": lambda store: store.load_snapshot("id"),
}
every_kind = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@every_kind
async def test_nobody_listens(call) -> None:
    """The error comes after `connect_seconds`; the time for the call is much longer than this test may take."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{bound.getsockname()[1]}"
        async with (
            asyncio.timeout(TEST_SECONDS),
            RemoteSessionStore(target, timeout_seconds=LONG_SECONDS, connect_seconds=0.3) as store,
        ):
            with pytest.raises(StoreUnavailableError) as caught:
                await call(store)
    assert caught.value.target == target
    assert "0.3 s" in caught.value.problem
    assert target in str(caught.value)


async def test_somebody_listens_who_speaks_no_grpc() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        target = f"127.0.0.1:{silent.getsockname()[1]}"
        async with (
            asyncio.timeout(TEST_SECONDS),
            RemoteSessionStore(target, timeout_seconds=LONG_SECONDS, connect_seconds=0.3) as store,
        ):
            with pytest.raises(StoreUnavailableError, match=target):
                await store.list()


@every_kind
async def test_no_answer_in_time(call) -> None:
    async with (
        server_of(answer_nothing) as target,
        RemoteSessionStore(target, timeout_seconds=0.3, multiplex=False) as store,
    ):
        with pytest.raises(DeadlineExceededError) as caught:
            await call(store)
    assert caught.value.target == target


@pytest.mark.parametrize("method", ALL_METHODS, ids=lambda method: method.name)
async def test_what_is_safe_to_repeat_is_repeated(method: Method) -> None:
    """A write whose answer is lost may have been carried out; it is repeated only if it says which request it is."""
    repeated = method.reads or method.carries_request_id
    tries: Counter[str] = Counter()

    async def fail_twice(called: Method, context: grpc.aio.ServicerContext) -> object:
        tries[called.name] += 1
        if tries[called.name] < 3:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "draining")
        return called.response()

    async with server_of(fail_twice) as target, RemoteSessionStore(target, multiplex=False) as store:
        call = call_of(store._transport, method)
        if repeated:
            await call
        else:
            with pytest.raises(StoreUnavailableError, match=f"no answer from {target}: draining"):
                await call
    assert tries[method.name] == (3 if repeated else 1)


async def call_of(transport, method: Method) -> None:
    if method.kind is Kind.UNARY:
        await transport.unary(method, method.request())
    elif method.kind is Kind.UPLOAD:
        await transport.upload(method, requests_of(method))
    elif method.kind is Kind.DUPLEX:
        assert [response async for response in transport.duplex(method, requests_of(method))]
    else:
        assert [part async for part in transport.download(method, method.request())]


async def requests_of(method: Method) -> AsyncIterator[object]:
    for _ in range(3):
        yield method.request()


@every_kind
@pytest.mark.parametrize(
    ("code", "error"),
    [
        (grpc.StatusCode.UNIMPLEMENTED, UnsupportedOperationError),
        (grpc.StatusCode.INTERNAL, InternalError),
        (grpc.StatusCode.UNAUTHENTICATED, InternalError),
        (grpc.StatusCode.DEADLINE_EXCEEDED, DeadlineExceededError),
    ],
)
async def test_a_status_without_facts(call, code: grpc.StatusCode, error: type[Exception]) -> None:
    """An error of a proxy, or of a server that is not ours, is told apart by its code and keeps its text."""
    async with (
        server_of(fail_with(code, "said the proxy")) as target,
        RemoteSessionStore(target, multiplex=False) as store,
    ):
        with pytest.raises(error) as caught:
            await call(store)
    if error is InternalError:
        assert str(caught.value).endswith(f"{code.name}: said the proxy")


async def test_an_upload_that_the_server_breaks_off() -> None:
    """Why it did so is lost in gRPC, but it is never taken for a defect or for success."""
    large = samples.snapshot()
    large.session.messages = [samples.messages()[0].model_copy(update={"role": "u" * (1 << 20)})] * 8

    async def refuse(_requests: object, context: grpc.aio.ServicerContext) -> None:
        await context.abort(grpc.StatusCode.UNAVAILABLE, "full")

    server = grpc.aio.server()
    handler = grpc.stream_unary_rpc_method_handler(refuse, SAVE_SNAPSHOT.request.FromString)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(SAVE_SNAPSHOT.service, {SAVE_SNAPSHOT.name: handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with RemoteSessionStore(f"127.0.0.1:{port}") as store:
        for _ in range(20):
            with pytest.raises(StoreUnavailableError):
                await store._transport.upload(SAVE_SNAPSHOT, parts_of(large))
    await server.stop(None)


async def parts_of(snapshot: SessionSnapshot) -> AsyncIterator[object]:
    for part in snapshot_to_parts(snapshot, SAVE_SNAPSHOT.request):
        yield part


async def test_a_fault_in_an_upload_is_told_by_its_own_error() -> None:
    snapshot = samples.snapshot()
    snapshot.session.tasks.append({"id": 1})
    async with server_of(answer_nothing) as target, RemoteSessionStore(target, multiplex=False) as store:
        with pytest.raises(InvalidArgumentError, match="tasks"):
            await store.save_snapshot(snapshot)


async def test_closing_ends_the_calls_under_way() -> None:
    arrivals: asyncio.Queue[Method] = asyncio.Queue()

    async def arrive(method: Method, _context: object) -> None:
        await arrivals.put(method)
        await asyncio.Event().wait()

    async with server_of(arrive) as target:
        store = RemoteSessionStore(target, multiplex=False)
        calls = [asyncio.create_task(call(store)) for call in CALLS.values()]
        for _ in calls:
            await arrivals.get()
        await store.aclose()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert outcomes == [StoreClosedError("remote")] * len(calls)


async def test_a_cancelled_caller_stays_cancelled() -> None:
    async with server_of(answer_nothing) as target, RemoteSessionStore(target, multiplex=False) as store:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await store.load("id")


@every_kind
async def test_a_closed_store_is_refused(call) -> None:
    store = RemoteSessionStore("127.0.0.1:1")
    await store.aclose()
    await store.aclose()
    with pytest.raises(StoreClosedError):
        await call(store)
