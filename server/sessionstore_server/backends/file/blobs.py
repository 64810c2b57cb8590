"""Blobs under their digests, shared by all keys of a root: `ROOT/blobs/<first two hex>/<sha256>`.

A key refers to a blob by a hard link in its own folder, `blobs/<sha256>`, so the link count of the shared file tells
without a search whether anybody refers to it. Making links takes the lock of `ROOT/blobs` together with others,
removing a shared file takes it alone: nobody can link to what is just being removed. A blob can have as many
references as the file system allows links to a file (ext4: 65,000).
"""

import math
import os
import re
import stat
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

from sessionstore.errors import DataCorruptionError, InvalidArgumentError, StorageError
from sessionstore_server.backends import checks
from sessionstore_server.backends.file import files
from sessionstore_server.backends.file.folder import Area, Folder
from sessionstore_server.backends.file.names import BLOBS

_BUCKET = re.compile(r"[0-9a-f]{2}")


class Blobs:
    """The blobs of one root."""

    def __init__(self, root: Path) -> None:
        self._path = root / BLOBS
        self._area = Area(root, BLOBS)

    def open(self, digest: str) -> FileIO:
        """Open a blob for reading. Errors: DataCorruptionError when it is not stored."""
        path = self._path / digest[:2] / digest
        try:
            with self._bucket(digest) as bucket, bucket.file(digest, os.O_RDONLY) as descriptor:
                return FileIO(path, opener=lambda *_: os.dup(descriptor))
        except FileNotFoundError:
            raise DataCorruptionError(str(path), "the blob is not stored") from None

    def missing(self, digests: Collection[str]) -> set[str]:
        """Return which of these blobs are not stored."""
        return {digest for digest in digests if self.size(digest) is None}

    def size(self, digest: str) -> int | None:
        """Return the size of a blob, or None when it is not stored."""
        try:
            with self._bucket(digest) as bucket:
                return _regular(bucket, digest).st_size
        except FileNotFoundError:
            return None

    def link(self, digests: Collection[str], folder: Folder) -> None:
        """Make the key's `folder` refer to these blobs, durably.

        Errors: InvalidArgumentError when one is not stored, also when it went a moment ago.
        """
        with self._locked(shared=True) as blobs, folder.make_folder(BLOBS) as links:
            for digest in digests:
                try:
                    with blobs.folder(digest[:2]) as bucket:
                        bucket.link(digest, links, digest)
                        # Whoever put the blob may not have come to the sync, or may have failed there.
                        bucket.sync()
                except FileNotFoundError:
                    raise checks.unknown_blobs([digest]) from None
            links.sync()

    def unlink(self, digests: Collection[str], folder: Folder) -> None:
        """Drop references of the key's `folder`, and each blob to which nothing else refers."""
        if not digests:
            return
        with folder.folder(BLOBS) as links, self._locked() as blobs:
            for digest in digests:
                with suppress(FileNotFoundError):
                    links.remove(digest)
                with suppress(FileNotFoundError), blobs.folder(digest[:2]) as bucket:
                    _remove_unused(bucket, digest, math.inf)

    def keep(self, folder: Folder, name: str, digest: str, actual: str) -> None:
        """Store a file, whose content has the digest `actual`, as a blob; it keeps its own name, too.

        Errors: InvalidArgumentError when it was to have another one.
        """
        if actual != digest:
            raise InvalidArgumentError("digest", f"is {digest}, but the content has {actual}")
        files.sync(folder, name)
        self._area.make().close()
        with self._locked(shared=True) as blobs, blobs.make_folder(digest[:2]) as bucket:
            try:
                folder.link(name, bucket, digest)
            except FileExistsError:
                _touch(bucket, digest)
            bucket.sync()

    def renew(self, digest: str) -> bool:
        """Let a blob count as put just now, durably; return False when it is not stored."""
        try:
            with self._locked(shared=True) as blobs, blobs.folder(digest[:2]) as bucket:
                _touch(bucket, digest)
                bucket.sync()
        except FileNotFoundError:
            return False
        return True

    def sweep(self, min_age_seconds: float) -> int:
        """Remove blobs to which nothing refers and that were last put so long ago; return how many."""
        latest = time.time() - min_age_seconds
        try:
            with self._area.open() as blobs:
                buckets = [name for name in blobs.names() if _BUCKET.fullmatch(name)]
        except FileNotFoundError:
            return 0
        return sum(self._sweep_bucket(name, latest) for name in buckets)

    def _sweep_bucket(self, name: str, latest: float) -> int:
        # A lock per bucket: commits that bring blobs wait no longer than that.
        with self._locked() as blobs, blobs.folder(name) as bucket:
            return sum(_remove_unused(bucket, digest, latest) for digest in bucket.names() if checks.is_digest(digest))

    @contextmanager
    def _locked(self, *, shared: bool = False) -> Iterator[Folder]:
        with self._area.open() as blobs:
            blobs.lock(shared=shared)
            yield blobs

    @contextmanager
    def _bucket(self, digest: str) -> Iterator[Folder]:
        with self._area.open() as blobs, blobs.folder(digest[:2]) as bucket:
            yield bucket


def links_of(folder: Folder) -> set[str]:
    """Return the blobs to which the key's `folder` has links."""
    try:
        with folder.folder(BLOBS) as links:
            return {name for name in links.names() if checks.is_digest(name)}
    except FileNotFoundError:
        return set()


def _regular(bucket: Folder, digest: str) -> os.stat_result:
    status = bucket.stat(digest)
    if not stat.S_ISREG(status.st_mode):
        raise StorageError(
            str(bucket.path / digest), "it is not a regular file; links inside the store are not followed"
        )
    return status


def _remove_unused(bucket: Folder, digest: str, latest: float) -> bool:
    status = _regular(bucket, digest)
    if status.st_nlink > 1 or status.st_mtime > latest:
        return False
    bucket.remove(digest)
    return True


def _touch(bucket: Folder, digest: str) -> None:
    """Let a blob that was put again count as new for `sweep`."""
    _regular(bucket, digest)
    with bucket.file(digest, os.O_RDONLY) as descriptor:
        os.utime(descriptor)
