"""A client with several addresses: calls spread, move on from a server that fails, and come back to it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import grpc
import pytest

from sessionstore import InvalidArgumentError, RemoteSessionStore, StoreUnavailableError
from sessionstore.wire.methods import ACQUIRE_LEASE, SESSION_EXISTS

MANY_CALLS = 200
NOBODY = "127.0.0.1:1"


class Server:
    """A server that answers that sessions exist, and fails when it is told to."""

    def __init__(self) -> None:
        self.calls = 0
        self.fails = False
        self.address = ""
        self._server = grpc.aio.server()

    async def start(self, listen: str = "127.0.0.1:0") -> "Server":
        handlers = {
            method: grpc.unary_unary_rpc_method_handler(self._answer, method.request.FromString)
            for method in (SESSION_EXISTS, ACQUIRE_LEASE)
        }
        for method, handler in handlers.items():
            self._server.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler(method.service, {method.name: handler}),)
            )
        self.address = f"127.0.0.1:{self._server.add_insecure_port(listen)}"
        await self._server.start()
        return self

    async def stop(self) -> None:
        await self._server.stop(None)

    async def _answer(self, _request: object, context: grpc.aio.ServicerContext) -> bytes:
        self.calls += 1
        if self.fails:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "no database")
        return SESSION_EXISTS.response(exists=True).SerializeToString()


@pytest.fixture
async def start() -> AsyncIterator[Callable[..., Awaitable[Server]]]:
    async with AsyncExitStack() as started:

        async def start(listen: str = "127.0.0.1:0") -> Server:
            server = await Server().start(listen)
            started.push_async_callback(server.stop)
            return server

        yield start


async def all_known(store: RemoteSessionStore, *servers: Server) -> None:
    """Call until each server was called, then forget the calls."""
    while not all(server.calls for server in servers):
        assert await store.exists("a")
    for server in servers:
        server.calls = 0


async def test_calls_spread(start) -> None:
    first, second = await start(), await start()
    async with RemoteSessionStore([first.address, second.address]) as store:
        await all_known(store, first, second)
        for _ in range(MANY_CALLS):
            assert await store.exists("a")
    assert first.calls + second.calls == MANY_CALLS
    assert min(first.calls, second.calls) > MANY_CALLS // 5


async def test_a_server_that_fails_is_left_alone_and_the_call_is_made_elsewhere(start) -> None:
    first, second = await start(), await start()
    async with RemoteSessionStore([first.address, second.address], timeout_seconds=600) as store:
        await all_known(store, first, second)
        first.fails = True
        async with asyncio.timeout(20):
            await all_known(store, first)
            for _ in range(20):
                assert await store.exists("a")
        assert first.calls <= 20 // 4
        first.fails = False
        await all_known(store, first)


async def test_all_servers_fail(start) -> None:
    """Then the call is repeated for as long as it may take, at any of them."""
    first, second = await start(), await start()
    first.fails = second.fails = True
    async with RemoteSessionStore([first.address, second.address], timeout_seconds=0.5) as store:
        with pytest.raises(StoreUnavailableError, match="no database"):
            await store.exists("a")
    assert first.calls
    assert second.calls


async def test_a_server_goes_away_and_another_comes(start) -> None:
    first, second = await start(), await start()
    targets = [first.address, NOBODY, second.address]
    async with RemoteSessionStore(targets, timeout_seconds=600) as store, asyncio.timeout(20):
        await all_known(store, first, second)
        await first.stop()
        for _ in range(MANY_CALLS):
            assert await store.exists("a")
        assert second.calls == MANY_CALLS
        third = await start(first.address)
        await second.stop()
        await all_known(store, third)


async def test_no_server_is_there() -> None:
    async with RemoteSessionStore([NOBODY, "127.0.0.1:2"], connect_seconds=0.3) as store:
        with pytest.raises(StoreUnavailableError) as caught:
            await store.exists("a")
    assert caught.value.target == f"{NOBODY}, 127.0.0.1:2"


def test_no_address_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="give at least one"):
        RemoteSessionStore([])


@pytest.mark.parametrize(
    "url",
    [
        *("grpc:", "grpc://", "grpc://host", "grpc://:1", "grpc://host:", "grpc://host:x", "host:1"),
        *("grpc://a:1,", "grpc://a:1,b", "grpc://,a:1"),
    ],
)
def test_a_url_without_host_or_port_is_refused(url: str) -> None:
    with pytest.raises(InvalidArgumentError, match=r"grpc://HOST:PORT"):
        RemoteSessionStore.from_url(url)


@pytest.mark.parametrize("query", ["multiplex=maybe", "multiplex", "multiplex=", "compress=true"])
def test_an_option_that_there_is_not_is_refused(query: str) -> None:
    with pytest.raises(InvalidArgumentError, match="there is multiplex=true and multiplex=false"):
        RemoteSessionStore.from_url(f"grpc://a:1?{query}")


async def test_a_url_of_several_servers(start) -> None:
    first, second = await start(), await start()
    url = f"grpc://{first.address},{second.address}?multiplex=false"
    async with RemoteSessionStore.from_url(url) as store:
        await all_known(store, first, second)
