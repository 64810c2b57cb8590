"""The remote store outlives its server: it is opened once, and goes on when a server is back on the same port."""

import asyncio
import signal

import pytest

from sessionstore import StoreUnavailableError
from sessionstore.testing import samples


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_a_store_survives_a_restart_of_the_server(serve, folder, number: int) -> None:
    first = await serve(f"file:{folder}")
    async with first.store() as store:
        await store.save_snapshot(samples.snapshot("before"))
        await first.stop(number)
        reads = [
            asyncio.create_task(read)
            for read in (store.load_snapshot("before"), store.list(), store.exists("before"), store.load("absent"))
        ]
        await serve(f"file:{folder}", listen=first.address)
        assert await asyncio.gather(*reads) == [samples.snapshot("before"), ["before"], True, None]
        await store.save(samples.session("after"))
        assert await store.list() == ["after", "before"]


async def test_a_write_waits_for_a_server_that_is_coming(serve, folder) -> None:
    first = await serve(f"file:{folder}")
    async with first.store() as store:
        await first.stop()
        write = asyncio.create_task(store.save(samples.session()))
        await serve(f"file:{folder}", listen=first.address)
        await write
        assert await store.load(samples.session().id) == samples.session()


async def test_a_store_recovers_from_an_outage(serve) -> None:
    first = await serve()
    async with first.store(connect_seconds=0.1) as store:
        await store.health_check()
        await first.stop()
        with pytest.raises(StoreUnavailableError):
            await store.health_check()
        await serve(listen=first.address)
        while True:
            try:
                await store.health_check()
                break
            except StoreUnavailableError:
                pass
