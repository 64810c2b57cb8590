"""Records of logs as they are stored: those that were appended together in a row or, when they are many, in a few."""

import struct
from collections.abc import Iterator, Sequence
from sqlite3 import Connection

from sessionstore.errors import DataCorruptionError
from sessionstore_server.backends.sqlite.writing import WritingConnection

_MOST_BYTES = 64 << 10
"""Of a batch, unless it is a single record: reading one record reads its whole batch."""

_INSERT = "INSERT INTO batches (log_id, start, stop, since, layout, content)"

# From the batch on in which the first record is.
_READ = (
    "SELECT start, layout, content FROM batches WHERE log_id = :log_id AND start < :behind AND start >="
    " coalesce((SELECT max(start) FROM batches WHERE log_id = :log_id AND start <= :first), 0) ORDER BY start"
)


def append(connection: WritingConnection, log_id: int, start: int, since: int, records: Sequence[bytes]) -> None:
    """Store records behind the first `start` ones of a log."""
    for batch in _batches(records):
        stop = start + len(batch)
        connection.add(_INSERT, (log_id, start, stop, since, _layout(batch), b"".join(batch)))
        start = stop


def read(connection: Connection, log_id: int, first: int, behind: int) -> list[bytes]:
    """Return the records from position `first` up to, not including, `behind`. Errors: DataCorruptionError."""
    records: list[bytes] = []
    for start, layout, content in connection.execute(_READ, {"log_id": log_id, "first": first, "behind": behind}):
        batch = _unpacked(layout, content)
        records += batch[max(0, first - start) : behind - start]
    return records


def drop(connection: Connection, log_id: int, kept: int) -> None:
    """Remove the records from position `kept` on."""
    connection.execute("DELETE FROM batches WHERE log_id = ? AND start >= ?", (log_id, kept))
    last = connection.execute(
        "SELECT start, stop, layout, content FROM batches WHERE log_id = ? ORDER BY start DESC LIMIT 1", (log_id,)
    ).fetchone()
    if last is None:
        return
    start, stop, layout, content = last
    if stop > kept:
        records = _unpacked(layout, content)[: kept - start]
        connection.execute(
            "UPDATE batches SET stop = ?, layout = ?, content = ? WHERE log_id = ? AND start = ?",
            (kept, _layout(records), b"".join(records), log_id, start),
        )


def _batches(records: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Cut records into pieces, each as long as fits, and of one record at least."""
    first = size = 0
    for position, record in enumerate(records):
        if first < position and size + len(record) > _MOST_BYTES:
            yield records[first:position]
            first, size = position, 0
        size += len(record)
    if records:
        yield records[first:]


def _unpacked(layout: str, content: bytes) -> Sequence[bytes]:
    try:
        return struct.unpack(layout, content)
    except struct.error as error:
        raise DataCorruptionError("a batch of records", str(error)) from error


def _layout(records: Sequence[bytes]) -> str:
    return "%ds" * len(records) % tuple(map(len, records))
