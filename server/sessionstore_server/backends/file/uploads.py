"""Blobs on their way in: in one go, or piece by piece, with pauses, by several callers and processes.

    ROOT/.uploads/<sha256>/content

Pieces are not synced: what a power cut leaves of them is found out when the upload is finished, and started anew.
"""

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Lock

from sessionstore_server.backends import checks
from sessionstore_server.backends.base import BLOB_PIECE_BYTES
from sessionstore_server.backends.file import files
from sessionstore_server.backends.file.blobs import Blobs
from sessionstore_server.backends.file.folder import Area, Folder
from sessionstore_server.backends.file.scratch import Scratch, token

_UPLOADS = ".uploads"
_CONTENT = "content"
_WHOLE = "whole"
"""The content while it becomes a blob. If that breaks off, the upload starts anew."""


class Uploads:
    """The unfinished uploads of one root, which all who upload the same blob share."""

    def __init__(self, root: Path, blobs: Blobs, scratch: Scratch) -> None:
        self._area = Area(root, _UPLOADS)
        self._blobs = blobs
        self._scratch = scratch

    def extend(self, digest: str, offset: int, piece: bytes) -> int:
        """See `Backend.extend_upload`."""
        with self._upload(digest) as upload, upload.file(_CONTENT, os.O_WRONLY | os.O_CREAT) as descriptor:
            size = os.fstat(descriptor).st_size
            if offset != size:
                return size
            files.write_at(descriptor, piece, offset)
            return offset + len(piece)

    def size(self, digest: str) -> int:
        """See `Backend.upload_size`."""
        try:
            with self._area.open() as uploads, uploads.folder(digest) as upload:
                with suppress(FileNotFoundError):
                    return upload.stat(_CONTENT).st_size
                return upload.stat(_WHOLE).st_size
        except FileNotFoundError:
            return 0

    def finish(self, digest: str) -> None:
        """See `Backend.finish_upload`."""
        with self._upload(digest) as upload, self._removed(digest):
            if not self._blobs.renew(digest):
                actual = _digest(upload)
                # Whatever fails from here on, nobody adds to what may be a blob, or trusts what may not be synced.
                upload.rename(_CONTENT, upload, _WHOLE)
                self._blobs.keep(upload, _WHOLE, digest, actual)

    def sweep(self, min_age_seconds: float) -> None:
        """Remove the uploads that were not extended for so long."""
        latest = time.time() - min_age_seconds
        with suppress(FileNotFoundError), self._area.open() as uploads:
            for digest in filter(checks.is_digest, uploads.names()):
                with self._upload(digest) as upload:
                    if _extended_at(upload) <= latest:
                        self._remove(digest)

    @contextmanager
    def _upload(self, digest: str) -> Iterator[Folder]:
        """Open the folder of an upload, created if it is missing, alone among all who do."""
        with self._area.make() as uploads, _opened_alone(uploads, digest) as upload:
            yield upload

    @contextmanager
    def _removed(self, digest: str) -> Iterator[None]:
        """Remove an upload at the end: until then everybody sees it, and from then on the blob that it became."""
        try:
            yield
        finally:
            self._remove(digest)

    def _remove(self, digest: str) -> None:
        name = token()
        with self._area.open() as uploads:
            uploads.rename(digest, self._scratch.folder(), name)
        self._scratch.discard(name)


class Upload:
    """A blob on its way in: a file in the scratch folder, from `start` to `discard`.

    When the caller is cancelled a step may still run in its thread, or even begin: whenever `discard` comes, nothing
    is left when both have ended.
    """

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.name = token()
        self._hash = hashlib.sha256()
        self._lock = Lock()
        self._is_discarded = False

    @property
    def digest(self) -> str:
        """The sha256 of what came so far."""
        return self._hash.hexdigest()

    def start(self) -> None:
        """Make the file."""
        with self._lock:
            if not self._is_discarded:
                with self.folder.file(self.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL):
                    pass

    def add(self, piece: bytes) -> None:
        """Write the next piece."""
        self._hash.update(piece)
        with self.folder.file(self.name, os.O_WRONLY) as descriptor:
            files.write_at(descriptor, piece, os.fstat(descriptor).st_size)

    def discard(self) -> None:
        """Remove the scratch file; a blob that was kept has its own name."""
        with self._lock, suppress(FileNotFoundError):
            self._is_discarded = True
            self.folder.remove(self.name)


def _opened_alone(uploads: Folder, digest: str) -> Folder:
    while True:
        # Whoever holds the lock may finish the upload, and may have done so before the folder is opened here.
        with suppress(FileNotFoundError), ExitStack() as opened:
            upload = opened.enter_context(uploads.make_folder(digest, durable=False))
            upload.lock()
            if uploads.holds(upload):
                opened.pop_all()
                return upload


def _digest(upload: Folder) -> str:
    with upload.file(_CONTENT, os.O_RDWR | os.O_CREAT) as descriptor:
        hashed, position = hashlib.sha256(), 0
        while piece := files.read_at(descriptor, position, position + BLOB_PIECE_BYTES):
            hashed.update(piece)
            position += len(piece)
        return hashed.hexdigest()


def _extended_at(upload: Folder) -> float:
    with suppress(FileNotFoundError):
        return upload.stat(_CONTENT).st_mtime
    return 0.0
