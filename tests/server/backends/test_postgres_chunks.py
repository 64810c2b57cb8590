"""Records are stored in chunks, which nobody notices who reads a log."""

import random
from collections.abc import AsyncIterator, Callable

import asyncpg
import pytest

from sessionstore.errors import DataCorruptionError
from sessionstore_server.backends.base import REVISIONS_KEPT, Change, Key, LogRange, Origin, Splice
from sessionstore_server.backends.postgres import PostgresBackend

KEY, FORK = Key("default", "sessions", "one"), Key("default", "sessions", "fork")
ALL = LogRange()


@pytest.fixture
def dsn(postgres_dsn: Callable[[], str]) -> str:
    return postgres_dsn()


@pytest.fixture
async def backend(dsn: str) -> AsyncIterator[PostgresBackend]:
    backend = PostgresBackend(dsn)
    await backend.open()
    yield backend
    await backend.aclose()


async def log_of(backend: PostgresBackend, key: Key = KEY, span: LogRange = ALL, revision: int | None = None):
    view = await backend.read(key, logs={"l": span}, revision=revision)
    assert view is not None
    return list(view.logs["l"].records)


@pytest.mark.parametrize("size", [0, 1, 1_000, 100_000])
async def test_any_part_of_a_log(backend: PostgresBackend, size: int) -> None:
    """Of records that fill many chunks, or are larger than one; also where the log was cut in the midst of a chunk."""
    records = [b"%d" % number + b"x" * size for number in range(600 if size < 100_000 else 20)]
    middle = len(records) // 2 + 1
    await backend.commit(KEY, Change(logs={"l": Splice(records)}))
    await backend.commit(KEY, Change(logs={"l": Splice(records[:3], keep=middle)}))
    await backend.commit(FORK, Change(logs={"l": Splice(records[5:9], keep=middle + 1)}, origin=Origin(KEY, 2)))
    expected = {
        (KEY, 1): records,
        (KEY, 2): records[:middle] + records[:3],
        (FORK, 1): [*records[:middle], records[0], *records[5:9]],
    }
    spans = random.Random(1)
    for (key, revision), log in expected.items():
        for _ in range(20):
            start, stop = (spans.randint(0, len(log) + 1) for _ in range(2))
            assert await log_of(backend, key, LogRange(start, stop), revision) == log[start:stop]
        assert await log_of(backend, key, revision=revision) == log


async def fetched(dsn: str, statement: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_records_of_one_commit_share_rows(backend: PostgresBackend, dsn: str) -> None:
    await backend.commit(KEY, Change(logs={"l": Splice([b"r"] * 1_000)}))
    assert await fetched(dsn, "SELECT count(*) FROM sessionstore.records") == 4


async def test_chunks_are_not_compressed(backend: PostgresBackend, dsn: str) -> None:
    await backend.commit(KEY, Change(logs={"l": Splice([b"r" * 60_000])}))
    assert await fetched(dsn, "SELECT pg_column_size(content) FROM sessionstore.records") > 60_000


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM sessionstore.records WHERE position > 0",
        "DELETE FROM sessionstore.records WHERE position = 0",
        "UPDATE sessionstore.records SET content = '' WHERE position = 0",
        "UPDATE sessionstore.records SET content = substring(content FOR length(content) - 1) WHERE position = 0",
    ],
)
async def test_damaged_chunks(backend: PostgresBackend, dsn: str, damage: str) -> None:
    await backend.commit(KEY, Change(logs={"l": Splice([b"record"] * 600)}))
    await backend.commit(KEY, Change(logs={"l": Splice(keep=500)}))
    await fetched(dsn, damage)
    with pytest.raises(DataCorruptionError, match="records of the log 'l' are missing"):
        await log_of(backend)
    # Nor do they keep anything else from being removed.
    for _ in range(REVISIONS_KEPT):
        await backend.commit(KEY, Change({"d": b"1"}))
    [key_id] = await backend._now.database.query("SELECT key_id FROM sessionstore.keys")
    await backend._now.pruner.prune(key_id)
    assert await backend.delete(KEY)
    assert await fetched(dsn, "SELECT count(*) FROM sessionstore.records") == 0
