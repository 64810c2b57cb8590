"""What a database needs after it went back to a backup."""

import secrets

from sessionstore_server.backends.postgres.database import Database
from sessionstore_server.backends.postgres.migrating import apply_migrations
from sessionstore_server.backends.postgres.settings import PostgresSettings


async def mark_restored(dsn: str) -> None:
    """Give what is stored a new incarnation, and the schema of this program; no process may have it open.

    Errors: as `migrate`.
    """
    database = Database(dsn, PostgresSettings(pool_min=1, pool_max=1, statement_cache_size=0))
    await database.open()
    try:
        await apply_migrations(database)
        await database.fetch("renew_incarnation", secrets.randbits(63))
    finally:
        await database.close()
