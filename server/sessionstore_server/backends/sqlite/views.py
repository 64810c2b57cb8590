"""What a key held at one revision, read within a transaction that the caller holds."""

from collections.abc import Collection, Mapping, Sequence
from sqlite3 import Connection

from sessionstore_server.backends.base import Commit, Key, LogRange, View
from sessionstore_server.backends.sqlite import documents, keys, logs
from sessionstore_server.backends.sqlite.keys import Row

_AT_ONCE = 8
"""How many documents are read in the same statement as the state of the key; others need one each."""


def read(
    connection: Connection,
    key: Key,
    names: Collection[str],
    ranges: Mapping[str, LogRange],
    revision: int | None,
) -> View | None:
    """See `Backend.read`."""
    at_once = [name for name in names if name and not name.endswith("/")][:_AT_ONCE] if revision is None else []
    row, found = _found(connection, key, at_once)
    if not row.is_present:
        return None
    commit = row.commit if revision is None else row.commit_at(key, revision)
    others = [name for name in names if name not in at_once]
    return View(
        commit.revision,
        commit.commit_time,
        found | documents.read(connection, row.key_id, others, commit.revision),
        logs.read(connection, row.key_id, ranges, commit.revision),
    )


def _found(connection: Connection, key: Key, names: Sequence[str]) -> tuple[Row, dict[str, bytes]]:
    """Return the state of a key, with those documents that exist now, in one statement."""
    columns = ", ".join([keys.STATE, *[documents.CONTENT] * len(names)])
    statement = f"SELECT {columns} FROM keys WHERE {keys.IS_KEY}"  # noqa: S608 - columns
    found = connection.execute(statement, (*names, key.namespace, key.collection, key.id)).fetchone()
    if found is None:
        return Row(), {}
    size = len(found) - len(names)
    contents = zip(names, found[size:], strict=True)
    return Row(*found[:size]), {name: content for name, content in contents if content is not None}


def history(connection: Connection, key: Key) -> Sequence[Commit]:
    """See `Backend.history`."""
    return keys.find(connection, key).commits
