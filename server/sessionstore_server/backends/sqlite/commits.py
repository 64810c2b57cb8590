"""Commits, deletions and sweeps, each within a transaction that the caller holds and ends."""

from collections.abc import Mapping

from sessionstore.errors import RevisionConflictError
from sessionstore_server.backends import checks, ledger
from sessionstore_server.backends.base import Change, Commit, Guard, GuardError, Key, Origin, Request
from sessionstore_server.backends.sqlite import blobs, documents, feed, keys, logs, requests, summaries
from sessionstore_server.backends.sqlite.keys import Row
from sessionstore_server.backends.sqlite.writing import WritingConnection

_PRUNE_EVERY = 16
"""After so many revisions of a key what no kept revision has goes; until then nobody sees it."""


def commit(connection: WritingConnection, key: Key, change: Change, expected_revision: int | None) -> Commit:
    """See `Backend.commit`; after an error the caller undoes what was written: nothing, unless it was a fork."""
    connection.turn_to(key)
    row, answers = requests.find(connection, key, change.request)
    if past := ledger.past_commit(answers, change.request):
        return past
    checks.check_revision(key, expected_revision, row.present_revision)
    _check_guard(connection, change.guard)
    before, after = row, row.advanced(has_request=change.request is not None)
    if change.origin:
        before = after = _fork(connection, key, row, after, change.origin)
    plans = logs.plan(connection, key, row.revision, before, change.logs)
    blob_ids = None if change.blobs is None else blobs.ids(connection, change.blobs)
    after = keys.write(connection, key, before, after.summarized(change.summary) if change.summary else after)
    documents.apply(connection, after, _documents(change))
    logs.apply(connection, after, change.logs, plans)
    _settle(connection, key, after, blob_ids)
    requests.remember(connection, after, change.request)
    feed.tell(connection, key, after)
    return after.commit


def delete(
    connection: WritingConnection, key: Key, expected_revision: int | None, request: Request | None, guard: Guard | None
) -> bool:
    """See `Backend.delete`."""
    connection.turn_to(key)
    row, answers = requests.find(connection, key, request)
    past = ledger.past_deletion(answers, request)
    if past is not None:
        return past
    checks.check_revision(key, expected_revision, row.present_revision)
    _check_guard(connection, guard)
    if row.is_present or request:
        _clear(connection, row)
        after = keys.write(connection, key, row, row.emptied(has_request=request is not None))
        requests.remember(connection, after, request, existed=row.is_present)
        feed.tell(connection, key, after)
    return row.is_present


def sweep_deleted(connection: WritingConnection, latest: int) -> int:
    """Forget the keys that were deleted at `latest` or before; return how many."""
    connection.store()
    swept = connection.execute("DELETE FROM keys WHERE deleted_at <= ? RETURNING key_id", [latest]).fetchall()
    connection.executemany("DELETE FROM requests WHERE key_id = ?", swept)
    return len(swept)


def _check_guard(connection: WritingConnection, guard: Guard | None) -> None:
    if guard is None:
        return
    connection.turn_to(guard.key)
    row = keys.find(connection, guard.key)
    if not row.is_present or documents.get(connection, row.key_id, guard.document, row.revision) != guard.record:
        raise GuardError


def _fork(connection: WritingConnection, key: Key, before: Row, after: Row, origin: Origin) -> Row:
    """Start a key with what the origin holds; return its row."""
    if before.is_present:
        raise RevisionConflictError(key.id, 0, before.revision)
    connection.turn_to(origin.key)
    started = keys.find(connection, origin.key)
    started.commit_at(origin.key, origin.revision)
    summary = summaries.get(connection, started, origin.revision)
    row = keys.write(connection, key, before, after.summarized(summary) if summary else after)
    documents.copy(connection, started, origin.revision, row)
    logs.copy(connection, started, origin.revision, row)
    blobs.copy(connection, started, origin.revision, row)
    return row


def _documents(change: Change) -> Mapping[str, bytes | None]:
    if change.summary is None:
        return change.documents
    return {**change.documents, summaries.NAME: summaries.packed(change.summary)}


def _settle(connection: WritingConnection, key: Key, row: Row, blob_ids: frozenset[int] | None) -> None:
    """Refer to blobs, and drop what is not needed any more."""
    if blob_ids is not None and blobs.refer(connection, row, blob_ids):
        # What was given up may be gone, so no past revision can be whole.
        _prune(connection, keys.write(connection, key, row, row.without_past()))
    elif row.revision % _PRUNE_EVERY == 0:
        _prune(connection, row)


def _prune(connection: WritingConnection, row: Row) -> None:
    connection.store()
    documents.prune(connection, row)
    logs.prune(connection, row)


def _clear(connection: WritingConnection, row: Row) -> None:
    documents.clear(connection, row)
    logs.clear(connection, row)
    blobs.clear(connection, row)
