"""The ledger of a key, in rows."""

from sqlite3 import Connection

from sessionstore_server.backends.base import REQUESTS_KEPT, Commit, Request
from sessionstore_server.backends.ledger import Answer
from sessionstore_server.backends.sqlite import times
from sessionstore_server.backends.sqlite.keys import Row

_PRUNE_EVERY = 32
"""After so many requests those that are forgotten go; until then nobody sees them."""


def past(connection: Connection, row: Row, request: Request | None) -> dict[str, Answer]:
    """Return the part of the ledger that knows of `request`."""
    if request is None or not row.requests:
        return {}
    found = connection.execute(
        "SELECT digest, revision, commit_time, existed FROM requests"
        " WHERE key_id = ? AND request_id = ? AND number > ?",
        [row.key_id, request.id, row.requests - REQUESTS_KEPT],
    ).fetchone()
    if found is None:
        return {}
    digest, revision, time, existed = found
    commit = Commit(revision, times.moment(time))
    return {request.id: Answer(digest.hex(), commit, None if existed is None else bool(existed))}


def remember(connection: Connection, row: Row, request: Request | None, existed: bool | None = None) -> None:
    """Enter the answer to a request, which `row` counts already."""
    if request is None:
        return
    connection.execute(
        "INSERT OR REPLACE INTO requests (key_id, request_id, number, digest, revision, commit_time, existed)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [row.key_id, request.id, row.requests, bytes.fromhex(request.digest), row.revision, row.commit_time, existed],
    )
    if row.requests % _PRUNE_EVERY == 0:
        forgotten = [row.key_id, row.requests - REQUESTS_KEPT]
        connection.execute("DELETE FROM requests WHERE key_id = ? AND number <= ?", forgotten)
