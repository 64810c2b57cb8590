"""The documents of a key, in versions: see the table `documents`."""

from collections.abc import Collection, Mapping
from sqlite3 import Connection

from sessionstore_server.backends import checks
from sessionstore_server.backends.sqlite.keys import Row
from sessionstore_server.backends.sqlite.names import matching
from sessionstore_server.backends.sqlite.writing import WritingConnection

_ONE = (
    "SELECT content FROM documents WHERE key_id = :key_id AND name = :name AND since <= :revision"
    " ORDER BY since DESC LIMIT 1"
)

CONTENT = (
    "(SELECT content FROM documents WHERE documents.key_id = keys.key_id AND documents.name = ?"
    " AND since <= keys.revision ORDER BY since DESC LIMIT 1)"
)
"""A column beside those of `keys`: the present content of a document, by its name."""

_BELOW = (
    "SELECT name, content FROM documents AS one WHERE key_id = :key_id AND name >= :first AND name < :behind"
    " AND since = (SELECT max(since) FROM documents AS other"
    " WHERE other.key_id = :key_id AND other.name = one.name AND other.since <= :revision)"
    " AND content IS NOT NULL"
)

# A fork has versions of its revision already.
_INSERT = "INSERT OR REPLACE INTO documents (key_id, name, since, content)"

_COPY = (
    "INSERT INTO documents (key_id, name, since, content)"
    " SELECT :new_id, name, :since, content FROM documents AS one WHERE key_id = :key_id"
    " AND since = (SELECT max(since) FROM documents AS other"
    " WHERE other.key_id = :key_id AND other.name = one.name AND other.since <= :revision)"
    " AND content IS NOT NULL"
)

_PRUNE = (
    "DELETE FROM documents WHERE key_id = :key_id AND since <= :oldest"
    " AND (content IS NULL OR since < (SELECT max(since) FROM documents AS other"
    " WHERE other.key_id = :key_id AND other.name = documents.name AND other.since <= :oldest))"
)


def get(connection: Connection, key_id: int, name: str, revision: int) -> bytes | None:
    """Return one document at a revision, or None when it does not exist."""
    found = connection.execute(_ONE, {"key_id": key_id, "name": name, "revision": revision}).fetchone()
    return found[0] if found else None


def read(connection: Connection, key_id: int, names: Collection[str], revision: int) -> dict[str, bytes]:
    """Return the wanted documents at a revision; a name that ends in `/` stands for all that start with it."""
    documents: dict[str, bytes] = {}
    # The one without a name is the summary.
    for name in filter(None, names):
        if name.endswith("/"):
            documents |= _below(connection, key_id, name, revision)
        elif (content := get(connection, key_id, name, revision)) is not None:
            documents[name] = content
    return documents


def apply(connection: WritingConnection, row: Row, change: Mapping[str, bytes | None]) -> None:
    """Write the versions that begin with the revision of `row`."""
    removed = [name for name, content in change.items() if content is None]
    present = read(connection, row.key_id, removed, row.revision) if removed else ()
    for name in checks.removed(present, change):
        connection.add(_INSERT, (row.key_id, name, row.revision, None))
    for name, content in change.items():
        if content is not None:
            connection.add(_INSERT, (row.key_id, name, row.revision, content))


def copy(connection: Connection, origin: Row, revision: int, row: Row) -> None:
    """Start the documents of `row` with those that `origin` held at a revision."""
    named = {"key_id": origin.key_id, "revision": revision, "new_id": row.key_id, "since": row.revision}
    connection.execute(_COPY, named)


def prune(connection: Connection, row: Row) -> None:
    """Drop the versions that no kept revision has."""
    connection.execute(_PRUNE, {"key_id": row.key_id, "oldest": row.oldest})


def clear(connection: Connection, row: Row) -> None:
    """Drop all documents of a key."""
    connection.execute("DELETE FROM documents WHERE key_id = ?", [row.key_id])


def _below(connection: Connection, key_id: int, prefix: str, revision: int) -> dict[str, bytes]:
    span = matching(prefix)
    named = {"key_id": key_id, "revision": revision, "first": span.first, "behind": span.behind}
    return dict(connection.execute(_BELOW, named))
