"""Watching real server processes: through kills and restarts, and from another server of the same data."""

import asyncio
import signal
from collections.abc import AsyncIterator

import pytest

from sessionstore import PositionExpiredError, RemoteSessionStore, SessionData
from sessionstore.store import WatchPage
from sessionstore.testing.watching import told, watching

COMMITS = 30
"""In each life of the server."""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_a_watch_outlives_its_server(serve, folder, number: int) -> None:
    server = await serve(f"file:{folder}")
    async with server.store() as store, server.store() as watched, watching(watched) as pages:
        await anext(pages)
        watcher = asyncio.create_task(revisions_up_to(4 * COMMITS, pages))
        for _ in range(2):
            await write(store, COMMITS)
            await server.stop(number)
            writing = asyncio.create_task(write(store, COMMITS))
            server = await serve(f"file:{folder}", listen=server.address)
            await writing
        seen = await watcher
        # After a kill a commit may be told twice, but never too late.
        first_seen = list(dict.fromkeys(seen))
        assert first_seen == list(range(1, 4 * COMMITS + 1))
        assert number == signal.SIGKILL or seen == first_seen


@pytest.mark.parametrize("scheme", ["file", "sqlite"])
async def test_a_commit_through_one_server_is_seen_on_another(serve, folder, scheme: str) -> None:
    first, second = [await serve(f"{scheme}:{folder}") for _ in range(2)]
    async with first.store() as one, second.store() as two, watching(two) as pages:
        position = (await anext(pages)).position
        await write(one, 3)
        assert [notice.revision for notice in await told(pages, 3)] == [1, 2, 3]
        async with watching(one, position) as resumed:
            assert [notice.revision for notice in await told(resumed, 3)] == [1, 2, 3]


async def test_a_position_ends_with_the_data(serve) -> None:
    server = await serve()
    async with server.store() as store, watching(store) as pages:
        position = (await anext(pages)).position
        await server.stop()
        await serve(listen=server.address)
        with pytest.raises(PositionExpiredError):
            await anext(pages)
        with pytest.raises(PositionExpiredError):
            await anext(store.watch(position))


async def write(store: RemoteSessionStore, times: int) -> None:
    for _ in range(times):
        await store.save(SessionData(id="a"))


async def revisions_up_to(last: int, pages: AsyncIterator[WatchPage]) -> list[int]:
    """Return the revisions that were told, in their order, until one is the last."""
    revisions: list[int] = []
    while not revisions or revisions[-1] < last:
        revisions += [notice.revision for notice in (await anext(pages)).commits]
    return revisions
