"""Backends of one database wake each other, and do without where that cannot be. No test waits for a time to pass."""

import asyncio
import logging
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from sessionstore_server.backends.base import Change, Key
from sessionstore_server.backends.postgres import PostgresBackend, PostgresSettings

KEY, OTHER = Key("default", "sessions", "one"), Key("default", "sessions", "other")
AN_HOUR = 3600
HEARING = PostgresSettings(pool_max=2)
LISTENERS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"


@pytest.fixture
def dsn(postgres_dsn: Callable[[], str]) -> str:
    return postgres_dsn()


@pytest.fixture
async def opened(dsn: str) -> AsyncIterator[Callable]:
    """Opens backends on one database; they close with the test."""
    async with AsyncExitStack() as stack:

        async def opened(settings: PostgresSettings = HEARING, at: str = dsn) -> PostgresBackend:
            backend = PostgresBackend(at, settings)
            await backend.open()
            stack.push_async_callback(backend.aclose)
            return backend

        yield opened


async def hearing(backend: PostgresBackend) -> None:
    """Return when notifications come through."""
    while not backend._now.notifications.are_heard:
        await backend.check_health()


async def waiting(backend: PostgresBackend, key: Key | None) -> asyncio.Task[None]:
    task = asyncio.create_task(backend.wait(key, AN_HOUR))
    await asyncio.sleep(0)
    return task


async def test_a_commit_wakes_who_waits_elsewhere(opened) -> None:
    writer, watcher = await opened(), await opened()
    await hearing(writer)
    await hearing(watcher)
    key_waits, other_waits, all_wait = [await waiting(watcher, key) for key in (KEY, OTHER, None)]
    await writer.commit(KEY, Change())
    await asyncio.gather(key_waits, all_wait)
    assert not other_waits.done()
    await writer.delete(KEY)
    await writer.commit(OTHER, Change())
    await other_waits


async def test_more_keys_than_a_notification_holds(opened) -> None:
    writer, watcher = await opened(), await opened()
    await hearing(writer)
    await hearing(watcher)
    keys = [Key("default", "sessions", f"{number}" + "x" * 500) for number in range(20)]
    tasks = [await waiting(watcher, key) for key in keys]
    await asyncio.gather(*(writer.commit(key, Change()) for key in keys))
    await asyncio.gather(*tasks)


async def test_what_others_say_on_the_channel(opened, dsn: str) -> None:
    """A later version may tell in other words, so all who wait look."""
    watcher = await opened()
    await hearing(watcher)
    tasks = [await waiting(watcher, key) for key in (KEY, None)]
    connection = await asyncpg.connect(dsn)
    await connection.execute("NOTIFY sessionstore, 'hello'")
    await connection.close()
    await asyncio.gather(*tasks)


async def test_listening_goes_on_after_a_lost_connection(opened, dsn: str) -> None:
    writer, watcher = await opened(), await opened()
    await hearing(watcher)
    connection = await asyncpg.connect(dsn)
    task = await waiting(watcher, KEY)
    for row in await connection.fetch(LISTENERS):
        await connection.execute("SELECT pg_terminate_backend($1)", row["pid"])
    # Something may have been missed, so whoever waits looks again.
    await task
    await hearing(writer)
    await hearing(watcher)
    task = await waiting(watcher, KEY)
    await writer.commit(KEY, Change())
    await task
    await connection.close()


async def test_hearing_makes_looks_rare(opened) -> None:
    backend = await opened()
    await hearing(backend)
    assert backend.poll_seconds > HEARING.poll_seconds
    assert (await opened(PostgresSettings(notify=False))).poll_seconds == HEARING.poll_seconds


async def test_without_notifications_nobody_listens(opened, dsn: str) -> None:
    backend = await opened(PostgresSettings(notify=False))
    await backend.commit(KEY, Change())
    connection = await asyncpg.connect(dsn)
    assert await connection.fetch(LISTENERS) == []
    await connection.close()


@asynccontextmanager
async def deaf(dsn: str) -> AsyncIterator[str]:
    """Lead to a database that does not know LISTEN, as those that only speak like PostgreSQL: it is misspelt."""
    host = parse_qs(urlsplit(dsn).query).get("host", [""])[0]
    if not host.startswith("/"):
        pytest.skip("the database has no socket in the file system")

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_unix_connection(f"{host}/.s.PGSQL.5432")
        await asyncio.gather(pump(reader, to_server), pump(from_server, writer))

    with tempfile.TemporaryDirectory(prefix="deaf") as folder:
        server = await asyncio.start_unix_server(forward, f"{folder}/.s.PGSQL.5432")
        async with server:
            yield dsn.replace(host, folder)


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while sent := await reader.read(1 << 20):
        writer.write(sent.replace(b"LISTEN", b"LISTEM"))
    writer.close()


async def test_a_database_without_notifications(opened, dsn: str, caplog: pytest.LogCaptureFixture) -> None:
    async with deaf(dsn) as deaf_dsn:
        caplog.set_level(logging.INFO, "sessionstore_server")
        backend = await opened(at=deaf_dsn)
        await asyncio.wait([backend._now.notifications._task])
        for _ in range(3):
            await backend.commit(KEY, Change())
        (record,) = caplog.records
        assert "cannot notify" in record.getMessage()
        assert backend.poll_seconds == HEARING.poll_seconds
        await backend.aclose()
