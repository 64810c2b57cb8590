"""Keeps sessions in one SQLite file."""

from sessionstore_server.backends.sqlite.backend import SqliteBackend
from sessionstore_server.backends.sqlite.backup import backup, mark_restored

__all__ = ["SqliteBackend", "backup", "mark_restored"]
