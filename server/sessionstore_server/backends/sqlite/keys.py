"""The row of a key: its revision, what is kept of its history, and whether it is present."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from sqlite3 import Connection

from sessionstore.errors import RevisionNotKeptError
from sessionstore_server.backends.base import REVISIONS_KEPT, Commit, Key
from sessionstore_server.backends.sqlite import times

_TIME = struct.Struct("<q")


@dataclass(frozen=True, slots=True)
class Row:
    """What is known of a key; one that was never made has no id, and counts as deleted."""

    key_id: int = 0
    revision: int = 0
    history: bytes = b""
    requests: int = 0
    has_summary: bool = False
    deleted_at: int | None = 0

    @property
    def is_present(self) -> bool:
        """Whether the key holds anything."""
        return self.deleted_at is None

    @property
    def present_revision(self) -> int:
        """The revision as callers see it: 0 when the key is absent."""
        return self.revision if self.is_present else 0

    @property
    def oldest(self) -> int:
        """The oldest revision that is kept."""
        return self.revision - len(self.history) // _TIME.size + 1

    @property
    def commit_time(self) -> int:
        """When the key was last committed or deleted."""
        if self.deleted_at is not None:
            return self.deleted_at
        time: int = _TIME.unpack_from(self.history, len(self.history) - _TIME.size)[0]
        return time

    @property
    def commit(self) -> Commit:
        """The last commit."""
        return Commit(self.revision, times.moment(self.commit_time))

    @property
    def commits(self) -> Sequence[Commit]:
        """The revisions that are kept, oldest first; none when the key is absent."""
        kept = [time for (time,) in _TIME.iter_unpack(self.history)]
        return [Commit(self.oldest + index, times.moment(time)) for index, time in enumerate(kept)]

    def commit_at(self, key: Key, revision: int) -> Commit:
        """Return the commit of a kept revision. Errors: RevisionNotKeptError."""
        if not (self.is_present and self.oldest <= revision <= self.revision):
            raise RevisionNotKeptError(key.id, revision)
        return self.commits[revision - self.oldest]


def find(connection: Connection, key: Key) -> Row:
    """Return what is known of a key."""
    found = connection.execute(
        "SELECT key_id, revision, history, requests, has_summary, deleted_at FROM keys"
        " WHERE namespace = ? AND collection = ? AND id = ?",
        [key.namespace, key.collection, key.id],
    ).fetchone()
    return Row(*found) if found else Row()


def advance(connection: Connection, key: Key, row: Row, *, has_request: bool) -> Row:
    """Write the next revision of a key, which is present from then on."""
    history = (row.history + _TIME.pack(times.now()))[-REVISIONS_KEPT * _TIME.size :]
    after = replace(row, revision=row.revision + 1, history=history, requests=row.requests + has_request)
    if row.is_present:
        connection.execute(
            "UPDATE keys SET revision = ?, history = ?, requests = ? WHERE key_id = ?",
            [after.revision, history, after.requests, row.key_id],
        )
        return after
    return _write(connection, key, replace(after, deleted_at=None))


def empty(connection: Connection, key: Key, row: Row, *, has_request: bool) -> Row:
    """Write the next revision of a key, at which it holds nothing."""
    revision, requests = row.revision + 1, row.requests + has_request
    return _write(connection, key, Row(row.key_id, revision, requests=requests, deleted_at=times.now()))


def cut_history(connection: Connection, row: Row) -> Row:
    """Keep only the present revision of a key."""
    after = replace(row, history=row.history[-_TIME.size :])
    connection.execute("UPDATE keys SET history = ? WHERE key_id = ?", [after.history, row.key_id])
    return after


def mark_summarized(connection: Connection, row: Row) -> None:
    """Note that the key has a summary."""
    if not row.has_summary:
        connection.execute("UPDATE keys SET has_summary = 1 WHERE key_id = ?", [row.key_id])


def _write(connection: Connection, key: Key, row: Row) -> Row:
    values = [row.revision, row.history, row.requests, row.has_summary, row.deleted_at]
    if row.key_id:
        connection.execute(
            "UPDATE keys SET revision = ?, history = ?, requests = ?, has_summary = ?, deleted_at = ? WHERE key_id = ?",
            [*values, row.key_id],
        )
        return row
    cursor = connection.execute(
        "INSERT INTO keys (namespace, collection, id, revision, history, requests, has_summary, deleted_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [key.namespace, key.collection, key.id, *values],
    )
    return replace(row, key_id=cursor.lastrowid or 0)
