"""Files that only grow: what is beyond the end that a commit named does not exist."""

import logging
import os
from contextlib import suppress

from sessionstore.errors import DataCorruptionError, StorageError
from sessionstore_server.backends.file.folder import Folder

_logger = logging.getLogger(__name__)


def create(folder: Folder, name: str, data: bytes) -> None:
    """Write a new file and sync it, or leave none; its name is durable only when the folder is synced.

    A file that has the name already is another's by a second name, perhaps, and not written.
    """
    with suppress(FileNotFoundError):
        folder.remove(name)
    try:
        with folder.file(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as descriptor:
            write_at(descriptor, data, 0)
            os.fsync(descriptor)
    except StorageError:
        with suppress(StorageError, FileNotFoundError):
            folder.remove(name)
        raise


def append(folder: Folder, name: str, end: int, data: bytes) -> None:
    """Write `data` at the position `end` and sync it; what an interrupted write left there is cut off first.

    After a failure the file ends at `end` again, as far as the medium allows.
    Errors: DataCorruptionError when the file is missing or shorter, StorageError.
    """
    try:
        with folder.file(name, os.O_RDWR) as descriptor:
            _cut_tail(folder, name, descriptor, end)
            try:
                write_at(descriptor, data, end)
                os.fdatasync(descriptor)
            except OSError:
                with suppress(OSError):
                    os.ftruncate(descriptor, end)
                raise
    except FileNotFoundError:
        raise missing(folder, name) from None


def cut(folder: Folder, name: str, end: int) -> None:
    """Let a file end at `end`, durably."""
    with folder.file(name, os.O_RDWR) as descriptor:
        os.ftruncate(descriptor, end)
        os.fdatasync(descriptor)


def sync(folder: Folder, name: str) -> None:
    """Make the content of a file durable, whoever wrote it."""
    with folder.file(name, os.O_RDWR) as descriptor:
        os.fdatasync(descriptor)


def read(folder: Folder, name: str, start: int, stop: int) -> bytes:
    """Read the bytes from `start` to `stop`. Errors: DataCorruptionError when they are not there."""
    try:
        with folder.file(name, os.O_RDONLY) as descriptor:
            data = read_at(descriptor, start, stop)
    except FileNotFoundError:
        raise missing(folder, name) from None
    if len(data) < stop - start:
        raise too_short(folder, name, start + len(data), stop)
    return data


def read_at(descriptor: int, start: int, stop: int) -> bytes:
    """Read the bytes from `start` to `stop`, or to the end of the file."""
    pieces = []
    while start < stop and (piece := os.pread(descriptor, stop - start, start)):
        pieces.append(piece)
        start += len(piece)
    return b"".join(pieces)


def write_at(descriptor: int, data: bytes, position: int) -> None:
    """Write all of `data` from `position` on."""
    while data:
        written = os.pwrite(descriptor, data, position)
        data, position = data[written:], position + written


def missing(folder: Folder, name: str) -> DataCorruptionError:
    """Describe a file that a commit names and that is not there."""
    return DataCorruptionError(str(folder.path / name), "the file is missing")


def too_short(folder: Folder, name: str, size: int, stop: int) -> DataCorruptionError:
    """Describe a file that ends before what a commit names."""
    return DataCorruptionError(str(folder.path / name), f"it ends at byte {size}, its commits name {stop} bytes")


def _cut_tail(folder: Folder, name: str, descriptor: int, end: int) -> None:
    size = os.fstat(descriptor).st_size
    if size < end:
        raise too_short(folder, name, size, end)
    if size > end:
        path = str(folder.path / name)
        _logger.warning("cut an interrupted write off the end of %s", path, extra={"path": path, "bytes": size - end})
        os.ftruncate(descriptor, end)
