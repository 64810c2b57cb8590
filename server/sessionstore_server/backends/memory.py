"""The backend that keeps everything in dictionaries: the reference that the others are compared with.

No method awaits between looking and changing, so that each runs alone without a lock. A state, once made, never
changes: the history of a key is its last states, and a fork starts from one of them. Every value kept is `bytes`.
"""

import secrets
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import UTC, datetime

from typing_extensions import override

from sessionstore.errors import RevisionConflictError, StoreClosedError
from sessionstore_server.backends import checks, ledger, queries
from sessionstore_server.backends.base import (
    BLOB_PIECE_BYTES,
    Backend,
    Change,
    Commit,
    Feed,
    FeedEntry,
    Guard,
    GuardError,
    Key,
    Listed,
    ListPosition,
    LogRange,
    Origin,
    Query,
    Request,
    View,
)
from sessionstore_server.backends.memory_blobs import MemoryBlobs
from sessionstore_server.backends.memory_feed import MemoryFeed
from sessionstore_server.backends.memory_states import Entry, State, changed, check_splices
from sessionstore_server.backends.wakes import Wakes


class MemoryBackend(Backend):
    """Keeps everything in this process; `aclose` forgets it."""

    name = "memory"

    def __init__(self) -> None:
        self._is_open = False
        self._entries: dict[Key, Entry] = {}
        self._blobs = MemoryBlobs()
        self._wakes = Wakes()

    @override
    async def open(self) -> None:
        self.incarnation = secrets.randbits(63)
        self._feed = MemoryFeed(self.incarnation)
        self._is_open = True

    @override
    async def aclose(self) -> None:
        self._is_open = False
        self._entries.clear()
        self._blobs.clear()
        self._wakes.wake_all()

    @override
    async def commit(self, key: Key, change: Change, expected_revision: int | None = None) -> Commit:
        self._check_open()
        checks.check_key(key)
        change = checks.checked_change(change)
        entry = self._entries.get(key) or Entry()
        if past := ledger.past_commit(entry.answers, change.request):
            return past
        checks.check_revision(key, expected_revision, entry.present_revision)
        self._check_guard(change.guard)
        base = self._base(key, entry, change.origin)
        check_splices(key, base, change.logs)
        self._blobs.check_stored(change.blobs or ())
        state = changed(base, change, entry.next_commit())
        self._enter(key, entry, state)
        _remember(entry, change.request)
        return state.commit

    @override
    async def read(
        self,
        key: Key,
        documents: Collection[str] = (),
        logs: Mapping[str, LogRange] | None = None,
        revision: int | None = None,
    ) -> View | None:
        self._check_open()
        checks.check_key(key)
        ranges = checks.checked_ranges(logs)
        entry = self._entries.get(key)
        if entry is None or entry.present is None:
            return None
        state = entry.present if revision is None else entry.state_at(key, revision)
        return View(
            state.commit.revision,
            state.commit.commit_time,
            {name: state.documents[name] for name in checks.pick(state.documents, dict.fromkeys(documents))},
            {name: state.logs[name].view(span) for name, span in checks.pick(state.logs, ranges).items()},
        )

    @override
    async def history(self, key: Key) -> Sequence[Commit]:
        self._check_open()
        checks.check_key(key)
        entry = self._entries.get(key)
        return [state.commit for state in entry.states] if entry else []

    @override
    async def delete(
        self,
        key: Key,
        expected_revision: int | None = None,
        request: Request | None = None,
        guard: Guard | None = None,
    ) -> bool:
        self._check_open()
        checks.check_key(key)
        checks.check_request(request)
        guard = checks.checked_guard(guard)
        entry = self._entries.get(key) or Entry()
        past = ledger.past_deletion(entry.answers, request)
        if past is not None:
            return past
        checks.check_revision(key, expected_revision, entry.present_revision)
        self._check_guard(guard)
        existed = entry.present is not None
        if existed or request:
            self._empty(key, entry)
            _remember(entry, request, existed=existed)
        return existed

    @override
    async def sweep_deleted(self, min_age_seconds: float) -> int:
        self._check_open()
        now = datetime.now(UTC)
        old = [
            key
            for key, entry in self._entries.items()
            if not entry.states and (now - entry.commit.commit_time).total_seconds() >= min_age_seconds
        ]
        for key in old:
            del self._entries[key]
        return len(old)

    @override
    async def list(
        self, namespace: str, collection: str, query: Query, after: ListPosition | None, limit: int
    ) -> Sequence[Listed]:
        checks.check_query(query, after)
        matching = self._matching(namespace, collection, query)
        found = ((queries.position_of(query, id_, state.summary), (id_, state)) for id_, state in matching)
        return [_listed(query, *one) for one in queries.page(query, found, after, limit)]

    @override
    async def count(self, namespace: str, collection: str, query: Query) -> int:
        checks.check_query(query)
        return len(self._matching(namespace, collection, query))

    @override
    async def feed(self, namespace: str, collection: str, position: str | None, limit: int) -> Feed:
        self._check_open()
        checks.check_part("namespace", namespace)
        checks.check_part("collection", collection)
        return self._feed.after(namespace, collection, position, limit)

    @override
    async def wait(self, key: Key | None, timeout_seconds: float) -> None:
        self._check_open()
        await self._wakes.wait(key, timeout_seconds)

    @override
    async def put_blob(self, digest: str, content: AsyncIterator[bytes]) -> None:
        self._check_blob(digest)
        self._blobs.put(digest, b"".join([piece async for piece in content]))

    @override
    async def extend_upload(self, digest: str, offset: int, piece: bytes) -> int:
        self._check_blob(digest)
        return self._blobs.extend_upload(digest, offset, piece)

    @override
    async def upload_size(self, digest: str) -> int:
        self._check_blob(digest)
        return self._blobs.upload_size(digest)

    @override
    async def finish_upload(self, digest: str) -> None:
        self._check_blob(digest)
        self._blobs.finish_upload(digest)

    @override
    async def get_blob(self, digest: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        self._check_blob(digest)
        checks.check_range("range", start, stop)
        content = self._blobs.content(digest)[start:stop]
        for position in range(0, len(content), BLOB_PIECE_BYTES):
            yield content[position : position + BLOB_PIECE_BYTES]

    @override
    async def blob_size(self, digest: str) -> int | None:
        self._check_blob(digest)
        return self._blobs.size(digest)

    @override
    async def missing_blobs(self, digests: Collection[str]) -> set[str]:
        self._check_open()
        checks.check_digests("digests", digests)
        return self._blobs.missing(digests)

    @override
    async def sweep_blobs(self, min_age_seconds: float) -> int:
        self._check_open()
        return self._blobs.sweep(min_age_seconds)

    @override
    async def check_health(self) -> None:
        self._check_open()

    def _check_open(self) -> None:
        if not self._is_open:
            raise StoreClosedError(self.name)

    def _check_blob(self, digest: str) -> None:
        self._check_open()
        checks.check_digests("digest", [digest])

    def _check_guard(self, guard: Guard | None) -> None:
        if guard is None:
            return
        entry = self._entries.get(guard.key)
        if entry is None or entry.present is None or entry.present.documents.get(guard.document) != guard.record:
            raise GuardError

    def _base(self, key: Key, entry: Entry, origin: Origin | None) -> State:
        """Return what a change of `key` is applied to."""
        if origin is None:
            return entry.present or State()
        if entry.present:
            raise RevisionConflictError(key.id, 0, entry.present_revision)
        origin_entry = self._entries.get(origin.key) or Entry()
        return entry.fork(origin_entry.state_at(origin.key, origin.revision))

    def _enter(self, key: Key, entry: Entry, state: State) -> None:
        """Make `state` the present one; the history starts with it if it refers to a blob less."""
        before = entry.present.blobs if entry.present else frozenset()
        self._blobs.exchange(key, before, state.blobs)
        if before - state.blobs:
            entry.states.clear()
        entry.states.append(state)
        self._commit(key, entry, state.commit)

    def _empty(self, key: Key, entry: Entry) -> None:
        if entry.present:
            self._blobs.exchange(key, entry.present.blobs, frozenset())
        entry.states.clear()
        self._commit(key, entry, entry.next_commit())

    def _commit(self, key: Key, entry: Entry, commit: Commit) -> None:
        entry.commit = commit
        self._entries[key] = entry
        self._feed.tell(key, FeedEntry(key.id, commit.revision, commit.commit_time, deleted=not entry.states))
        self._wakes.wake(key)

    def _matching(self, namespace: str, collection: str, query: Query) -> Sequence[tuple[str, State]]:
        self._check_open()
        checks.check_part("namespace", namespace)
        checks.check_part("collection", collection)
        return [
            (key.id, entry.present)
            for key, entry in self._entries.items()
            if (key.namespace, key.collection) == (namespace, collection)
            and entry.present
            and queries.matches(query, entry.present.summary)
        ]


def _remember(entry: Entry, request: Request | None, existed: bool | None = None) -> None:
    ledger.remember(entry.answers, ledger.answer_to(request, entry.commit, existed))


def _listed(query: Query, id_: str, state: State) -> Listed:
    summary = state.summary.record if state.summary else b""
    value = queries.position_of(query, id_, state.summary).value
    return Listed(id_, state.commit.revision, summary, value=value)
