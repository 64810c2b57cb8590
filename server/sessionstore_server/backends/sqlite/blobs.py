"""Blobs, the uploads that become blobs, and the references of keys to them."""

from collections.abc import Collection, Sequence
from sqlite3 import Connection
from typing import NamedTuple

from sessionstore.errors import DataCorruptionError, StorageError
from sessionstore_server.backends import checks
from sessionstore_server.backends.base import BLOB_PIECE_BYTES
from sessionstore_server.backends.sqlite import times
from sessionstore_server.backends.sqlite.keys import Row

_IS_UNUSED = (
    "touched_at <= :latest"
    " AND NOT EXISTS (SELECT 1 FROM blob_references AS reference WHERE reference.blob_id = blobs.blob_id)"
)

_FIND_UNUSED = f"SELECT blob_id, is_upload FROM blobs WHERE {_IS_UNUSED}"  # noqa: S608 - the lines above

_DROP_UNUSED = f"DELETE FROM blobs WHERE blob_id = :blob_id AND {_IS_UNUSED}"  # noqa: S608 - the lines above

_HOWEVER_YOUNG = (1 << 63) - 1

_PROBE_BYTES = 64 << 10
"""Of what a check of health writes: a page or two may find room on a full disk."""


class Stored(NamedTuple):
    """A blob, or what is here of an upload; there is no blob 0."""

    blob_id: int = 0
    size: int = 0


class Unused(NamedTuple):
    """A blob, or an upload, that may be removed."""

    blob_id: int
    is_upload: bool


def find(connection: Connection, digest: str, *, is_upload: bool = False) -> Stored | None:
    """Return a blob, or the upload of a blob, or None when there is none."""
    found = connection.execute(
        "SELECT blob_id, size FROM blobs WHERE is_upload = ? AND digest = ?", [is_upload, digest]
    ).fetchone()
    return Stored(*found) if found else None


def missing(connection: Connection, digests: Collection[str]) -> set[str]:
    """Return which of these blobs are not stored."""
    return {digest for digest in digests if find(connection, digest) is None}


def piece(connection: Connection, blob_id: int, start: int, stop: int) -> bytes:
    """Return the bytes of a blob from `start` on: what is in one row, and before `stop`."""
    found = connection.execute(
        "SELECT start, content FROM blob_chunks WHERE blob_id = ? AND start <= ? ORDER BY start DESC LIMIT 1",
        [blob_id, start],
    ).fetchone()
    first, content = found or (0, b"")
    cut: bytes = content[start - first : stop - first]
    if not cut:
        raise DataCorruptionError(f"blob {blob_id}", f"its bytes from {start} on are missing")
    return cut


def extend_upload(connection: Connection, digest: str, offset: int, content: bytes) -> int:
    """Add to the shared upload of a blob if `offset` is its end; return where it ends now."""
    upload = find(connection, digest, is_upload=True) or Stored()
    if offset != upload.size:
        return upload.size
    extend(connection, upload.blob_id or start_upload(connection, digest), offset, content)
    return offset + len(content)


def start_upload(connection: Connection, digest: str | None = None) -> int:
    """Make an empty upload, for nobody else if there is no digest; return its id."""
    cursor = connection.execute(
        "INSERT INTO blobs (is_upload, digest, size, touched_at) VALUES (1, ?, 0, ?)", [digest, times.now()]
    )
    return cursor.lastrowid or 0


def probe(connection: Connection) -> int:
    """Write an upload that takes room as a commit does, for `discard`; return its id."""
    blob_id = start_upload(connection)
    extend(connection, blob_id, 0, bytes(_PROBE_BYTES))
    return blob_id


def extend(connection: Connection, blob_id: int, offset: int, content: bytes) -> None:
    """Add to an upload, of which `offset` bytes are here. Errors: StorageError when it was swept."""
    extended = connection.execute(
        "UPDATE blobs SET size = ?, touched_at = ? WHERE blob_id = ? AND is_upload AND size = ?",
        [offset + len(content), times.now(), blob_id, offset],
    )
    if not extended.rowcount:
        raise StorageError(f"upload {blob_id}", "it was swept before it was finished: put the blob again")
    connection.executemany(
        "INSERT INTO blob_chunks (blob_id, start, content) VALUES (?, ?, ?)",
        [
            (blob_id, offset + start, content[start : start + BLOB_PIECE_BYTES])
            for start in range(0, len(content), BLOB_PIECE_BYTES)
        ],
    )


def put(connection: Connection, digest: str, upload: Stored, tail: bytes) -> None:
    """Store as a blob what was uploaded, and what comes after it; the digest is that of both."""
    blob_id = upload.blob_id or start_upload(connection)
    extend(connection, blob_id, upload.size, tail)
    _publish(connection, digest, blob_id)


def finish_upload(connection: Connection, digest: str, checked: Stored | None) -> bool:
    """Store the shared upload as the blob, unless the blob is there; tell whether that could be done.

    It could not when the upload is not the one that was `checked`, or none was and the blob is gone.
    """
    upload = find(connection, digest, is_upload=True) or Stored()
    if find(connection, digest) is None and upload != checked:
        return False
    _publish(connection, digest, upload.blob_id or start_upload(connection, digest))
    return True


def discard(connection: Connection, blob_id: int) -> None:
    """Remove an upload; a blob that it became stays."""
    removed = connection.execute("DELETE FROM blobs WHERE blob_id = ? AND is_upload", [blob_id])
    if removed.rowcount:
        _remove_chunks(connection, blob_id)


def ids(connection: Connection, digests: Collection[str]) -> frozenset[int]:
    """Return the ids of blobs. Errors: InvalidArgumentError when one is not stored."""
    found = {digest: find(connection, digest) for digest in digests}
    if unknown := [digest for digest, blob in found.items() if blob is None]:
        raise checks.unknown_blobs(unknown)
    return frozenset(blob.blob_id for blob in found.values() if blob)


def refer(connection: Connection, row: Row, blob_ids: frozenset[int]) -> bool:
    """Make a key refer to these blobs and no others; tell whether it gave one up."""
    present = _referred(connection, row.key_id)
    connection.executemany(
        "INSERT INTO blob_references (key_id, blob_id, since) VALUES (?, ?, ?)",
        [(row.key_id, blob_id, row.revision) for blob_id in blob_ids - present],
    )
    _give_up(connection, row, present - blob_ids)
    return not present <= blob_ids


def copy(connection: Connection, origin: Row, revision: int, row: Row) -> None:
    """Start with the references that `origin` had at a revision."""
    connection.execute(
        "INSERT INTO blob_references (key_id, blob_id, since)"
        " SELECT ?, blob_id, ? FROM blob_references WHERE key_id = ? AND since <= ?",
        [row.key_id, row.revision, origin.key_id, revision],
    )


def clear(connection: Connection, row: Row) -> None:
    """Drop all references of a key, and the blobs to which nobody else refers."""
    _give_up(connection, row, _referred(connection, row.key_id))


def unused(connection: Connection, latest: int) -> Sequence[Unused]:
    """Return the blobs to which no key refers, and the uploads, that were last touched at `latest` or before."""
    found = connection.execute(_FIND_UNUSED, {"latest": latest})
    return [Unused(blob_id, bool(is_upload)) for blob_id, is_upload in found]


def drop_unused(connection: Connection, blob_id: int, latest: int) -> bool:
    """Remove a blob, or an upload, if it is still unused; tell whether it went."""
    removed = connection.execute(_DROP_UNUSED, {"blob_id": blob_id, "latest": latest})
    if removed.rowcount:
        _remove_chunks(connection, blob_id)
    return bool(removed.rowcount)


def _publish(connection: Connection, digest: str, blob_id: int) -> None:
    """Make an upload the blob, or drop it if the blob is there already; either way the blob is young again."""
    if stored := find(connection, digest):
        discard(connection, blob_id)
    connection.execute(
        "UPDATE blobs SET is_upload = 0, digest = ?, touched_at = ? WHERE blob_id = ?",
        [digest, times.now(), stored.blob_id if stored else blob_id],
    )


def _referred(connection: Connection, key_id: int) -> set[int]:
    found = connection.execute("SELECT blob_id FROM blob_references WHERE key_id = ?", [key_id])
    return {blob_id for (blob_id,) in found}


def _give_up(connection: Connection, row: Row, blob_ids: Collection[int]) -> None:
    for blob_id in blob_ids:
        connection.execute("DELETE FROM blob_references WHERE key_id = ? AND blob_id = ?", [row.key_id, blob_id])
        drop_unused(connection, blob_id, _HOWEVER_YOUNG)


def _remove_chunks(connection: Connection, blob_id: int) -> None:
    connection.execute("DELETE FROM blob_chunks WHERE blob_id = ?", [blob_id])
