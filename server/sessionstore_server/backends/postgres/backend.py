"""The backend that keeps everything in PostgreSQL, or in what speaks like it: CockroachDB, YugabyteDB.

What each operation costs, in round trips to the database:

    commit                      1, shared with all other commits that wait in this process
      first of a key here       1 more to read what there is, and 2 for a key that was never written
      that lost to another      2 more for each time
      new blobs, guard, prefix  1 more for each of these; a guard is remembered
      fork                      6 more
    delete                      1, and up to 8 to remove what was kept
    read, list, count, feed     1
    get_blob                    1, and 1 for each MiB
    put_blob                    1 up to 1 MiB, else 1 for each MiB and 1
    extend_upload               2

Beside the commits old versions are removed in a transaction every so often, and other processes are told of commits in
a statement, at most 20 times a second.

Any number of processes may share a database. None needs a lock, a session or anything else there beyond a statement or
a short transaction, so a pooler may give each transaction another connection; set the statement cache to 0 then.
Commits are as durable as `synchronous_commit` of the database makes them. A database that goes back to a backup has to
get a new incarnation: delete it from `sessionstore.meta` before the first process opens.
"""

import secrets
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from typing_extensions import override

from sessionstore.errors import SessionStoreError, StorageError, StoreClosedError
from sessionstore_server.backends import checks
from sessionstore_server.backends.base import (
    FEED_KEPT,
    Backend,
    Change,
    Commit,
    Feed,
    Guard,
    Key,
    Listed,
    ListPosition,
    LogRange,
    Query,
    Request,
    View,
)
from sessionstore_server.backends.ledger import Answer
from sessionstore_server.backends.postgres import feeding, listing, reading
from sessionstore_server.backends.postgres.blobs import Blobs
from sessionstore_server.backends.postgres.database import ConflictError, ConnectionLostError, Database
from sessionstore_server.backends.postgres.migrating import apply_migrations
from sessionstore_server.backends.postgres.notifications import Notifications
from sessionstore_server.backends.postgres.planning import Plan, Write
from sessionstore_server.backends.postgres.pruning import PRUNE_EVERY, Pruner
from sessionstore_server.backends.postgres.settings import PostgresSettings
from sessionstore_server.backends.postgres.statements import statement
from sessionstore_server.backends.postgres.writer import Writer
from sessionstore_server.backends.wakes import Wakes

_DEFAULTS = PostgresSettings()

_SWEPT_AT_ONCE = 500

_FEED_PRUNED_EVERY = FEED_KEPT // 10

_HEARING_POLL_SECONDS = 5.0
"""How soon to look for commits of other processes that are heard of, should a notification be lost."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """What an open backend works with."""

    database: Database
    blobs: Blobs
    pruner: Pruner
    writer: Writer
    notifications: Notifications | None


class PostgresBackend(Backend):
    """Keeps everything in the schema `sessionstore` of the database at `dsn`, and brings the schema up to date."""

    name = "postgres"

    def __init__(self, dsn: str, settings: PostgresSettings = _DEFAULTS) -> None:
        self._dsn = dsn
        self._settings = settings
        self._opened: _Opened | None = None
        self._wakes = Wakes()
        self._told_commits = 0

    @override
    async def open(self) -> None:
        database = Database(self._dsn, self._settings)
        await database.open()
        try:
            await apply_migrations(database)
            self.incarnation = await _incarnation(database)
        except BaseException:
            await database.close()
            raise
        pruner = Pruner(database)
        pruner.prune_feed_later()
        notifications = Notifications(database, self._wakes) if self._settings.notify else None
        writer = Writer(database, partial(self._told, pruner, notifications))
        self._opened = _Opened(database, Blobs(database), pruner, writer, notifications)

    @override
    async def aclose(self) -> None:
        opened, self._opened = self._opened, None
        self._wakes.wake_all()
        if opened:
            await opened.writer.close()
            await opened.pruner.close()
            if opened.notifications:
                await opened.notifications.close()
            await opened.database.close()

    @override
    async def commit(self, key: Key, change: Change, expected_revision: int | None = None) -> Commit:
        checks.check_key(key)
        change = checks.checked_change(change)
        return (await self._carry_out(Write(key, change, expected_revision, change.request, change.guard))).commit

    @override
    async def read(
        self,
        key: Key,
        documents: Collection[str] = (),
        logs: Mapping[str, LogRange] | None = None,
        revision: int | None = None,
    ) -> View | None:
        checks.check_key(key)
        ranges = checks.checked_ranges(logs)
        return await reading.read(self._now.database, key, tuple(documents), ranges, revision)

    @override
    async def history(self, key: Key) -> Sequence[Commit]:
        checks.check_key(key)
        return await reading.history(self._now.database, key)

    @override
    async def delete(
        self,
        key: Key,
        expected_revision: int | None = None,
        request: Request | None = None,
        guard: Guard | None = None,
    ) -> bool:
        checks.check_key(key)
        checks.check_request(request)
        guard = checks.checked_guard(guard)
        return bool((await self._carry_out(Write(key, None, expected_revision, request, guard))).existed)

    @override
    async def sweep_deleted(self, min_age_seconds: float) -> int:
        opened, swept = self._now, 0
        while rows := await opened.database.fetch("deleted_keys", min_age_seconds, _SWEPT_AT_ONCE):
            key_ids = [row["key_id"] for row in rows]
            await opened.pruner.prune(key_ids)
            swept += (await opened.database.fetch("remove_keys", key_ids, min_age_seconds))[0]["count"]
            opened.writer.forget()
        return swept

    @override
    async def list(
        self, namespace: str, collection: str, query: Query, after: ListPosition | None, limit: int
    ) -> Sequence[Listed]:
        checks.check_query(query, after)
        checks.check_part("namespace", namespace)
        checks.check_part("collection", collection)
        return await listing.page(self._now.database, namespace, collection, query, after, limit)

    @override
    async def count(self, namespace: str, collection: str, query: Query) -> int:
        checks.check_query(query)
        checks.check_part("namespace", namespace)
        checks.check_part("collection", collection)
        return await listing.count(self._now.database, namespace, collection, query)

    @override
    async def feed(self, namespace: str, collection: str, position: str | None, limit: int) -> Feed:
        checks.check_part("namespace", namespace)
        checks.check_part("collection", collection)
        database = self._now.database
        if position is None:
            return await feeding.feed_end(database, self.incarnation)
        return await feeding.feed_after(database, self.incarnation, namespace, collection, position, limit)

    @override
    async def wait(self, key: Key | None, timeout_seconds: float) -> None:
        if self._opened is None:
            raise StoreClosedError(self.name)
        await self._wakes.wait(key, timeout_seconds)

    @property
    @override
    def poll_seconds(self) -> float:
        notifications = self._opened.notifications if self._opened else None
        is_hearing = notifications is not None and notifications.are_heard
        return max(_HEARING_POLL_SECONDS if is_hearing else 0, self._settings.poll_seconds)

    @override
    async def put_blob(self, digest: str, content: AsyncIterator[bytes]) -> None:
        checks.check_digests("digest", [digest])
        await self._now.blobs.put(digest, content)

    @override
    async def extend_upload(self, digest: str, offset: int, piece: bytes) -> int:
        checks.check_digests("digest", [digest])
        return await self._now.blobs.extend_upload(digest, offset, piece)

    @override
    async def upload_size(self, digest: str) -> int:
        checks.check_digests("digest", [digest])
        return await self._now.blobs.upload_size(digest)

    @override
    async def finish_upload(self, digest: str) -> None:
        checks.check_digests("digest", [digest])
        await self._now.blobs.finish_upload(digest)

    @override
    async def get_blob(self, digest: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        checks.check_digests("digest", [digest])
        checks.check_range("range", start, stop)
        async for piece in self._now.blobs.content(digest, start, stop):
            yield piece

    @override
    async def blob_size(self, digest: str) -> int | None:
        checks.check_digests("digest", [digest])
        return await self._now.blobs.size(digest)

    @override
    async def missing_blobs(self, digests: Collection[str]) -> set[str]:
        checks.check_digests("digests", digests)
        return await self._now.blobs.missing(digests)

    @override
    async def sweep_blobs(self, min_age_seconds: float) -> int:
        removed = await self._now.pruner.remove_blobs(None, min_age_seconds)
        await self._now.database.fetch("remove_uploads", min_age_seconds)
        return removed

    @override
    async def check_health(self) -> None:
        database = self._now.database
        try:
            await database.once(lambda connection: connection.execute(statement("touch")))
        except (ConnectionLostError, ConflictError) as error:
            raise StorageError(database.target, str(error)) from error

    @property
    def _now(self) -> _Opened:
        if self._opened is None:
            raise StoreClosedError(self.name)
        return self._opened

    async def _carry_out(self, write: Write) -> Answer:
        opened = self._now
        outcome = await opened.writer.carry_out(write)
        if outcome.rest:
            await _removed(opened.pruner, outcome.rest)
        return outcome.answer

    def _told(self, pruner: Pruner, notifications: Notifications | None, plan: Plan) -> None:
        self._wakes.wake(plan.write.key)
        if notifications:
            notifications.tell(plan.write.key)
        self._told_commits += 1
        if plan.after.revision % PRUNE_EVERY == 0:
            pruner.prune_later(plan.after.key_id)
        if self._told_commits % _FEED_PRUNED_EVERY == 0:
            pruner.prune_feed_later()


async def _removed(pruner: Pruner, key_id: UUID) -> None:
    """Remove what a commit left over; the commit stands, so when this fails it is tried again later."""
    try:
        await pruner.prune([key_id])
    except SessionStoreError:
        pruner.prune_later(key_id)


async def _incarnation(database: Database) -> int:
    """Return what the first to open the database made up."""
    await database.fetch("add_incarnation", secrets.randbits(63))
    incarnation: int = (await database.fetch("incarnation"))[0]["value"]
    return incarnation
