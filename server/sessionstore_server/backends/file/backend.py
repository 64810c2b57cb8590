"""The backend that keeps JSON files in folders that people can read.

    ROOT/<namespace>/<collection>/<id>/commits.jsonl            a line per revision, which names what there is
                                      /<log>.<revision>.jsonl   a line per record, from the revision that started it
                                      /blobs/<sha256>           hard links to the blobs that the key refers to
    ROOT/blobs/<first two hex>/<sha256>                         the blobs of all keys
    ROOT/.uploads/<sha256>                                      the unfinished uploads of blobs
    ROOT/.feed/<boot>/<token>                                   what a process told of its commits
    ROOT/.deleted/<sha256>                                      a note for each deleted key
    ROOT/.work/<token>                                          what is on its way in or out, one folder per process
    ROOT/.incarnation                                           a number of which every root has another

A fork has hard links to the log files of its origin and reads of each what there was at the revision that it started
from; only the origin goes on to write there. The commit file goes back to the oldest revision that can still be read,
and the log files of all these revisions stay.

What each operation writes, and the syncs it waits for:

    commit, documents only      a commit line                                           1
    commit, append to a log     the records and a commit line                           1 per log, and 1
    commit, new or shorter log  the records that stay or are new, and a commit line     1 per log, and 2
    commit, new blobs           a link per blob and a commit line                       1 per blob, and 3
    commit, a blob less         a line of the whole state, in place of all lines        2
    commit, after a deletion    the records and a line of the whole state               1 per log, and 3
    commit, first of a key      the records and a line of the whole state               1 per log, and 5
    commit, first, a fork       a link per log file and blob, and the same              1 per log that grows and per
                                                                                        blob, and 7
    commit, every so often      the whole state of the oldest kept revision, and the
                                lines after it, in place of all lines                   2 where it was 1
    delete                      a note, and a line in place of all files                4
    delete, an absent key       nothing; with a request a note and the line             0, with a request 7
    repeat of a request         nothing                                                 3
    put_blob                    the content                                             3
    extend_upload               the piece                                               0
    finish_upload               a link; nothing when the blob is there already          3, or 1
    read, list, feed, get_blob  nothing                                                 0

A commit also writes a line to the feed, of about 200 bytes and the key, and does not wait for it. Opening writes ROOT
and the incarnation, once; a folder without the permission to write can be read. The first write of each kind in a
process also makes the folders `.work`, `.uploads`, `.deleted` or `blobs` and waits for one sync or two more.

A list takes the names of all keys of the collection. In the order of ids it looks at those that it shows; with a filter
or another order, and to count, at all of them. To look means to open the folder once, and from then on, for as long as
nothing changes and the process remembers (64 MiB, some 50,000 keys), only to ask for the stamp of the commit file.

What was read is remembered, 64 MiB of states and as much of records: a warm read asks for the stamps of its files, on
the event loop, and in a thread parses only what is new since. A document that is known to be so already is not written
again.

A request adds about 200 bytes and its id to the commit line, and as much for each request that the ledger keeps to
the line of the whole state. What stays of a deleted key is such a line, with its revision and its ledger; opening the
store removes it when it is a week old. A commit file is at most twice as large as what tells its kept revisions, or
64 KiB; the feed keeps the last 10,000 commits of each process at least, and 20,000 at most.

The files are for a local file system: it must have hard links, `flock`, and renames that replace, and must tell
capitals from small letters; elsewhere a key is refused whose id differs from that of another in nothing but these.
Copies of the folder must keep hard links (`cp -a`, `rsync -aH`, `tar`), since these count the references to blobs.
Whoever puts a copy back in the place of what was written since removes `.incarnation` from it.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar
from weakref import WeakValueDictionary

from typing_extensions import override

from sessionstore.errors import DataCorruptionError, StorageError, StoreClosedError
from sessionstore_server.backends import checks
from sessionstore_server.backends.base import (
    BLOB_PIECE_BYTES,
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
from sessionstore_server.backends.file import files
from sessionstore_server.backends.file.blobs import Blobs
from sessionstore_server.backends.file.codec import Base64Codec, RecordCodec
from sessionstore_server.backends.file.feed import Feeds
from sessionstore_server.backends.file.feed_writer import FeedWriter
from sessionstore_server.backends.file.incarnation import incarnation
from sessionstore_server.backends.file.keys import Keys
from sessionstore_server.backends.file.lists import Lists
from sessionstore_server.backends.file.lookup import Lookup
from sessionstore_server.backends.file.reading import Reader
from sessionstore_server.backends.file.scratch import Scratch
from sessionstore_server.backends.file.threads import Threads
from sessionstore_server.backends.file.tombstones import KEPT_SECONDS
from sessionstore_server.backends.file.uploads import Upload, Uploads
from sessionstore_server.backends.file.writing import Writer
from sessionstore_server.backends.wakes import Wakes

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 8
"""How many blocking operations of one backend run at a time, of those that read and of those that write; keys beyond
that wait for each other. A writer may wait for the lock of another process, so readers have threads of their own."""


class FileBackend(Backend):
    """Keeps everything under the folder `root`, which several processes may share.

    `codec` turns records into the JSON that stands in the files; without one they stand there as base64.
    """

    name = "file"
    finds_damage = True

    def __init__(self, root: Path, codec: RecordCodec | None = None) -> None:
        self._root = root
        self._codec = codec or Base64Codec()
        self._opened: _Disk | None = None
        self._wakes = Wakes()
        self._turns: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()

    @override
    async def open(self) -> None:
        self._opened = await asyncio.to_thread(_reported, _Disk, self._root, self._codec)
        self.incarnation = self._opened.incarnation

    @override
    async def aclose(self) -> None:
        disk, self._opened = self._opened, None
        self._wakes.wake_all()
        if disk:
            await asyncio.to_thread(disk.close)

    @override
    async def commit(self, key: Key, change: Change, expected_revision: int | None = None) -> Commit:
        checks.check_key(key)
        change = checks.checked_change(change)
        return await self._change(self._disk.keys.commit, key, change, expected_revision)

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
        lookup = self._disk.lookup
        view = _reported(lookup.glance, key, lambda reader: reader.view(names, ranges)) if revision is None else None
        return view or await self._look(lookup.read, key, lambda reader: reader.at(revision).view(names, ranges))

    @override
    async def history(self, key: Key) -> Sequence[Commit]:
        checks.check_key(key)
        return await self._look(self._disk.lookup.read, key, Reader.history) or []

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
        return await self._change(self._disk.keys.delete, key, expected_revision, request, guard)

    @override
    async def sweep_deleted(self, min_age_seconds: float) -> int:
        return await self._write(self._disk.keys.sweep_deleted, min_age_seconds)

    @override
    async def list(
        self, namespace: str, collection: str, query: Query, after: ListPosition | None, limit: int
    ) -> Sequence[Listed]:
        _check_collection(namespace, collection)
        checks.check_query(query, after)
        return await self._look(self._disk.lists.page, namespace, collection, query, after, limit)

    @override
    async def count(self, namespace: str, collection: str, query: Query) -> int:
        _check_collection(namespace, collection)
        checks.check_query(query)
        return await self._look(self._disk.lists.count, namespace, collection, query)

    @override
    async def feed(self, namespace: str, collection: str, position: str | None, limit: int) -> Feed:
        _check_collection(namespace, collection)
        if position is None:
            return Feed([], await self._look(self._disk.feeds.position))
        return await self._look(self._disk.feeds.after, namespace, collection, position, limit)

    @override
    async def wait(self, key: Key | None, timeout_seconds: float) -> None:
        _ = self._disk
        await self._wakes.wait(key, timeout_seconds)

    @override
    async def put_blob(self, digest: str, content: AsyncIterator[bytes]) -> None:
        checks.check_digests("digest", [digest])
        upload = Upload(await self._write(self._disk.scratch.folder))
        try:
            await self._write(upload.start)
            async for piece in content:
                await self._write(upload.add, piece)
            await self._write(self._disk.blobs.keep, upload.folder, upload.name, digest, upload.digest)
        finally:
            # Goes its way even when the caller is cancelled here.
            await asyncio.shield(self._write(upload.discard))

    @override
    async def extend_upload(self, digest: str, offset: int, piece: bytes) -> int:
        checks.check_digests("digest", [digest])
        return await self._write(self._disk.uploads.extend, digest, offset, bytes(piece))

    @override
    async def upload_size(self, digest: str) -> int:
        checks.check_digests("digest", [digest])
        return await self._look(self._disk.uploads.size, digest)

    @override
    async def finish_upload(self, digest: str) -> None:
        checks.check_digests("digest", [digest])
        await self._write(self._disk.uploads.finish, digest)

    @override
    async def get_blob(self, digest: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        checks.check_digests("digest", [digest])
        checks.check_range("range", start, stop)
        with await self._look(self._disk.blobs.open, digest) as file:
            hashed, position = sha256(), start
            while piece := await self._look(files.read_at, file.fileno(), position, _piece_stop(position, stop)):
                hashed.update(piece)
                position += len(piece)
                yield piece
            is_whole = start == 0 and position == os.fstat(file.fileno()).st_size
        if is_whole and hashed.hexdigest() != digest:
            raise DataCorruptionError(str(file.name), f"its content has the digest {hashed.hexdigest()}")

    @override
    async def blob_size(self, digest: str) -> int | None:
        checks.check_digests("digest", [digest])
        return await self._look(self._disk.blobs.size, digest)

    @override
    async def missing_blobs(self, digests: Collection[str]) -> set[str]:
        checks.check_digests("digests", digests)
        return await self._look(self._disk.blobs.missing, tuple(digests))

    @override
    async def sweep_blobs(self, min_age_seconds: float) -> int:
        await self._write(self._disk.uploads.sweep, min_age_seconds)
        return await self._write(self._disk.blobs.sweep, min_age_seconds)

    @override
    async def check_health(self) -> None:
        await self._write(self._disk.scratch.probe)

    @property
    def _disk(self) -> "_Disk":
        if self._opened is None:
            raise StoreClosedError(self.name)
        return self._opened

    async def _change(self, step: Callable[Concatenate[Key, P], T], key: Key, *args: P.args, **named: P.kwargs) -> T:
        """Run a step that changes `key`, and wake who waits for it, even if the caller is cancelled meanwhile."""
        # The callers for one key wait here, in their order, and not in threads that others need.
        async with self._turns.setdefault(key, asyncio.Lock()):
            changing = self._disk.writers.run(partial(_reported, step, key, *args, **named))
            changing.add_done_callback(lambda _: self._wakes.wake(key))
            return await asyncio.shield(changing)

    async def _look(self, step: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        return await self._disk.readers.run(partial(_reported, step, *args, **named))

    async def _write(self, step: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        return await self._disk.writers.run(partial(_reported, step, *args, **named))


class _Disk:
    """What an open backend holds: all that blocks, and the threads that it blocks."""

    def __init__(self, root: Path, codec: RecordCodec) -> None:
        root.mkdir(parents=True, exist_ok=True)
        root = root.resolve()
        self.incarnation = incarnation(root)
        self.blobs = Blobs(root)
        self.scratch = Scratch(root)
        self.uploads = Uploads(root, self.blobs, self.scratch)
        self.lookup = Lookup(root, codec)
        self.lists = Lists(self.lookup)
        self.feeds = Feeds(root, self.incarnation, self.lookup.revision_of)
        self._feed_writer = FeedWriter(root)
        writer = Writer(codec, self.blobs, self._feed_writer)
        self.keys = Keys(root, self.lookup, writer, self.scratch, self._feed_writer)
        self.keys.sweep_deleted(KEPT_SECONDS)
        self.readers = Threads("sessionstore-file-reader", THREADS)
        self.writers = Threads("sessionstore-file-writer", THREADS)

    def close(self) -> None:
        """Finish what runs, then leave the folder."""
        self.writers.close()
        self.readers.close()
        self._feed_writer.close()
        self.lookup.close()
        self.scratch.close()


def _check_collection(namespace: str, collection: str) -> None:
    checks.check_part("namespace", namespace)
    checks.check_part("collection", collection)


def _piece_stop(position: int, stop: int | None) -> int:
    return position + BLOB_PIECE_BYTES if stop is None else min(position + BLOB_PIECE_BYTES, stop)


def _reported(step: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
    """Let no failure of the medium out that is not a StorageError."""
    try:
        return step(*args, **named)
    except OSError as error:
        raise StorageError(str(error.filename), error.strerror or str(error)) from error
