"""The backend over any ordered key-value engine, by optimistic compare-and-swap on the head of each key.

What a call reads and writes, in values of the engine:

- A commit reads the head, what it changes, and, with a request, the ledger of at most 128 small entries. It writes the
  head (with the times of at most 32 revisions), what it changes, what that was before, the new records, an answer
  and an entry of the feed: one write, and in time another one that removes what was given up. Commits of one
  collection are counted, so that they come one after the other, also those of several processes.
- A read reads the head twice, what is asked for, and what was replaced since the revision.
- A fork copies documents and the descriptions of logs; records are shared, in segments. What was cut off a log goes
  with the last revision that has anything of its segment.
- A list in the order of ids reads the heads, which have the summaries in them, from its position to its end; any
  other list, and a count, those of the whole collection.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

from typing_extensions import override

from sessionstore.errors import DataCorruptionError, RevisionNotKeptError, StoreClosedError
from sessionstore_server.backends import checks, ledger
from sessionstore_server.backends.base import (
    Backend,
    Change,
    Commit,
    Feed,
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
from sessionstore_server.backends.keyvalue import answers, layout, lists, values
from sessionstore_server.backends.keyvalue.blobs import Blobs
from sessionstore_server.backends.keyvalue.contents import Contents
from sessionstore_server.backends.keyvalue.draft import Draft
from sessionstore_server.backends.keyvalue.engine import KeyValues, Write
from sessionstore_server.backends.keyvalue.feed import read_feed
from sessionstore_server.backends.keyvalue.layout import BLOB, DOCUMENT, LOG, SUMMARY
from sessionstore_server.backends.keyvalue.space import Space
from sessionstore_server.backends.keyvalue.transaction import Transaction
from sessionstore_server.backends.keyvalue.values import Head
from sessionstore_server.backends.wakes import Wakes

T = TypeVar("T")

_ALL = (DOCUMENT, LOG, BLOB, SUMMARY)


class KeyValueBackend(Backend):
    """Keeps everything in `engine`, which it opens and closes. Give a subclass the `name` of the engine."""

    name = "keyvalue"

    def __init__(self, engine: KeyValues) -> None:
        self._engine = engine
        self._space = Space(engine)
        self._contents = Contents(engine)
        self._blobs = Blobs(engine, self._contents)
        self._wakes = Wakes()
        self._turn = asyncio.Lock()
        """Whose commit it is: those of one process need not get in each other's way."""
        self._is_open = False

    @override
    async def open(self) -> None:
        await self._engine.open()
        news = b"%d" % secrets.randbits(63)
        await self._engine.write(Write({layout.INCARNATION: news}, conditions={layout.INCARNATION: None}))
        found = await self._engine.get([layout.INCARNATION])
        self.incarnation = values.read_number(found[layout.INCARNATION], self.name)
        self._is_open = True

    @override
    async def aclose(self) -> None:
        self._is_open = False
        self._wakes.wake_all()
        async with self._turn:
            await self._engine.aclose()

    @override
    async def commit(self, key: Key, change: Change, expected_revision: int | None = None) -> Commit:
        self._check_open()
        checks.check_key(key)
        change = checks.checked_change(change)

        async def plan(transaction: Transaction) -> Commit:
            head = await _seen_head(transaction, key)
            known = await answers.known(self._space, key, change.request)
            if past := ledger.past_commit(known, change.request):
                return past
            checks.check_revision(key, expected_revision, head.revision)
            await _check_guard(transaction, change.guard)
            draft = Draft(self._space, transaction, key, head)
            before = await self._space.items(key, _touched(change))
            base = await self._forked(draft, key, head, change.origin) if change.origin else before
            await draft.replace(before, await draft.changed(base, change))
            answers.remember(transaction, key, known, change.request, draft.commit)
            return draft.commit

        return await self._carry_out(key, plan)

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
        documents, ranges = list(documents), checks.checked_ranges(logs)
        return await self._space.at(key, revision, lambda commit: self._space.view(key, commit, documents, ranges))

    @override
    async def history(self, key: Key) -> Sequence[Commit]:
        self._check_open()
        checks.check_key(key)
        return list((await self._space.head(key)).history)

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

        async def plan(transaction: Transaction) -> bool:
            head = await _seen_head(transaction, key, despite_damage=expected_revision is None)
            known = await answers.known(self._space, key, request)
            past = ledger.past_deletion(known, request)
            if past is not None:
                return past
            checks.check_revision(key, expected_revision, head.revision)
            await _check_guard(transaction, guard)
            existed = bool(head.history)
            if existed or request:
                draft = Draft(self._space, transaction, key, head)
                await draft.replace(await self._space.items(key, _ALL), {}, deletes=True)
                answers.remember(transaction, key, known, request, draft.commit, existed)
            return existed

        return await self._carry_out(key, plan)

    @override
    async def sweep_deleted(self, min_age_seconds: float) -> int:
        self._check_open()
        latest = datetime.now(UTC) - timedelta(seconds=min_age_seconds)
        deleted = [layout.buried(at) async for at, _ in self._space.below(layout.TOMBSTONES)]
        return sum([await self._contents.carry_out(partial(self._forget, key, latest)) for key in deleted])

    @override
    async def list(
        self, namespace: str, collection: str, query: Query, after: ListPosition | None, limit: int
    ) -> Sequence[Listed]:
        self._check_list(namespace, collection, query, after)
        return await lists.page(self._space, (namespace, collection), query, after, limit)

    @override
    async def count(self, namespace: str, collection: str, query: Query) -> int:
        self._check_list(namespace, collection, query)
        return await lists.count(self._space, (namespace, collection), query)

    @override
    async def feed(self, namespace: str, collection: str, position: str | None, limit: int) -> Feed:
        self._check_open()
        checks.check_part("namespace", namespace)
        checks.check_part("collection", collection)
        return await read_feed(self._engine, self.incarnation, (namespace, collection), position, limit)

    @override
    async def wait(self, key: Key | None, timeout_seconds: float) -> None:
        self._check_open()
        await self._wakes.wait(key, timeout_seconds)

    @override
    async def put_blob(self, digest: str, content: AsyncIterator[bytes]) -> None:
        self._check_blob(digest)
        await self._blobs.put(digest, content)

    @override
    async def extend_upload(self, digest: str, offset: int, piece: bytes) -> int:
        self._check_blob(digest)
        return await self._blobs.extend(digest, offset, bytes(piece))

    @override
    async def upload_size(self, digest: str) -> int:
        self._check_blob(digest)
        return await self._blobs.upload_size(digest)

    @override
    async def finish_upload(self, digest: str) -> None:
        self._check_blob(digest)
        await self._blobs.finish(digest, digest)

    @override
    async def get_blob(self, digest: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        self._check_blob(digest)
        checks.check_range("range", start, stop)
        async for piece in self._blobs.get(digest, start, stop):
            yield piece

    @override
    async def blob_size(self, digest: str) -> int | None:
        self._check_blob(digest)
        return await self._blobs.size(digest)

    @override
    async def missing_blobs(self, digests: Collection[str]) -> set[str]:
        self._check_open()
        checks.check_digests("digests", digests)
        return await self._blobs.missing(digests)

    @override
    async def sweep_blobs(self, min_age_seconds: float) -> int:
        self._check_open()
        return await self._blobs.sweep(min_age_seconds)

    @override
    async def check_health(self) -> None:
        self._check_open()
        await self._engine.write(Write({layout.INCARNATION: b"%d" % self.incarnation}))

    def _check_open(self) -> None:
        if not self._is_open:
            raise StoreClosedError(self.name)

    def _check_blob(self, digest: str) -> None:
        self._check_open()
        checks.check_digests("digest", [digest])

    def _check_list(self, namespace: str, collection: str, query: Query, after: ListPosition | None = None) -> None:
        self._check_open()
        checks.check_part("namespace", namespace)
        checks.check_part("collection", collection)
        checks.check_query(query, after)

    async def _carry_out(self, key: Key, plan: Callable[[Transaction], Awaitable[T]]) -> T:
        async with self._turn:
            self._check_open()
            result = await self._contents.carry_out(plan)
        self._wakes.wake(key)
        return result

    async def _forked(self, draft: Draft, key: Key, head: Head, origin: Origin) -> dict[str, bytes]:
        """Return the items with which a key, which must be absent, starts."""
        checks.check_revision(key, 0, head.revision)

        async def items_at(commit: Commit) -> dict[str, bytes]:
            return await self._space.items_at(origin.key, commit.revision, _ALL)

        items = await self._space.at(origin.key, origin.revision, items_at)
        if items is None:
            raise RevisionNotKeptError(origin.key.id, origin.revision)
        return draft.forked(items)

    async def _forget(self, key: Key, latest: datetime, transaction: Transaction) -> bool:
        """Forget a key that was deleted up to a time; tell whether it was so."""
        head = await _seen_head(transaction, key)
        if head.history or head.commit.commit_time > latest:
            return False
        transaction.delete(layout.head(key))
        transaction.delete(layout.tombstone(key))
        async for at, _ in self._space.below(layout.answers(key)):
            transaction.delete(at)
        return True


async def _seen_head(transaction: Transaction, key: Key, *, despite_damage: bool = False) -> Head:
    text = await transaction.seen_one(layout.head(key))
    try:
        return Head() if text is None else values.read_head(text, key.id)
    except DataCorruptionError:
        if despite_damage:
            return values.DAMAGED
        raise


async def _check_guard(transaction: Transaction, guard: Guard | None) -> None:
    if guard and await transaction.seen_one(layout.item(guard.key, DOCUMENT + guard.document)) != guard.record:
        raise GuardError


def _touched(change: Change) -> list[str]:
    """Return the names of the items that a change may touch."""
    names = [DOCUMENT + name for name in change.documents] + [LOG + name for name in change.logs]
    return [*names, *([SUMMARY] if change.summary else []), *([] if change.blobs is None else [BLOB])]
