"""The backend that keeps everything in dictionaries: the reference that the others are compared with.

No method awaits between looking and changing, so that each runs alone without a lock. Every value kept is
`bytes`, which nobody can change.
"""

import hashlib
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from typing_extensions import override

from sessionstore.errors import DataCorruptionError, InvalidArgumentError, StoreClosedError
from sessionstore_server.backends import checks, ledger
from sessionstore_server.backends.base import (
    BLOB_PIECE_BYTES,
    Backend,
    Change,
    Commit,
    Key,
    Listed,
    LogRange,
    LogView,
    Request,
    View,
)
from sessionstore_server.backends.ledger import Answer

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass
class _Log:
    records: list[bytes] = field(default_factory=list)
    shortened_at: int = 0


@dataclass
class _Entry:
    """What one key holds; when it was deleted, only its revision and its ledger."""

    revision: int = 0
    commit_time: datetime = _NEVER
    exists: bool = False
    answers: dict[str, Answer] = field(default_factory=dict)
    documents: dict[str, bytes] = field(default_factory=dict)
    logs: dict[str, _Log] = field(default_factory=dict)
    summary: bytes | None = None
    blobs: frozenset[str] = frozenset()

    @property
    def present_revision(self) -> int:
        return self.revision if self.exists else 0


@dataclass
class _Blob:
    content: bytes
    stored_at: float
    """When it was last put, on the monotonic clock."""
    users: set[Key] = field(default_factory=set)


class MemoryBackend(Backend):
    """Keeps everything in this process; `aclose` forgets it."""

    name = "memory"

    def __init__(self) -> None:
        self._is_open = False
        self._entries: dict[Key, _Entry] = {}
        self._blobs: dict[str, _Blob] = {}

    @override
    async def open(self) -> None:
        self._is_open = True

    @override
    async def aclose(self) -> None:
        self._is_open = False
        self._entries.clear()
        self._blobs.clear()

    @override
    async def commit(self, key: Key, change: Change, expected_revision: int | None = None) -> Commit:
        self._check_open()
        checks.check_key(key)
        change = checks.checked_change(change)
        entry = self._entries.get(key) or _Entry()
        if past := ledger.past_commit(entry.answers, change.request):
            return past
        checks.check_revision(key, expected_revision, entry.present_revision)
        self._check_applies(key, entry, change)
        self._entries[key] = entry
        self._apply(key, entry, change)
        return _remembered(entry, change.request)

    @override
    async def read(
        self, key: Key, documents: Collection[str] = (), logs: Mapping[str, LogRange] | None = None
    ) -> View | None:
        self._check_open()
        checks.check_key(key)
        ranges = checks.checked_ranges(logs)
        entry = self._entries.get(key)
        if entry is None or not entry.exists:
            return None
        return View(
            entry.revision,
            entry.commit_time,
            {name: entry.documents[name] for name in checks.pick(entry.documents, dict.fromkeys(documents))},
            {name: _view(entry.logs[name], span) for name, span in checks.pick(entry.logs, ranges).items()},
        )

    @override
    async def delete(self, key: Key, expected_revision: int | None = None, request: Request | None = None) -> bool:
        self._check_open()
        checks.check_key(key)
        checks.check_request(request)
        entry = self._entries.get(key) or _Entry()
        past = ledger.past_deletion(entry.answers, request)
        if past is not None:
            return past
        checks.check_revision(key, expected_revision, entry.present_revision)
        if entry.exists or request:
            self._entries[key] = emptied = _Entry(entry.revision + 1, datetime.now(UTC), answers=entry.answers)
            _remembered(emptied, request, existed=entry.exists)
            self._release(key, entry.blobs)
        return entry.exists

    @override
    async def sweep_deleted(self, min_age_seconds: float) -> int:
        self._check_open()
        latest = time.time() - min_age_seconds
        old = [
            key for key, entry in self._entries.items() if not entry.exists and entry.commit_time.timestamp() <= latest
        ]
        for key in old:
            del self._entries[key]
        return len(old)

    @override
    async def list(
        self, namespace: str, collection: str, after: str | None, limit: int, *, summarized: bool = True
    ) -> Sequence[Listed]:
        self._check_open()
        checks.check_part("namespace", namespace)
        checks.check_part("collection", collection)
        listed = [
            Listed(key.id, entry.revision, entry.summary or b"")
            for key, entry in self._entries.items()
            if (key.namespace, key.collection) == (namespace, collection)
            and entry.exists
            and (entry.summary is not None) is summarized
            and (after is None or key.id > after)
        ]
        # Text compares by code point, which is the order of its UTF-8 bytes.
        return sorted(listed, key=lambda one: one.id)[:limit]

    @override
    async def put_blob(self, digest: str, content: AsyncIterator[bytes]) -> None:
        self._check_open()
        checks.check_digests("digest", [digest])
        collected = b"".join([piece async for piece in content])
        if (actual := hashlib.sha256(collected).hexdigest()) != digest:
            raise InvalidArgumentError("digest", f"is {digest}, but the content has {actual}")
        blob = self._blobs.setdefault(digest, _Blob(collected, 0.0))
        blob.stored_at = time.monotonic()

    @override
    async def get_blob(self, digest: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        self._check_open()
        checks.check_digests("digest", [digest])
        checks.check_range("range", start, stop)
        if digest not in self._blobs:
            raise DataCorruptionError(f"blob {digest}", "it is not stored")
        content = self._blobs[digest].content[start:stop]
        for position in range(0, len(content), BLOB_PIECE_BYTES):
            yield content[position : position + BLOB_PIECE_BYTES]

    @override
    async def missing_blobs(self, digests: Collection[str]) -> set[str]:
        self._check_open()
        checks.check_digests("digests", digests)
        return set(digests) - self._blobs.keys()

    @override
    async def sweep_blobs(self, min_age_seconds: float) -> int:
        self._check_open()
        latest = time.monotonic() - min_age_seconds
        unused = [digest for digest, blob in self._blobs.items() if not blob.users and blob.stored_at <= latest]
        for digest in unused:
            del self._blobs[digest]
        return len(unused)

    @override
    async def check_health(self) -> None:
        self._check_open()

    def _check_open(self) -> None:
        if not self._is_open:
            raise StoreClosedError(self.name)

    def _check_applies(self, key: Key, entry: _Entry, change: Change) -> None:
        for name, splice in change.logs.items():
            if splice is not None:
                log = entry.logs.get(name)
                length = len(log.records) if log else 0
                checks.check_base(key, name, splice, length, log.shortened_at if log else None, entry.revision)
                checks.kept_records(name, splice, length)
        if missing := (change.blobs or frozenset()) - self._blobs.keys():
            raise checks.unknown_blobs(missing)

    def _apply(self, key: Key, entry: _Entry, change: Change) -> None:
        entry.revision += 1
        entry.commit_time = datetime.now(UTC)
        entry.exists = True
        _apply_documents(entry, change)
        _apply_logs(entry, change)
        if change.summary is not None:
            entry.summary = change.summary
        if change.blobs is not None:
            for digest in change.blobs:
                self._blobs[digest].users.add(key)
            self._release(key, entry.blobs - change.blobs)
            entry.blobs = change.blobs

    def _release(self, key: Key, digests: frozenset[str]) -> None:
        for digest in digests:
            blob = self._blobs[digest]
            blob.users.remove(key)
            if not blob.users:
                del self._blobs[digest]


def _remembered(entry: _Entry, request: Request | None, existed: bool | None = None) -> Commit:
    commit = Commit(entry.revision, entry.commit_time)
    ledger.remember(entry.answers, ledger.answer_to(request, commit, existed))
    return commit


def _apply_documents(entry: _Entry, change: Change) -> None:
    for name in checks.removed(list(entry.documents), change.documents):
        del entry.documents[name]
    for name, record in change.documents.items():
        if record is not None:
            entry.documents[name] = bytes(record)


def _apply_logs(entry: _Entry, change: Change) -> None:
    for name in checks.removed(list(entry.logs), change.logs):
        del entry.logs[name]
    for name, splice in change.logs.items():
        if splice is None:
            continue
        log = entry.logs.setdefault(name, _Log(shortened_at=entry.revision))
        kept = checks.kept_records(name, splice, len(log.records))
        if kept < len(log.records):
            log.shortened_at = entry.revision
        log.records[kept:] = [bytes(record) for record in splice.append]


def _view(log: _Log, span: LogRange) -> LogView:
    return LogView(tuple(log.records[span.start : span.stop]), span.start, len(log.records), log.shortened_at)
