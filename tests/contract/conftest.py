"""How a row of the contract gets its stores: it says how to open one, in a fixture `open_once`."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial

import pytest

from sessionstore import RemoteSessionStore, SessionStore
from sessionstore.adapter import ServiceAdapter
from sessionstore.testing import AnotherClient, OpenClients, Reopen
from sessionstore_server.server import running_server

OpenOnce = Callable[[], AbstractAsyncContextManager[SessionStore]]


class Reopener:
    """Opens a store again and again, each time after the one before was closed."""

    def __init__(self, open_once: OpenOnce) -> None:
        self._open_once = open_once
        self._opened = AsyncExitStack()

    async def reopen(self) -> SessionStore:
        await self.aclose()
        return await self._opened.enter_async_context(self._open_once())

    async def aclose(self) -> None:
        await self._opened.aclose()


@pytest.fixture
async def reopener(open_once: OpenOnce) -> AsyncIterator[Reopener]:
    reopener = Reopener(open_once)
    yield reopener
    await reopener.aclose()


@pytest.fixture
async def store(reopener: Reopener) -> SessionStore:
    return await reopener.reopen()


@pytest.fixture
def reopen(reopener: Reopener) -> Reopen:
    return reopener.reopen


@pytest.fixture
def another_client(store: ServiceAdapter) -> AnotherClient:
    return partial(client_beside, store)


def client_beside(store: ServiceAdapter) -> SessionStore:
    """Make a client that reaches the same store by the same way and shares nothing else."""
    return ServiceAdapter(store._transport)


@pytest.fixture(scope="session")
def clients_of() -> Callable[[OpenOnce], OpenClients]:
    """Turn what opens a store into what opens a store and makes its clients."""

    def clients_of(open_once: OpenOnce) -> OpenClients:
        @asynccontextmanager
        async def opened() -> AsyncIterator[AnotherClient]:
            async with open_once() as store:
                yield partial(client_beside, store)

        return opened

    return clients_of


@pytest.fixture(scope="session")
def open_served() -> Callable[..., AbstractAsyncContextManager[SessionStore]]:
    """Open a remote store on a server in this process, which serves the given store."""
    return _open_served


@asynccontextmanager
async def _open_served(store: SessionStore, *, multiplex: bool = True) -> AsyncIterator[SessionStore]:
    async with running_server(store) as server, RemoteSessionStore(server.address, multiplex=multiplex) as remote:
        yield remote


@pytest.fixture(scope="session")
def open_served_by_process() -> Callable[[str], AbstractAsyncContextManager[SessionStore]]:
    """Open a remote store on a server in a process of its own, which serves the store of the given URL."""
    return _open_served_by_process


@asynccontextmanager
async def _open_served_by_process(url: str) -> AsyncIterator[SessionStore]:
    arguments = ("-m", "sessionstore_server.cli", "serve", "--store", url, "--listen", "127.0.0.1:0")
    server = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=asyncio.subprocess.PIPE)
    assert server.stdout is not None
    try:
        line = (await server.stdout.readline()).decode()
        assert line.startswith("listening on "), line
        async with RemoteSessionStore(line.split()[-1]) as remote:
            yield remote
    finally:
        server.terminate()
        await server.communicate()
    assert server.returncode == 0
