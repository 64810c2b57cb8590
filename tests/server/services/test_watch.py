"""Watchers that do not keep up, behind a real server."""

import asyncio

import pytest

from sessionstore import PositionExpiredError, RemoteSessionStore
from sessionstore.testing.watching import watching
from sessionstore_server.backends.base import FEED_KEPT, Change, Key
from sessionstore_server.backends.memory import MemoryBackend
from sessionstore_server.server import running_server
from sessionstore_server.stores import LocalSessionStore

COMMITS = 4 * FEED_KEPT
"""With ids of 500 bytes more than a connection holds, and the feed behind it."""


class ObservedBackend(MemoryBackend):
    """Counts what is read of the feed, and tells when somebody who waited was sent away."""

    def __init__(self) -> None:
        super().__init__()
        self.entries = 0
        self.sent_away = asyncio.Event()

    async def feed(self, *arguments):
        feed = await super().feed(*arguments)
        self.entries += len(feed.entries)
        return feed

    async def wait(self, *arguments):
        try:
            await super().wait(*arguments)
        except asyncio.CancelledError:
            self.sent_away.set()
            raise


async def commit_many(backend: MemoryBackend) -> None:
    for number in range(COMMITS):
        await backend.commit(Key("default", "sessions", f"{number:0500}"), Change())
        if number % 100 == 0:
            await asyncio.sleep(0)


async def read_on(pages, told: list) -> None:
    async for page in pages:
        told += page.commits


async def test_a_watcher_that_does_not_read_has_to_list_again() -> None:
    """The server reads no further than it can send, and keeps nothing for the watcher but a position."""
    backend = ObservedBackend()
    async with (
        running_server(LocalSessionStore(backend)) as server,
        RemoteSessionStore(server.address) as remote,
        watching(remote) as pages,
    ):
        await anext(pages)
        await commit_many(backend)
        assert backend.entries < COMMITS
        told = []
        with pytest.raises(PositionExpiredError):
            await read_on(pages, told)
        assert len(told) == backend.entries


async def test_a_watch_ends_on_the_server_too() -> None:
    backend = ObservedBackend()
    async with running_server(LocalSessionStore(backend)) as server, RemoteSessionStore(server.address) as remote:
        async with watching(remote) as pages:
            await anext(pages)
        await backend.sent_away.wait()
