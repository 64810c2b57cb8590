"""What a key held at one revision, read within a transaction that the caller holds."""

from collections.abc import Collection, Mapping, Sequence
from sqlite3 import Connection

from sessionstore_server.backends.base import Commit, Key, LogRange, View
from sessionstore_server.backends.sqlite import documents, keys, logs


def read(
    connection: Connection,
    key: Key,
    names: Collection[str],
    ranges: Mapping[str, LogRange],
    revision: int | None,
) -> View | None:
    """See `Backend.read`."""
    row = keys.find(connection, key)
    if not row.is_present:
        return None
    commit = row.commit if revision is None else row.commit_at(key, revision)
    return View(
        commit.revision,
        commit.commit_time,
        documents.read(connection, row.key_id, names, commit.revision),
        logs.read(connection, row.key_id, ranges, commit.revision),
    )


def history(connection: Connection, key: Key) -> Sequence[Commit]:
    """See `Backend.history`."""
    return keys.find(connection, key).commits
