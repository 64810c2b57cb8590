"""The summary of a key: the present one in `listed`, each version in `summaries`."""

import json
from collections.abc import Mapping
from sqlite3 import Connection

from sessionstore_server.backends.base import NUMBER_ATTRIBUTES, TEXT_ATTRIBUTES, Key, Summary
from sessionstore_server.backends.sqlite import keys
from sessionstore_server.backends.sqlite.keys import Row

_COLUMNS = ("record", *TEXT_ATTRIBUTES, *NUMBER_ATTRIBUTES)

_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM listed WHERE key_id = ?"  # noqa: S608 - columns

_INSERT = (
    f"INSERT INTO listed (key_id, namespace, collection, id, {', '.join(_COLUMNS)})"  # noqa: S608 - columns
    f" VALUES (?, ?, ?, ?, {', '.join('?' * len(_COLUMNS))})"
)

_PRUNE = (
    "DELETE FROM summaries WHERE key_id = :key_id"
    " AND since < (SELECT max(since) FROM summaries WHERE key_id = :key_id AND since <= :oldest)"
)


def put(connection: Connection, key: Key, row: Row, summary: Summary) -> None:
    """Set the summary from the revision of `row` on."""
    connection.execute(
        "INSERT OR REPLACE INTO summaries (key_id, since, record, attributes) VALUES (?, ?, ?, ?)",
        [row.key_id, row.revision, summary.record, json.dumps(dict(summary.attributes))],
    )
    _list(connection, key, row, {"record": summary.record, **summary.attributes})
    keys.mark_summarized(connection, row)


def copy(connection: Connection, origin: Row, revision: int, key: Key, row: Row) -> None:
    """Start with the summary that `origin` had at a revision, if it had one."""
    found = connection.execute(
        "SELECT record, attributes FROM summaries WHERE key_id = ? AND since <= ? ORDER BY since DESC LIMIT 1",
        [origin.key_id, revision],
    ).fetchone()
    if found:
        put(connection, key, row, Summary(found[0], json.loads(found[1])))


def prune(connection: Connection, row: Row) -> None:
    """Drop the versions that no kept revision has."""
    connection.execute(_PRUNE, {"key_id": row.key_id, "oldest": row.oldest})


def clear(connection: Connection, row: Row) -> None:
    """Drop the summary of a key with all its versions."""
    connection.execute("DELETE FROM summaries WHERE key_id = ?", [row.key_id])
    connection.execute("DELETE FROM listed WHERE key_id = ?", [row.key_id])


def _list(connection: Connection, key: Key, row: Row, values: Mapping[str, object]) -> None:
    present = connection.execute(_SELECT, [row.key_id]).fetchone()
    wanted = {column: values.get(column) for column in _COLUMNS}
    if present is None:
        connection.execute(_INSERT, [row.key_id, key.namespace, key.collection, key.id, *wanted.values()])
        return
    # SQLite writes the index of each column that is set, whether its value is new or not.
    news = {column: wanted[column] for column, value in zip(_COLUMNS, present, strict=True) if wanted[column] != value}
    if news:
        assignments = ", ".join(f"{column} = ?" for column in news)
        update = f"UPDATE listed SET {assignments} WHERE key_id = ?"  # noqa: S608 - columns
        connection.execute(update, [*news.values(), row.key_id])
