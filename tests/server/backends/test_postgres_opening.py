"""What PostgreSQL is asked when a backend opens, and what comes of it when that fails."""

import asyncio
import traceback
from collections.abc import Callable

import asyncpg
import pytest

from sessionstore import PostgresSessionStore
from sessionstore.errors import (
    InvalidArgumentError,
    RevisionNotKeptError,
    StorageError,
    StoreClosedError,
    StoreUnavailableError,
    UnsupportedVersionError,
)
from sessionstore_server.backends.base import Change, Key, LogRange, Origin, Query, Splice
from sessionstore_server.backends.postgres import PostgresBackend, PostgresSettings, migrate

KEY = Key("default", "sessions", "one")
IMPATIENT = PostgresSettings(pool_min=0, pool_max=1, connect_timeout_seconds=0.5, retry_seconds=0.1)


async def fetch(dsn: str, statement: str, *args: object) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetch(statement, *args)
    finally:
        await connection.close()


async def test_ten_open_an_empty_database_at_once(postgres_dsn: Callable[[], str]) -> None:
    dsn = postgres_dsn()
    backends = [PostgresBackend(dsn) for _ in range(10)]
    await asyncio.gather(*(backend.open() for backend in backends))
    assert len({backend.incarnation for backend in backends}) == 1
    commits = await asyncio.gather(*(backend.commit(KEY, Change()) for backend in backends))
    assert sorted(commit.revision for commit in commits) == list(range(1, 11))
    assert [row["version"] for row in await fetch(dsn, "SELECT version FROM sessionstore.migrations")] == [1, 2]
    schemas = "SELECT DISTINCT schemaname FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    assert [row["schemaname"] for row in await fetch(dsn, schemas)] == ["sessionstore"]
    await asyncio.gather(*(backend.aclose() for backend in backends))


async def test_migrating_again_changes_nothing(postgres_dsn: Callable[[], str]) -> None:
    dsn = postgres_dsn()
    await migrate(dsn)
    applied = await fetch(dsn, "SELECT * FROM sessionstore.migrations ORDER BY version")
    await migrate(dsn)
    assert await fetch(dsn, "SELECT * FROM sessionstore.migrations ORDER BY version") == applied


async def test_a_newer_schema_is_refused(postgres_dsn: Callable[[], str]) -> None:
    dsn = postgres_dsn()
    await migrate(dsn)
    await fetch(dsn, "INSERT INTO sessionstore.migrations VALUES (99, now())")
    backend = PostgresBackend(dsn)
    with pytest.raises(UnsupportedVersionError) as refused:
        await backend.open()
    assert (refused.value.version, refused.value.supported) == (99, 2)
    with pytest.raises(StoreClosedError):
        await backend.read(KEY)


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://user:s3cret@127.0.0.1:1/store",
        "postgresql://user:s3/cret@127.0.0.1:1/store",
        "postgresql://127.0.0.1:1/store?user=user&password=s3cret",
        "postgresql://user:s3cret@127.0.0.1:port/store",
        "mysql://user:s3cret@127.0.0.1/store",
    ],
)
async def test_no_error_tells_the_password(dsn: str) -> None:
    with pytest.raises((StoreUnavailableError, InvalidArgumentError)) as refused:
        await PostgresBackend(dsn, IMPATIENT).open()
    told = "".join(traceback.format_exception(refused.value))
    assert "s3" not in told
    assert "cret" not in told


async def test_an_unreachable_database_is_named() -> None:
    with pytest.raises(StoreUnavailableError) as refused:
        await PostgresBackend("postgresql://user@127.0.0.1:1/store", IMPATIENT).open()
    assert refused.value.target == "postgresql://127.0.0.1/store"


async def test_without_prepared_statements(postgres_dsn: Callable[[], str]) -> None:
    """As behind a pooler that gives each transaction another connection."""
    backend = PostgresBackend(postgres_dsn(), PostgresSettings(statement_cache_size=0))
    await backend.open()
    keys = [Key("default", "sessions", str(number)) for number in range(8)]
    for revision in (1, 2):
        commits = await asyncio.gather(
            *(backend.commit(key, Change({"d": b"1"}, {"l": Splice([b"r"])})) for key in keys)
        )
        assert [commit.revision for commit in commits] == [revision] * 8
    for key in keys:
        view = await backend.read(key, ["d"], {"l": LogRange()})
        assert view is not None
        assert (dict(view.documents), list(view.logs["l"].records)) == ({"d": b"1"}, [b"r", b"r"])
    assert await backend.count("default", "sessions", Query(summarized=False)) == 8
    await backend.aclose()


async def test_a_database_that_only_reads_is_not_well(postgres_dsn: Callable[[], str]) -> None:
    dsn = postgres_dsn()
    backend = PostgresBackend(dsn, IMPATIENT)
    await backend.open()
    await backend.check_health()
    [[name]] = await fetch(dsn, "SELECT current_database()")
    await fetch(dsn, f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    await fetch(
        dsn,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()",
        name,
    )
    assert await backend.read(KEY) is None
    with pytest.raises(StorageError, match="read-only"):
        await backend.check_health()
    with pytest.raises(StoreUnavailableError, match="read-only"):
        await backend.commit(KEY, Change())
    await backend.aclose()


async def test_numbers_that_the_database_cannot_count(postgres_dsn: Callable[[], str]) -> None:
    backend = PostgresBackend(postgres_dsn())
    await backend.open()
    await backend.commit(KEY, Change(logs={"l": Splice([b"r"])}))
    far = (1 << 64) - 1
    with pytest.raises(RevisionNotKeptError):
        await backend.read(KEY, revision=far)
    with pytest.raises(RevisionNotKeptError):
        await backend.commit(Key("default", "sessions", "fork"), Change(origin=Origin(KEY, far)))
    view = await backend.read(KEY, logs={"l": LogRange(0, far)})
    assert view is not None
    assert list(view.logs["l"].records) == [b"r"]
    assert await backend.extend_upload("0" * 64, far, b"piece") == 0
    await backend.aclose()


@pytest.mark.parametrize("parameter", ["notify=maybe", "notify=", "notify=1"])
def test_a_setting_that_is_neither_true_nor_false(parameter: str) -> None:
    with pytest.raises(InvalidArgumentError, match=r"notify is .*: give true or false"):
        PostgresSessionStore.from_url(f"postgresql://host/database?{parameter}")
