"""The schema: numbered migrations, each applied once and in one transaction."""

from contextlib import suppress

import asyncpg

from sessionstore.errors import UnsupportedVersionError
from sessionstore_server.backends.postgres.database import ConflictError, Connection, Database
from sessionstore_server.backends.postgres.settings import PostgresSettings
from sessionstore_server.backends.postgres.statements import migrations, statement

_SCHEMA = """
    CREATE SCHEMA IF NOT EXISTS sessionstore;
    CREATE TABLE IF NOT EXISTS sessionstore.migrations (version integer PRIMARY KEY, applied_at timestamptz NOT NULL);
"""
_ABSENT = (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError)

# What it looks like when another process applies the same migration at the same time.
_RIVALRY = (
    asyncpg.UniqueViolationError,
    asyncpg.DuplicateSchemaError,
    asyncpg.DuplicateTableError,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
)


async def migrate(dsn: str) -> None:
    """Bring the schema of the database to the version of this program; several processes may do so at once.

    Errors: UnsupportedVersionError when the schema is newer, StoreUnavailableError, StorageError.
    """
    database = Database(dsn, PostgresSettings(pool_min=1, pool_max=1, statement_cache_size=0))
    await database.open()
    try:
        await apply_migrations(database)
    finally:
        await database.close()


async def apply_migrations(database: Database) -> None:
    """Bring the schema of an open database to the version of this program, see `migrate`."""
    version = await database.repeated(_version)
    if version > max(migrations()):
        raise UnsupportedVersionError(database.target, version, max(migrations()))
    for number, script in migrations().items():
        if number > version:
            await database.repeated(lambda connection, number=number, script=script: _apply(connection, number, script))  # type: ignore[misc]


async def _version(connection: Connection) -> int:
    """Return the version of the schema; 0 when there is none."""
    try:
        version: int | None = await connection.fetchval("SELECT max(version) FROM sessionstore.migrations")
    except _ABSENT:
        return 0
    return version or 0


async def _apply(connection: Connection, number: int, script: str) -> None:
    """Apply a migration, unless that was done meanwhile."""
    try:
        async with connection.transaction():
            await connection.execute(_SCHEMA)
            # Others who are at the same migration wait here for the end of this transaction.
            added = await connection.fetchval(
                "INSERT INTO sessionstore.migrations (version, applied_at) VALUES ($1, now())"
                " ON CONFLICT (version) DO NOTHING RETURNING version",
                number,
            )
            if added:
                await connection.execute(script)
                await _store_plainly(connection)
    except _RIVALRY as error:
        raise ConflictError(str(error)) from error


async def _store_plainly(connection: Connection) -> None:
    """Keep records uncompressed, since compressing them would take most of the time of a commit.

    What only speaks like PostgreSQL may store them in another way, and refuse this.
    """
    with suppress(asyncpg.FeatureNotSupportedError, asyncpg.PostgresSyntaxError):
        async with connection.transaction():
            await connection.execute(statement("store_plainly"))
