"""Leases between real processes: who was paused and comes back finds that it has lost its lease."""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sessionstore import Message, RemoteSessionStore, SessionData
from sessionstore.errors import LeaseHeldError
from sessionstore.store import Lease

HOLDER = Path(__file__).with_name("lease_holder.py")


@pytest.fixture(params=["file", "sqlite"])
def url(request, folder) -> str:
    return f"{request.param}:{folder}"


async def test_a_paused_holder_comes_back_after_a_takeover(serve, url: str) -> None:
    server = await serve(url)
    async with server.store() as store, holder_of(server.address) as holder:
        assert await holder.stdout.readline() == b"saved\n"
        holder.send_signal(signal.SIGSTOP)
        lease = await taken_over(store)
        session = SessionData(id="a", messages=[Message.user("by the successor")])
        revision = await store.save(session, lease_epoch=lease.epoch)
        holder.send_signal(signal.SIGCONT)
        output, _ = await holder.communicate()
        assert output.splitlines()[-1] == f"lost {lease.epoch - 1}".encode()
        assert await store.load("a") == session
        assert await store.revision("a") == revision


async def test_leases_hold_across_servers_of_the_same_data(serve, url: str) -> None:
    first, second = [await serve(url) for _ in range(2)]
    async with first.store() as one, second.store() as two:
        lease = await one.acquire_lease("a", "one", 60)
        with pytest.raises(LeaseHeldError):
            await two.acquire_lease("a", "two", 60)
        await two.save(SessionData(id="a"), lease_epoch=lease.epoch)
        assert [each async for each in two.list_leases()] == [lease]


async def test_leases_survive_a_restart_of_the_server(serve, url: str) -> None:
    first = await serve(url)
    async with first.store() as store:
        lease = await store.acquire_lease("a", "one", 60)
        await first.stop(signal.SIGKILL)
        await serve(url, listen=first.address)
        assert [each async for each in store.list_leases()] == [lease]
        await store.release_lease(lease)
        assert (await store.acquire_lease("a", "two", 60)).epoch == lease.epoch + 1


@asynccontextmanager
async def holder_of(address: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(sys.executable, str(HOLDER), address, stdout=PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def taken_over(store: RemoteSessionStore) -> Lease:
    """Take the lease as soon as it has expired."""
    while True:
        try:
            return await store.acquire_lease("a", "successor", 60)
        except LeaseHeldError:
            continue
