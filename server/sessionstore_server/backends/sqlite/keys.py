"""The row of a key: its revision, what is kept of its history, whether it is present, and what lists show of it."""

import struct
from collections.abc import Sequence
from sqlite3 import Connection
from typing import Any, NamedTuple

from sessionstore.errors import RevisionNotKeptError
from sessionstore_server.backends.base import (
    NUMBER_ATTRIBUTES,
    REVISIONS_KEPT,
    TEXT_ATTRIBUTES,
    Commit,
    Key,
    Summary,
)
from sessionstore_server.backends.sqlite import times

_ATTRIBUTES = TEXT_ATTRIBUTES + NUMBER_ATTRIBUTES
_TIME = struct.Struct("<q")


class Row(NamedTuple):
    """What is known of a key; one that was never made has no id, and counts as deleted."""

    key_id: int = 0
    revision: int = 0
    history: bytes = b""
    requests: int = 0
    deleted_at: int | None = 0
    has_summary: bool = False
    summary: bytes | None = None
    attributes: tuple[str | int | None, ...] = (None,) * len(_ATTRIBUTES)

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

    def advanced(self, *, has_request: bool) -> "Row":
        """Return the row at the next revision, at which the key is present."""
        return self._replace(
            revision=self.revision + 1,
            history=(self.history + _TIME.pack(times.now()))[-REVISIONS_KEPT * _TIME.size :],
            requests=self.requests + has_request,
            deleted_at=None,
        )

    def emptied(self, *, has_request: bool) -> "Row":
        """Return the row at the next revision, at which the key holds nothing."""
        return Row(self.key_id, self.revision + 1, requests=self.requests + has_request, deleted_at=times.now())

    def summarized(self, summary: Summary) -> "Row":
        """Return the row with a summary."""
        attributes = tuple(map(summary.attributes.get, _ATTRIBUTES))
        return self._replace(has_summary=True, summary=summary.record, attributes=attributes)

    def without_past(self) -> "Row":
        """Return the row with only the present revision kept."""
        return self._replace(history=self.history[-_TIME.size :])


_FIRST_ATTRIBUTE = Row._fields.index("attributes")
_COLUMNS = (*Row._fields[1:_FIRST_ATTRIBUTE], *_ATTRIBUTES)

SELECTED = ", ".join(f"keys.{column}" for column in ("key_id", *_COLUMNS))
"""The columns of which `row` makes a row."""

STATE = "keys.key_id, keys.revision, keys.history, keys.requests, keys.deleted_at"
"""The first of them, which are all that a row needs unless it is to be written."""

IS_KEY = "namespace = ? AND collection = ? AND id = ?"

_FIND = f"SELECT {SELECTED} FROM keys WHERE {IS_KEY}"  # noqa: S608 - columns

_INSERT = (
    f"INSERT INTO keys (namespace, collection, id, {', '.join(_COLUMNS)})"  # noqa: S608 - columns
    f" VALUES (?, ?, ?, {', '.join('?' * len(_COLUMNS))})"
)


def find(connection: Connection, key: Key) -> Row:
    """Return what is known of a key."""
    found = connection.execute(_FIND, (key.namespace, key.collection, key.id)).fetchone()
    return row(found) if found else Row()


def row(found: tuple[Any, ...]) -> Row:
    """Return the row of a key from the columns that were selected; more may follow them."""
    return Row._make((*found[:_FIRST_ATTRIBUTE], found[_FIRST_ATTRIBUTE : 1 + len(_COLUMNS)]))


def write(connection: Connection, key: Key, before: Row, after: Row) -> Row:
    """Replace the row of a key, or make it; return it with its id."""
    if not before.key_id:
        cursor = connection.execute(_INSERT, (key.namespace, key.collection, key.id, *_values(after)))
        return after._replace(key_id=cursor.lastrowid or 0)
    if before == after:
        return after
    # SQLite writes the index of each column that is set, whether its value is new or not.
    news = {
        column: value
        for column, value, old in zip(_COLUMNS, _values(after), _values(before), strict=True)
        if value != old
    }
    update = f"UPDATE keys SET {', '.join(f'{column} = ?' for column in news)} WHERE key_id = ?"  # noqa: S608 - columns
    connection.execute(update, (*news.values(), before.key_id))
    return after


def _values(row: Row) -> tuple[object, ...]:
    return (*row[1:_FIRST_ATTRIBUTE], *row.attributes)
