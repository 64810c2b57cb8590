"""The backend that keeps everything in PostgreSQL, or in what speaks like it."""

from sessionstore_server.backends.postgres.backend import PostgresBackend
from sessionstore_server.backends.postgres.migrating import migrate
from sessionstore_server.backends.postgres.restoring import mark_restored
from sessionstore_server.backends.postgres.settings import PostgresSettings

__all__ = ["PostgresBackend", "PostgresSettings", "mark_restored", "migrate"]
