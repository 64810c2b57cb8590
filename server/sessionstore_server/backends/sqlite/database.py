"""The file: how it is made, opened and checked, and what its errors mean."""

import os
import secrets
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

from sessionstore.errors import DataCorruptionError, StorageError, UnsupportedVersionError
from sessionstore_server.backends.sqlite.writing import WritingConnection

T = TypeVar("T")
C = TypeVar("C", bound=sqlite3.Connection)

SCHEMA_VERSION = 1
"""Of `schema.sql`; a file of a newer one is refused."""

BUSY_SECONDS = 30.0
"""How long to wait for other processes before giving up."""

_APPLICATION_ID = 0x53455353
_LEAST_SQLITE = (3, 37, 0)
_RETRY_SECONDS = 0.001
_CACHED_STATEMENTS = 256
_SETTINGS = (
    # Sync the log at each commit.
    "synchronous = FULL",
    # Overwrite what is removed where that costs nothing.
    "secure_delete = FAST",
    # What a statement sorts, or may have to undo, needs no file.
    "temp_store = MEMORY",
    "cache_size = -8192",
    "wal_autocheckpoint = 2000",
    f"journal_size_limit = {64 << 20}",
)


def prepare(path: Path) -> int:
    """Make the file if there is none, and return its incarnation.

    Errors: UnsupportedVersionError for a file of a newer schema; DataCorruptionError for one that holds something
    else; StorageError.
    """
    if sqlite3.sqlite_version_info < _LEAST_SQLITE:
        needed = ".".join(map(str, _LEAST_SQLITE))
        raise StorageError(str(path), f"SQLite {sqlite3.sqlite_version} is too old: use {needed} or newer")
    _make_file(path)
    with closing(connect(path)) as connection:
        check_ours(connection, path)
        patiently(lambda: connection.execute("PRAGMA journal_mode = WAL"))
        begin(connection)
        # Another process may have been faster.
        if not check_ours(connection, path):
            _make_schema(connection)
        connection.execute("COMMIT")
        return incarnation(connection)


def connect(path: Path) -> sqlite3.Connection:
    """Open a connection for any thread, though for one at a time."""
    return _connected(path, sqlite3.Connection)


def connect_to_write(path: Path) -> WritingConnection:
    """Open the connection of the writer, for any thread, though for one at a time."""
    # `patiently` waits for other processes; it looks more often than SQLite would.
    return _impatient(_connected(path, WritingConnection))


def connect_for_short_reads(path: Path) -> sqlite3.Connection:
    """Open a connection that never waits for other processes, for any thread, though for one at a time."""
    return _impatient(_connected(path, sqlite3.Connection))


def check_ours(connection: sqlite3.Connection, path: Path) -> bool:
    """Tell whether the schema is there; refuse a newer one, and the database of another program."""
    # First of all: once another process has made the tables, the rest is there too.
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if not tables:
        return False
    if application_id != _APPLICATION_ID:
        raise DataCorruptionError(str(path), "it is the database of another program: name another file")
    if version > SCHEMA_VERSION:
        raise UnsupportedVersionError(str(path), version, SCHEMA_VERSION)
    return True


def incarnation(connection: sqlite3.Connection) -> int:
    """Return the incarnation of what is stored."""
    (value,) = connection.execute("SELECT value FROM meta WHERE name = 'incarnation'").fetchone()
    return int(value)


def renew_incarnation(connection: sqlite3.Connection) -> None:
    """Give what is stored an incarnation of its own."""
    value = secrets.randbits(63)
    connection.execute("INSERT OR REPLACE INTO meta (name, value) VALUES ('incarnation', ?)", [value])


def begin(connection: sqlite3.Connection) -> None:
    """Begin a transaction that writes, once no other process does."""
    patiently(lambda: connection.execute("BEGIN IMMEDIATE"))


def patiently(step: Callable[[], T]) -> T:
    """Repeat a step for as long as another process is in its way, at most for `BUSY_SECONDS`."""
    give_up_at = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            return step()
        except sqlite3.OperationalError as error:
            if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at:
                raise
            time.sleep(_RETRY_SECONDS)


def described(path: Path, error: Exception) -> Exception:
    """Return what callers are told: a failure of SQLite or of the medium in our words, anything else as it is."""
    if isinstance(error, OSError):
        return StorageError(str(error.filename or path), error.strerror or str(error))
    if not isinstance(error, sqlite3.Error):
        return error
    if _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return DataCorruptionError(str(path), str(error))
    return StorageError(str(path), str(error))


def _connected(path: Path, kind: type[C]) -> C:
    connection = kind(
        path,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_CACHED_STATEMENTS,
    )
    try:
        for setting in _SETTINGS:
            connection.execute(f"PRAGMA {setting}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _impatient(connection: C) -> C:
    connection.execute("PRAGMA busy_timeout = 0")
    return connection


def _make_file(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # The files that SQLite puts beside it get the same permissions.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_schema(connection: sqlite3.Connection) -> None:
    for statement in (files(__package__) / "schema.sql").read_text("utf-8").split(";\n"):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    renew_incarnation(connection)


def _code(error: sqlite3.Error) -> int:
    """Return the primary code of an error; extended ones have it in their lowest byte."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return -1 if code is None else code & 0xFF
