"""The backend that keeps one SQLite file, which several processes on one machine may share.

What each operation waits for:

    commit, delete, extend_upload   one transaction, shared with all that wait at the same time, and its one sync
    put_blob                        the same, once for each MiB
    read, list, feed, get_blob      nothing that others do: reads never wait for writes, nor writes for reads; a read
                                    that is expected to be short is done on the event loop

Beside FILE stand FILE-wal and FILE-shm while it is open; SQLite needs a local file system for them. To copy the file
while it is in use call `backup`. All processes share one feed, which tells of `FEED_KEPT` commits at least.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from sqlite3 import Connection, Error
from typing import TypeVar

from typing_extensions import override

from sessionstore.errors import StoreClosedError
from sessionstore_server.backends import checks
from sessionstore_server.backends.base import (
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
from sessionstore_server.backends.sqlite import blobs, commits, database, feed, lists, times, transfers, views
from sessionstore_server.backends.sqlite.readers import Readers
from sessionstore_server.backends.sqlite.short_reads import ShortReads
from sessionstore_server.backends.sqlite.writer import Writer
from sessionstore_server.backends.sqlite.writing import WritingConnection
from sessionstore_server.backends.wakes import Wakes

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Opened:
    """What an open backend holds."""

    writer: Writer
    readers: Readers


class SqliteBackend(Backend):
    """Keeps everything in the file `path`, which is made, with its folder, if it is not there."""

    name = "sqlite"

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._opened: _Opened | None = None
        self._wakes = Wakes()
        self._short_reads = ShortReads()

    @override
    async def open(self) -> None:
        try:
            self.incarnation = await asyncio.to_thread(database.prepare, self._path)
            connection = await asyncio.to_thread(database.connect_to_write, self._path)
            impatient = await asyncio.to_thread(database.connect_for_short_reads, self._path)
        except (Error, OSError) as error:
            raise database.described(self._path, error) from error
        self._opened = _Opened(Writer(self._path, connection, self._wakes), Readers(self._path, impatient))

    @override
    async def aclose(self) -> None:
        opened, self._opened = self._opened, None
        if opened:
            await opened.readers.aclose()
            await opened.writer.aclose()
            self._wakes.wake_all()

    @override
    async def commit(self, key: Key, change: Change, expected_revision: int | None = None) -> Commit:
        checks.check_key(key)
        change = checks.checked_change(change)
        return await self._write(lambda connection: commits.commit(connection, key, change, expected_revision), key)

    @override
    async def read(
        self,
        key: Key,
        documents: Collection[str] = (),
        logs: Mapping[str, LogRange] | None = None,
        revision: int | None = None,
    ) -> View | None:
        checks.check_key(key)
        names, ranges = tuple(documents), checks.checked_ranges(logs)

        def step(connection: Connection) -> View | None:
            return views.read(connection, key, names, ranges, revision)

        if revision is not None:
            return await self._read(step)
        asked = key, names, tuple(ranges)
        if self._short_reads.has(asked, ranges):
            # What stands in its way, a thread waits for, or tells of.
            with suppress(Error):
                return self._noted(asked, self._check_open().readers.read_here(step))
        return self._noted(asked, await self._read(step))

    @override
    async def history(self, key: Key) -> Sequence[Commit]:
        checks.check_key(key)
        return await self._read(lambda connection: views.history(connection, key))

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
        step = partial(commits.delete, key=key, expected_revision=expected_revision, request=request, guard=guard)
        return await self._write(step, key)

    @override
    async def sweep_deleted(self, min_age_seconds: float) -> int:
        latest = times.before(min_age_seconds)
        return await self._write(lambda connection: commits.sweep_deleted(connection, latest))

    @override
    async def list(
        self, namespace: str, collection: str, query: Query, after: ListPosition | None, limit: int
    ) -> Sequence[Listed]:
        _check_collection(namespace, collection)
        checks.check_query(query, after)
        return await self._read(lambda connection: lists.page(connection, namespace, collection, query, after, limit))

    @override
    async def count(self, namespace: str, collection: str, query: Query) -> int:
        _check_collection(namespace, collection)
        checks.check_query(query)
        return await self._read(lambda connection: lists.count(connection, namespace, collection, query))

    @override
    async def feed(self, namespace: str, collection: str, position: str | None, limit: int) -> Feed:
        _check_collection(namespace, collection)
        return await self._read(lambda connection: feed.read(connection, namespace, collection, position, limit))

    @override
    async def wait(self, key: Key | None, timeout_seconds: float) -> None:
        self._check_open()
        await self._wakes.wait(key, timeout_seconds)

    @override
    async def put_blob(self, digest: str, content: AsyncIterator[bytes]) -> None:
        checks.check_digests("digest", [digest])
        await transfers.put(self._check_open().writer, digest, content)

    @override
    async def extend_upload(self, digest: str, offset: int, piece: bytes) -> int:
        checks.check_digests("digest", [digest])
        copied = bytes(piece)
        return await self._write(lambda connection: blobs.extend_upload(connection, digest, offset, copied))

    @override
    async def upload_size(self, digest: str) -> int:
        checks.check_digests("digest", [digest])
        upload = await self._read(partial(blobs.find, digest=digest, is_upload=True))
        return upload.size if upload else 0

    @override
    async def finish_upload(self, digest: str) -> None:
        checks.check_digests("digest", [digest])
        opened = self._check_open()
        await transfers.finish(opened.writer, opened.readers, digest)

    @override
    def get_blob(self, digest: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        checks.check_digests("digest", [digest])
        checks.check_range("range", start, stop)
        return transfers.get(self._check_open().readers, digest, start, stop)

    @override
    async def blob_size(self, digest: str) -> int | None:
        checks.check_digests("digest", [digest])
        blob = await self._read(partial(blobs.find, digest=digest))
        return blob.size if blob else None

    @override
    async def missing_blobs(self, digests: Collection[str]) -> set[str]:
        checks.check_digests("digests", digests)
        wanted = tuple(digests)
        return await self._read(lambda connection: blobs.missing(connection, wanted))

    @override
    async def sweep_blobs(self, min_age_seconds: float) -> int:
        latest = times.before(min_age_seconds)
        unused = await self._read(lambda connection: blobs.unused(connection, latest))
        # A transaction for each, so that commits need not wait for all of them.
        gone = [
            one for one in unused if await self._write(partial(blobs.drop_unused, blob_id=one.blob_id, latest=latest))
        ]
        return sum(not one.is_upload for one in gone)

    @override
    async def check_health(self) -> None:
        upload = await self._write(blobs.probe)
        await self._write(partial(blobs.discard, blob_id=upload))

    def _check_open(self) -> _Opened:
        if self._opened is None:
            raise StoreClosedError(self.name)
        return self._opened

    def _noted(self, asked: tuple[Key, Sequence[str], Sequence[str]], view: View | None) -> View | None:
        self._short_reads.note(asked, view)
        return view

    async def _read(self, step: Callable[[Connection], T]) -> T:
        return await self._check_open().readers.read(step)

    async def _write(self, step: Callable[[WritingConnection], T], key: Key | None = None) -> T:
        return await self._check_open().writer.write(step, key)


def _check_collection(namespace: str, collection: str) -> None:
    checks.check_part("namespace", namespace)
    checks.check_part("collection", collection)
