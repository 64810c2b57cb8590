"""Removes what nobody can read any more: old versions, cut records, blobs without references."""

import asyncio
import struct
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from uuid import UUID

import asyncpg

from sessionstore.errors import SessionStoreError
from sessionstore_server.backends.base import FEED_KEPT, REQUESTS_KEPT, REVISIONS_KEPT
from sessionstore_server.backends.postgres.chunks import packed, unpacked
from sessionstore_server.backends.postgres.database import Connection, Database
from sessionstore_server.backends.postgres.statements import statement

PRUNE_EVERY = 16
"""Revisions of a key after which its old versions are removed; so many more than the history are stored at most."""

FEED_SECONDS = 24 * 3600
"""How long a position in the feed can wait to be used."""

_SILENT_SECONDS = 2 * FEED_SECONDS
"""How long the feed tells of a writer that is silent: longer than there is a position that does not know of its end."""

_KEYS_AT_ONCE = 64


class Pruner:
    """Removes at once what a caller waits for, and the rest in a task of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._due: set[UUID] = set()
        self._is_feed_due = False
        self._news = asyncio.Event()
        self._is_closing = False
        self._task = asyncio.create_task(self._run())

    def prune_later(self, key_id: UUID) -> None:
        """Prune a key when there is time."""
        self._due.add(key_id)
        self._news.set()

    def prune_feed_later(self) -> None:
        """Drop the oldest entries of the feed, and all of writers that are silent, when there is time."""
        self._is_feed_due = True
        self._news.set()

    async def prune(self, key_ids: Collection[UUID]) -> None:
        """Remove everything of these keys that is not in their histories."""
        digests = await self._database.repeated(lambda connection: _prune(connection, sorted(key_ids)))
        if digests:
            await self.remove_blobs(digests, 0)

    async def remove_blobs(self, digests: Sequence[str] | None, min_age_seconds: float) -> int:
        """Remove those of these blobs (None: of all) to which no key refers; return how many went."""
        while True:
            try:
                return len(await self._database.fetch("remove_blobs", digests, min_age_seconds))
            except asyncpg.ForeignKeyViolationError:
                # A commit of just now refers to one of them, which the next look will see.
                continue

    async def close(self) -> None:
        """Finish what is under way; what is still due comes with a later commit."""
        self._is_closing = True
        self._news.set()
        await self._task

    async def _run(self) -> None:
        while not self._is_closing:
            await self._news.wait()
            self._news.clear()
            try:
                await self._prune_due()
            except SessionStoreError:
                # The database is away, which those who wait for it are told; the next commit that is due comes here.
                continue

    async def _prune_due(self) -> None:
        while self._due and not self._is_closing:
            key_ids = [self._due.pop() for _ in range(min(len(self._due), _KEYS_AT_ONCE))]
            await self.prune(key_ids)
        if self._is_feed_due and not self._is_closing:
            self._is_feed_due = False
            await self._database.fetch("prune_feed", FEED_KEPT)
            await self._database.fetch("remove_writers", _SILENT_SECONDS)


async def _prune(connection: Connection, key_ids: list[UUID]) -> list[str]:
    """Prune keys in one transaction; return the blobs that they gave up."""
    async with connection.transaction():
        (pruned,) = await connection.fetch(statement("prune"), key_ids, REVISIONS_KEPT, REQUESTS_KEPT)
        if pruned["segments"]:
            await _prune_segments(connection, key_ids, pruned["segments"])
    digests: list[str] = pruned["digests"]
    return digests


async def _prune_segments(connection: Connection, key_ids: list[UUID], segments: list[UUID]) -> None:
    """Remove the records of segments that are in no log any more.

    The lock lets those end first who prune other keys with the same segments; the statements behind see what they did.
    """
    await connection.execute(statement("lock_segments"), segments)
    cut = await connection.fetch(statement("prune_records"), segments)
    if cut:
        await connection.executemany(statement("shorten_chunk"), list(_shortened(cut)))
    await connection.execute(statement("prune_segments"), segments, key_ids)


def _shortened(cut: Sequence[asyncpg.Record]) -> Iterator[tuple[object, ...]]:
    """Yield chunks, and their segments, without the records that no log has; damaged ones stay, for readers to find."""
    for row in cut:
        position, stop, kept = row["position"], row["stop"], row["kept"]
        with suppress(struct.error):
            (chunk,) = packed(position, unpacked(row["content"], stop - position)[: kept - position])
            yield row["segment_id"], *chunk
