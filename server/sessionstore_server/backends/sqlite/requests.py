"""The ledger of a key, in rows."""

from sqlite3 import Connection

from sessionstore_server.backends.base import REQUESTS_KEPT, Commit, Key, Request
from sessionstore_server.backends.ledger import Answer
from sessionstore_server.backends.sqlite import keys, times
from sessionstore_server.backends.sqlite.keys import Row
from sessionstore_server.backends.sqlite.writing import WritingConnection

_INSERT = "INSERT OR REPLACE INTO requests (key_id, request_id, number, digest, revision, commit_time, existed)"

_FIND = (
    f"SELECT {keys.SELECTED}, digest, requests.revision, commit_time, existed"  # noqa: S608 - columns
    " FROM keys LEFT JOIN requests ON requests.key_id = keys.key_id AND request_id = ?"
    f" AND number > keys.requests - {REQUESTS_KEPT} WHERE {keys.IS_KEY}"
)

_PRUNE_EVERY = 32
"""After so many requests those that are forgotten go; until then nobody sees them."""


def find(connection: Connection, key: Key, request: Request | None) -> tuple[Row, dict[str, Answer]]:
    """Return what is known of a key, with the part of its ledger that knows of `request`."""
    request_id = request.id if request else None
    found = connection.execute(_FIND, (request_id, key.namespace, key.collection, key.id)).fetchone()
    if found is None:
        return Row(), {}
    *_, digest, revision, time, existed = found
    if request is None or digest is None:
        return keys.row(found), {}
    answer = Answer(digest.hex(), Commit(revision, times.moment(time)), None if existed is None else bool(existed))
    return keys.row(found), {request.id: answer}


def remember(connection: WritingConnection, row: Row, request: Request | None, existed: bool | None = None) -> None:
    """Enter the answer to a request, which `row` counts already."""
    if request is None:
        return
    digest = bytes.fromhex(request.digest)
    connection.add(_INSERT, (row.key_id, request.id, row.requests, digest, row.revision, row.commit_time, existed))
    if row.requests % _PRUNE_EVERY == 0:
        forgotten = [row.key_id, row.requests - REQUESTS_KEPT]
        connection.execute("DELETE FROM requests WHERE key_id = ? AND number <= ?", forgotten)
