"""Copies of a file that is in use, and copies that were put back."""

import os
import secrets
import sqlite3
from contextlib import closing
from pathlib import Path

from sessionstore.errors import InvalidArgumentError, StorageError
from sessionstore_server.backends.sqlite import database


def backup(source: Path, target: Path) -> None:
    """Copy the file of a SqliteBackend to `target` as it is at one moment, while others write it.

    The copy is whole and durable when this returns, has an incarnation of its own, and holds nothing when it failed.
    Errors: InvalidArgumentError when `target` exists; StorageError and those of `SqliteBackend.open` for `source`.
    """
    if not source.is_file():
        raise StorageError(str(source), "there is no such file")
    if target.exists():
        raise InvalidArgumentError("target", f"{target} exists: name a new file")
    draft = target.with_name(f"{target.name}.{secrets.token_hex(8)}")
    try:
        _copy(source, draft)
        # Unlike a rename, this never replaces a file that somebody just made.
        os.link(draft, target)
        database.sync_folder(target.parent)
    except (sqlite3.Error, OSError) as error:
        raise database.described(source, error) from error
    finally:
        draft.unlink(missing_ok=True)


def mark_restored(path: Path) -> None:
    """Give a file that went back to a backup a new incarnation; no process may have it open.

    Errors: StorageError and those of `SqliteBackend.open`.
    """
    if not path.is_file():
        raise StorageError(str(path), "there is no such file")
    try:
        with closing(database.connect(path)) as connection:
            _renew(connection, path)
    except (sqlite3.Error, OSError) as error:
        raise database.described(path, error) from error


def _renew(connection: sqlite3.Connection, path: Path) -> None:
    if not database.check_ours(connection, path):
        raise StorageError(str(path), "nothing is stored in it")
    database.begin(connection)
    database.renew_incarnation(connection)
    connection.execute("COMMIT")


def _copy(source: Path, draft: Path) -> None:
    with closing(database.connect(source)) as original, closing(database.connect(draft)) as copy:
        if not database.check_ours(original, source):
            raise StorageError(str(source), "nothing is stored in it")
        original.backup(copy)
        _renew(copy, draft)
