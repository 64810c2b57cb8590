"""What stays in the tables, and what goes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from hashlib import sha256

import asyncpg
import pytest

from sessionstore.errors import PositionExpiredError
from sessionstore_server.backends.base import (
    FEED_KEPT,
    REQUESTS_KEPT,
    REVISIONS_KEPT,
    Change,
    Key,
    LogRange,
    Origin,
    Request,
    Splice,
    Summary,
)
from sessionstore_server.backends.postgres import PostgresBackend
from sessionstore_server.backends.postgres.pruning import PRUNE_EVERY

KEY = Key("default", "sessions", "one")
FORK = Key("default", "sessions", "fork")
ALL = LogRange()
MOST_VERSIONS = REVISIONS_KEPT + PRUNE_EVERY

Count = Callable[[str], Awaitable[int]]


@pytest.fixture
def dsn(postgres_dsn: Callable[[], str]) -> str:
    return postgres_dsn()


@pytest.fixture
async def backend(dsn: str) -> AsyncIterator[PostgresBackend]:
    backend = PostgresBackend(dsn)
    await backend.open()
    yield backend
    await backend.aclose()


@pytest.fixture
async def connection(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


@pytest.fixture
def rows(connection: asyncpg.Connection) -> Count:
    """Tell how many rows a table has, or how many records the chunks of `records` hold."""

    async def rows(table: str) -> int:
        counted = "coalesce(sum(stop - position), 0)" if table == "records" else "count(*)"
        return await connection.fetchval(f"SELECT {counted} FROM sessionstore.{table}")

    return rows


async def test_old_versions_go(backend: PostgresBackend, connection: asyncpg.Connection, rows: Count) -> None:
    """However often a document, a log and a summary change, there are as many versions as the history needs."""
    for number in range(5 * PRUNE_EVERY + REVISIONS_KEPT):
        record = b"%d" % number
        await backend.commit(KEY, Change({"d": record}, {"l": Splice([record], keep=0)}, Summary(record)))
        if number % PRUNE_EVERY == 0:
            await backend._now.pruner.prune([await key_id(backend)])
        assert await rows("documents") <= 2 * (MOST_VERSIONS + 1)
        # At one moment, since there is pruning beside.
        records, segments, logs = await connection.fetchrow(
            "SELECT (SELECT sum(stop - position) FROM sessionstore.records),"
            " (SELECT count(*) FROM sessionstore.segments), (SELECT count(*) FROM sessionstore.logs)"
        )
        assert records == segments == logs <= MOST_VERSIONS + 1
    assert len(await backend.history(KEY)) == REVISIONS_KEPT


async def test_pruning_happens_by_itself(backend: PostgresBackend, rows: Count) -> None:
    for number in range(10 * PRUNE_EVERY):
        await backend.commit(KEY, Change({"d": b"%d" % number}))
    while await rows("documents") > REVISIONS_KEPT:
        pass


async def test_ledgers_are_pruned(backend: PostgresBackend, rows: Count) -> None:
    for number in range(300):
        await backend.commit(KEY, Change(request=Request(f"r{number}", "0" * 64)))
    await backend._now.pruner.prune([await key_id(backend)])
    assert await rows("commits") == REQUESTS_KEPT


async def test_a_deletion_removes_everything_at_once(backend: PostgresBackend, rows: Count) -> None:
    digest = sha256(b"blob").hexdigest()

    async def content():
        yield b"blob"

    await backend.put_blob(digest, content())
    change = Change({"d": b"1"}, {"l": Splice([b"1"])}, Summary(b"s", {"name": "n"}), frozenset([digest]))
    await backend.commit(KEY, change)
    assert await backend.delete(KEY)
    for table in ("documents", "logs", "segments", "records", "summaries", "blobs", "blob_references"):
        assert await rows(table) == 0
    assert (await rows("keys"), await rows("commits")) == (1, 2)
    assert await backend.sweep_deleted(0) == 1
    assert (await rows("keys"), await rows("commits")) == (0, 0)


async def test_a_fork_copies_no_records(backend: PostgresBackend, rows: Count) -> None:
    await backend.commit(KEY, Change({"d": b"1"}, {"l": Splice([b"%d" % number for number in range(1000)])}))
    await backend.commit(FORK, Change(logs={"l": Splice([b"new"])}, origin=Origin(KEY, 1)))
    assert await rows("records") == 1001


@pytest.mark.parametrize("gone", [KEY, FORK])
async def test_shared_records_stay_until_the_last_goes(backend: PostgresBackend, rows: Count, gone: Key) -> None:
    records = [b"%d" % number for number in range(10)]
    await backend.commit(KEY, Change(logs={"l": Splice(records)}))
    await backend.commit(FORK, Change(logs={"l": Splice(keep=6)}, origin=Origin(KEY, 1)))
    await backend.delete(gone)
    left = FORK if gone == KEY else KEY
    view = await backend.read(left, logs={"l": ALL})
    assert view is not None
    assert list(view.logs["l"].records) == (records[:6] if left == FORK else records)
    # Nobody can reach what the fork left off, once the origin is gone.
    assert await rows("records") == len(view.logs["l"].records)
    await backend.delete(left)
    assert (await rows("records"), await rows("segments")) == (0, 0)


async def test_cut_records_stay_while_a_revision_has_them(backend: PostgresBackend, rows: Count) -> None:
    await backend.commit(KEY, Change(logs={"l": Splice([b"0", b"1", b"2"])}))
    await backend.commit(KEY, Change(logs={"l": Splice(keep=1)}))
    for _ in range(REVISIONS_KEPT - 2):
        await backend.commit(KEY, Change())
    await backend._now.pruner.prune([await key_id(backend)])
    view = await backend.read(KEY, logs={"l": ALL}, revision=1)
    assert view is not None
    assert list(view.logs["l"].records) == [b"0", b"1", b"2"]
    await backend.commit(KEY, Change())
    await backend._now.pruner.prune([await key_id(backend)])
    assert await rows("records") == 1
    view = await backend.read(KEY, logs={"l": ALL})
    assert view is not None
    assert list(view.logs["l"].records) == [b"0"]


async def test_what_comes_back_while_it_is_pruned_stays(
    backend: PostgresBackend, connection: asyncpg.Connection, dsn: str, rows: Count
) -> None:
    """A commit under way, which nobody sees yet, makes a deleted key present again."""
    await backend.commit(KEY, Change(summary=Summary(b"old")))
    await connection.execute("UPDATE sessionstore.keys SET present = false, summarized = false")
    another = await asyncpg.connect(dsn)
    async with another.transaction():
        await another.execute("UPDATE sessionstore.keys SET present = true, summarized = true")
        await another.execute("UPDATE sessionstore.summaries SET record = 'new'")
        pruning = asyncio.create_task(backend._now.pruner.prune([await key_id(backend)]))
        while not await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            assert not pruning.done()
    await pruning
    assert await rows("summaries") == 1
    await another.close()


async def test_the_feed_is_pruned(backend: PostgresBackend, connection: asyncpg.Connection, rows: Count) -> None:
    """A position from before what was dropped has expired, and writers that are silent are forgotten."""
    position = (await backend.feed("default", "sessions", None, 1)).position
    await backend.commit(KEY, Change())
    assert len((await backend.feed("default", "sessions", position, 1)).entries) == 1
    await connection.execute("UPDATE sessionstore.writers SET last = $1", FEED_KEPT + 1)
    await backend._now.database.fetch("prune_feed", FEED_KEPT)
    assert await rows("feed") == 0
    with pytest.raises(PositionExpiredError):
        await backend.feed("default", "sessions", position, 1)
    await connection.execute("UPDATE sessionstore.writers SET last_time = now() - interval '2 days'")
    await backend._now.database.fetch("remove_writers", 24 * 3600)
    assert await rows("writers") == 0


async def key_id(backend: PostgresBackend):
    rows = await backend._now.database.query("SELECT key_id FROM sessionstore.keys WHERE id = $1", KEY.id)
    return rows[0]["key_id"]
