"""The logs of a key, in segments: see the tables `segments` and `batches`.

The revision at which a log was last shortened, or started, is the one since which its last segment is there: each of
these opens a new one.
"""

from collections.abc import Iterable, Mapping, Sequence
from sqlite3 import Connection
from typing import NamedTuple

from sessionstore_server.backends import checks
from sessionstore_server.backends.base import Key, LogRange, LogView, Splice
from sessionstore_server.backends.sqlite import batches, names
from sessionstore_server.backends.sqlite.keys import Row
from sessionstore_server.backends.sqlite.names import Span
from sessionstore_server.backends.sqlite.writing import WritingConnection

_MAX_RECORDS = 1 << 62
"""More than a log ever has."""

_THERE = "key_id = :key_id AND segments.since <= :revision AND (until IS NULL OR until > :revision)"

# Of a segment, at a revision: the position behind its last record.
_END = (
    "coalesce(segments.stop, (SELECT stop FROM batches WHERE batches.log_id = segments.log_id"
    " AND batches.since <= :revision ORDER BY batches.start DESC LIMIT 1), segments.start)"
)

_HEAD = (
    f"SELECT log_id, since, {_END} FROM segments"  # noqa: S608 - parts of this module
    " WHERE key_id = :key_id AND log = :log AND until IS NULL AND stop IS NULL ORDER BY start DESC LIMIT 1"
)

_NAMES = (
    "SELECT DISTINCT log FROM segments"  # noqa: S608 - parts of this module
    f" WHERE {_THERE} AND log >= :first AND log < :behind"
)

_SEGMENTS = (
    f"SELECT log, log_id, start, {_END}, stop IS NULL, since FROM segments"  # noqa: S608 - parts of this module
    f" WHERE {_THERE} AND log >= :first AND log < :behind ORDER BY log, start"
)

_COPY_RECORDS = (
    "INSERT INTO segments (key_id, log, start, since, log_id, stop)"  # noqa: S608 - parts of this module
    f" SELECT :new_id, log, start, :since, log_id, {_END} FROM segments WHERE {_THERE} AND {_END} > start"
)

_COPY_HEADS = (
    "INSERT INTO segments (key_id, log, start, since, log_id)"  # noqa: S608 - parts of this module
    f" SELECT :new_id, log, {_END}, :since, (SELECT max(log_id) FROM segments) + row_number() OVER ()"
    f" FROM segments WHERE {_THERE} AND stop IS NULL"
)

_BEYOND = "WHERE key_id = :key_id AND log = :log AND until IS NULL AND (stop IS NULL OR stop > :kept)"

_DROP_BEYOND = f"DELETE FROM segments {_BEYOND} AND since = :revision"  # noqa: S608 - parts of this module

_END_BEYOND = f"UPDATE segments SET until = :revision {_BEYOND}"  # noqa: S608 - parts of this module

_NEEDED = "SELECT max(coalesce(stop, :most)) FROM segments WHERE log_id = :log_id"


class Head(NamedTuple):
    """Where a log ends."""

    log_id: int
    shortened_at: int
    length: int


class Plan(NamedTuple):
    """What becomes of one log: as much as is kept of it, then the records."""

    name: str
    head: Head | None
    kept: int
    records: Sequence[bytes]


def read(connection: Connection, key_id: int, ranges: Mapping[str, LogRange], revision: int) -> dict[str, LogView]:
    """Return the wanted parts of logs at a revision; a name that ends in `/` stands for all that start with it."""
    views: dict[str, LogView] = {}
    # The longest prefix counts, and an exact name before any.
    for name in sorted(ranges, key=lambda name: (not name.endswith("/"), name)):
        views |= _views(connection, key_id, names.matching(name), ranges[name], revision)
    return views


def plan(connection: Connection, key: Key, seen: int, row: Row, splices: Mapping[str, Splice | None]) -> Sequence[Plan]:
    """Return what splices lead to at `row`, the row of a key that was at the revision `seen`; nothing is written.

    Errors: StaleBaseError, InvalidArgumentError.
    """
    plans = []
    for name, splice in splices.items():
        if splice is not None:
            head = _head(connection, row, name)
            length = head.length if head else 0
            checks.check_base(key, name, splice, length, head.shortened_at if head else None, seen)
            plans.append(Plan(name, head, checks.kept_records(name, splice, length), splice.append))
    return plans


def apply(connection: WritingConnection, row: Row, splices: Mapping[str, Splice | None], plans: Sequence[Plan]) -> None:
    """Change logs at the revision of `row`; `plans` are those of the splices."""
    for name in checks.removed(_removable(connection, row, splices), splices):
        _close(connection, row, name, 0)
    for planned in plans:
        head = _head_after(connection, row, planned)
        batches.append(connection, head.log_id, head.length, row.revision, planned.records)


def copy(connection: Connection, origin: Row, revision: int, row: Row) -> None:
    """Start the logs of `row` with those that `origin` held at a revision; the records are shared."""
    named = {"key_id": origin.key_id, "revision": revision, "new_id": row.key_id, "since": row.revision}
    connection.execute(_COPY_RECORDS, named)
    connection.execute(_COPY_HEADS, named)


def prune(connection: Connection, row: Row) -> None:
    """Drop what no kept revision has."""
    gone = connection.execute(
        "DELETE FROM segments WHERE key_id = ? AND until <= ? RETURNING log_id", [row.key_id, row.oldest]
    )
    _drop_records(connection, gone.fetchall())


def clear(connection: Connection, row: Row) -> None:
    """Drop all logs of a key; records that others share stay."""
    gone = connection.execute("DELETE FROM segments WHERE key_id = ? RETURNING log_id", [row.key_id])
    _drop_records(connection, gone.fetchall())


def _views(connection: Connection, key_id: int, wanted: Span, span: LogRange, revision: int) -> dict[str, LogView]:
    named = {"key_id": key_id, "revision": revision, "first": wanted.first, "behind": wanted.behind}
    views: dict[str, LogView] = {}
    records: list[bytes] = []
    for log, log_id, start, end, is_last, since in connection.execute(_SEGMENTS, named).fetchall():
        first, behind = max(start, span.start), end if span.stop is None else min(end, span.stop)
        if first < behind:
            records += batches.read(connection, log_id, first, behind)
        if is_last:
            views[log] = LogView(tuple(records), span.start, end, since)
            records = []
    return views


def _removable(connection: Connection, row: Row, splices: Mapping[str, Splice | None]) -> set[str]:
    gone = [name for name, splice in splices.items() if splice is None]
    present: set[str] = set()
    for span in map(names.matching, gone):
        named = {"key_id": row.key_id, "revision": row.revision, "first": span.first, "behind": span.behind}
        present.update(log for (log,) in connection.execute(_NAMES, named))
    return present


def _head_after(connection: Connection, row: Row, planned: Plan) -> Head:
    """Shorten or start a log if that has to be; return its end after that."""
    if planned.head and planned.kept == planned.head.length:
        return planned.head
    if planned.head:
        _shorten(connection, row, planned.name, planned.kept)
    return _open(connection, row, planned.name, planned.kept)


def _head(connection: Connection, row: Row, name: str) -> Head | None:
    named = {"key_id": row.key_id, "log": name, "revision": row.revision}
    found = connection.execute(_HEAD, named).fetchone()
    return Head(*found) if found else None


def _shorten(connection: Connection, row: Row, name: str, kept: int) -> None:
    """End the segments that reach beyond `kept`, and go on with what is kept of the one that reaches across."""
    across = connection.execute(
        "SELECT start, log_id FROM segments WHERE key_id = ? AND log = ? AND until IS NULL"
        " AND start < ? AND (stop IS NULL OR stop > ?)",
        [row.key_id, name, kept, kept],
    ).fetchone()
    _close(connection, row, name, kept)
    if across:
        start, log_id = across
        connection.execute(
            "INSERT INTO segments (key_id, log, start, since, log_id, stop) VALUES (?, ?, ?, ?, ?, ?)",
            [row.key_id, name, start, row.revision, log_id, kept],
        )


def _close(connection: Connection, row: Row, name: str, kept: int) -> None:
    """End the segments that reach beyond `kept`."""
    named = {"key_id": row.key_id, "log": name, "kept": kept, "revision": row.revision}
    # Those of a fork that just begins were never seen, and their records are another's.
    connection.execute(_DROP_BEYOND, named)
    connection.execute(_END_BEYOND, named)


def _open(connection: Connection, row: Row, name: str, start: int) -> Head:
    opened = connection.execute(
        "INSERT INTO segments (key_id, log, start, since, log_id)"
        " SELECT ?, ?, ?, ?, coalesce(max(log_id), 0) + 1 FROM segments RETURNING log_id",
        [row.key_id, name, start, row.revision],
    )
    (log_id,) = opened.fetchone()
    return Head(log_id, row.revision, start)


def _drop_records(connection: Connection, log_ids: Iterable[tuple[int]]) -> None:
    for (log_id,) in {*log_ids}:
        (needed,) = connection.execute(_NEEDED, {"log_id": log_id, "most": _MAX_RECORDS}).fetchone()
        batches.drop(connection, log_id, needed or 0)
