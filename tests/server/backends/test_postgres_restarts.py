"""PostgreSQL crashes and comes back: what was acknowledged is there, nothing is there twice, and nobody reopens."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from sessionstore.errors import StoreUnavailableError
from sessionstore_server.backends.base import Change, Key, LogRange, Request, Splice
from sessionstore_server.backends.postgres import PostgresBackend, PostgresSettings

WRITERS = 8
DIGEST = "0" * 64


@pytest.fixture
async def backend(own_postgres) -> AsyncIterator[PostgresBackend]:
    backend = PostgresBackend(own_postgres.url, PostgresSettings(retry_seconds=60))
    await backend.open()
    yield backend
    await backend.aclose()


async def records_of(backend: PostgresBackend, key: Key) -> tuple[int, list[bytes]]:
    view = await backend.read(key, logs={"l": LogRange()})
    assert view is not None
    return view.revision, list(view.logs["l"].records)


async def test_a_crash_under_load(own_postgres, backend: PostgresBackend) -> None:
    """All commits are answered in the end, since the database comes back in time; half of them have no request id."""
    acknowledged: dict[Key, list[bytes]] = {Key("default", "sessions", str(number)): [] for number in range(WRITERS)}
    is_over = asyncio.Event()

    async def write(key: Key, number: int = 0) -> None:
        while not is_over.is_set():
            record = b"%d" % number
            request = Request(uuid4().hex, DIGEST) if number % 2 else None
            commit = await backend.commit(key, Change({"d": record}, {"l": Splice([record])}, request=request))
            acknowledged[key].append(record)
            assert commit.revision == len(acknowledged[key])
            number += 1

    async def crash() -> None:
        for goal in (50, 200, 400):
            while sum(map(len, acknowledged.values())) < goal:
                await backend.wait(None, 60)
            await asyncio.to_thread(own_postgres.kill)
            await asyncio.to_thread(own_postgres.start)
        is_over.set()

    await asyncio.gather(crash(), *(write(key) for key in acknowledged))
    for key, records in acknowledged.items():
        assert await records_of(backend, key) == (len(records), records)


async def test_errors_while_it_is_away(own_postgres) -> None:
    """An error comes in time; then the same backend goes on."""
    key = Key("default", "sessions", "one")
    backend = PostgresBackend(own_postgres.url, PostgresSettings(retry_seconds=0.1))
    await backend.open()
    await backend.commit(key, Change(logs={"l": Splice([b"1"])}))
    own_postgres.kill()
    for call in (backend.read(key), backend.commit(key, Change(logs={"l": Splice([b"2"])})), backend.delete(key)):
        with pytest.raises(StoreUnavailableError):
            await call
    own_postgres.start()
    assert await records_of(backend, key) == (1, [b"1"])
    assert (await backend.commit(key, Change(logs={"l": Splice([b"3"])}), expected_revision=1)).revision == 2
    await backend.aclose()
