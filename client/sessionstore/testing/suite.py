"""The contract on any store: `pytest --pyargs sessionstore.testing.suite --sessionstore-url URL`.

Each test has a store of its own, in which nothing was before.
"""

import asyncio
import shlex
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import pytest_asyncio

from sessionstore.opening import load_store_class, open_store
from sessionstore.store import SessionStore
from sessionstore.testing.conversations import AnotherClient, ConversationContract, RecordConversationContract
from sessionstore.testing.declared import DeclaredContract, topic_of
from sessionstore.testing.durability import DurabilityContract, Reopen

_UNIQUE = "{unique}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Refuse to begin without one store to try."""
    url, command = (metafunc.config.getoption(f"sessionstore_{name}") for name in ("url", "server"))
    if bool(url) == bool(command):
        raise pytest.UsageError("name the store to try: either --sessionstore-url or --sessionstore-server")
    if url and url.startswith("grpc:") and _UNIQUE not in url:
        raise pytest.UsageError(
            "a server that runs keeps what each test leaves: give --sessionstore-server the command that starts it"
        )


class Place:
    """Where a test has its store, which it may open several times."""

    def __init__(self, url: str | None, command: str | None) -> None:
        template = url or command or ""
        self.is_remote = command is not None or template.startswith("grpc:")
        self.is_lasting = _UNIQUE in template
        self._named = template.replace(_UNIQUE, uuid.uuid4().hex)
        self._is_command = command is not None
        self._opened = AsyncExitStack()
        self._url = ""

    async def reopen(self) -> SessionStore:
        """Close what is open, and open the store."""
        await self.aclose()
        self._url = await self._opened.enter_async_context(_served(self._named)) if self._is_command else self._named
        return await self._opened.enter_async_context(open_store(self._url))

    def another_client(self) -> SessionStore:
        """Make one more client of the store."""
        client = load_store_class(self._url.partition(":")[0]).from_url(self._url)
        self._opened.push_async_callback(client.aclose)
        return client

    async def aclose(self) -> None:
        """Close what is open."""
        await self._opened.aclose()


@asynccontextmanager
async def _served(command: str) -> AsyncIterator[str]:
    """Start a server, and tell its URL once it listens."""
    server = await asyncio.create_subprocess_exec(*shlex.split(command), stdout=asyncio.subprocess.PIPE)
    assert server.stdout
    try:
        line = (await server.stdout.readline()).decode()
        assert line.startswith("listening on "), f"instead of `listening on HOST:PORT` the server printed {line!r}"
        yield f"grpc://{line.split()[-1]}"
    finally:
        if server.returncode is None:
            server.terminate()
        await server.communicate()


class TestStore(DeclaredContract, ConversationContract, RecordConversationContract, DurabilityContract):
    """Everything that is promised of the store on the command line."""

    @pytest_asyncio.fixture
    async def place(self, request: pytest.FixtureRequest) -> AsyncIterator[Place]:
        """Name a place where nothing is yet."""
        options = request.config
        place = Place(options.getoption("sessionstore_url"), options.getoption("sessionstore_server"))
        topic = topic_of(request)
        if topic is DurabilityContract and not place.is_lasting:
            pytest.skip(f"what has no {_UNIQUE} in its name is another store after a reopen")
        if topic in (ConversationContract, RecordConversationContract) and not place.is_remote:
            pytest.skip("several clients reach a store through a server only")
        yield place
        await place.aclose()

    @pytest_asyncio.fixture
    async def store(self, place: Place) -> SessionStore:
        """Open the store, which must be empty."""
        store = await place.reopen()
        if await store.list():
            pytest.fail(f"the store is not empty: write {_UNIQUE} in its name, so that each test has one of its own")
        return store

    @pytest.fixture
    def reopen(self, place: Place) -> Reopen:
        """Open the store again."""
        return place.reopen

    @pytest.fixture
    def another_client(self, place: Place) -> AnotherClient:
        """Make one more client."""
        return place.another_client
