"""Keeps sessions in one SQLite file."""

from sessionstore_server.backends.sqlite.backend import SqliteBackend
from sessionstore_server.backends.sqlite.backup import backup

__all__ = ["SqliteBackend", "backup"]
