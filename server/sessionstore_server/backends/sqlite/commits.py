"""Commits, deletions and sweeps, each within a transaction that the caller holds and ends."""

from sqlite3 import Connection

from sessionstore.errors import RevisionConflictError
from sessionstore_server.backends import checks, ledger
from sessionstore_server.backends.base import Change, Commit, Guard, GuardError, Key, Origin, Request
from sessionstore_server.backends.sqlite import blobs, documents, feed, keys, logs, requests, summaries
from sessionstore_server.backends.sqlite.keys import Row

_PRUNE_EVERY = 16
"""After so many revisions of a key what no kept revision has goes; until then nobody sees it."""


def commit(connection: Connection, key: Key, change: Change, expected_revision: int | None) -> Commit:
    """See `Backend.commit`; after an error the caller undoes what was written."""
    row = keys.find(connection, key)
    if past := ledger.past_commit(requests.past(connection, row, change.request), change.request):
        return past
    checks.check_revision(key, expected_revision, row.present_revision)
    _check_guard(connection, change.guard)
    after = keys.advance(connection, key, row, has_request=change.request is not None)
    if change.origin:
        _fork(connection, key, row, after, change.origin)
    _apply(connection, key, row, after, change)
    requests.remember(connection, after, change.request)
    feed.tell(connection, key, after)
    return after.commit


def delete(
    connection: Connection, key: Key, expected_revision: int | None, request: Request | None, guard: Guard | None
) -> bool:
    """See `Backend.delete`."""
    row = keys.find(connection, key)
    past = ledger.past_deletion(requests.past(connection, row, request), request)
    if past is not None:
        return past
    checks.check_revision(key, expected_revision, row.present_revision)
    _check_guard(connection, guard)
    if row.is_present or request:
        _clear(connection, row)
        after = keys.empty(connection, key, row, has_request=request is not None)
        requests.remember(connection, after, request, existed=row.is_present)
        feed.tell(connection, key, after)
    return row.is_present


def sweep_deleted(connection: Connection, latest: int) -> int:
    """Forget the keys that were deleted at `latest` or before; return how many."""
    swept = connection.execute("DELETE FROM keys WHERE deleted_at <= ? RETURNING key_id", [latest]).fetchall()
    connection.executemany("DELETE FROM requests WHERE key_id = ?", swept)
    return len(swept)


def _check_guard(connection: Connection, guard: Guard | None) -> None:
    if guard is None:
        return
    row = keys.find(connection, guard.key)
    if not row.is_present or documents.get(connection, row.key_id, guard.document, row.revision) != guard.record:
        raise GuardError


def _fork(connection: Connection, key: Key, before: Row, row: Row, origin: Origin) -> None:
    if before.is_present:
        raise RevisionConflictError(key.id, 0, before.revision)
    started = keys.find(connection, origin.key)
    started.commit_at(origin.key, origin.revision)
    documents.copy(connection, started, origin.revision, row)
    logs.copy(connection, started, origin.revision, row)
    summaries.copy(connection, started, origin.revision, key, row)
    blobs.copy(connection, started, origin.revision, row)


def _apply(connection: Connection, key: Key, before: Row, row: Row, change: Change) -> None:
    documents.apply(connection, row, change.documents)
    logs.apply(connection, key, before.revision, row, change.logs)
    if change.summary:
        summaries.put(connection, key, row, change.summary)
    if change.blobs is not None and blobs.refer(connection, row, change.blobs):
        # What was given up may be gone, so no past revision can be whole.
        _prune(connection, keys.cut_history(connection, row))
    elif row.revision % _PRUNE_EVERY == 0:
        _prune(connection, row)


def _prune(connection: Connection, row: Row) -> None:
    documents.prune(connection, row)
    logs.prune(connection, row)
    summaries.prune(connection, row)


def _clear(connection: Connection, row: Row) -> None:
    documents.clear(connection, row)
    logs.clear(connection, row)
    summaries.clear(connection, row)
    blobs.clear(connection, row)
