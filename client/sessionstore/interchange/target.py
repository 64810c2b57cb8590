"""A folder of the reference as it is written: each file whole, or not at all."""

import errno
import os
import time
from itertools import count
from pathlib import Path, PurePosixPath

from sessionstore.errors import StorageError
from sessionstore.interchange.document import DocumentError
from sessionstore.interchange.layout import MAX_DOCUMENT_BYTES

_writes = count()


class TargetFolder:
    """Writes below `path`, and nowhere else; the folder is made when it is missing."""

    def __init__(self, path: Path) -> None:
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _storage_error(path, error) from error
        self._root = path.resolve()

    def write(self, path: PurePosixPath, text: str) -> None:
        """Put a file in place. Errors: DocumentError when the reference could not have such a file, StorageError."""
        data = text.encode()
        if len(data) > MAX_DOCUMENT_BYTES:
            raise DocumentError(f"would have {len(data)} bytes, a document may have {MAX_DOCUMENT_BYTES}")
        file = self._inside(path)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            _replace(file, data)
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                raise DocumentError("the id is too long for a file name on this file system") from error
            raise _storage_error(file, error) from error

    def remove(self, path: PurePosixPath) -> None:
        """Remove a file if it is there. Errors: StorageError."""
        file = self._inside(path)
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            raise _storage_error(file, error) from error

    def has(self, path: PurePosixPath) -> bool:
        """Tell whether the path is taken."""
        return os.path.lexists(self._root / path)

    def _inside(self, path: PurePosixPath) -> Path:
        file = self._root / path
        if not Path(os.path.realpath(file.parent)).is_relative_to(self._root):
            problem = "a symbolic link leads outside the folder: remove it, or export to another folder"
            raise StorageError(str(file.parent), problem)
        return file


def _replace(file: Path, data: bytes) -> None:
    # The name that the reference gives, so that it knows what an interrupted export leaves behind.
    temporary = file.with_name(f"{file.name}.{time.time_ns()}.{os.getpid()}.{next(_writes)}.tmp")
    stream = temporary.open("xb")
    try:
        with stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _storage_error(path: Path, error: OSError) -> StorageError:
    return StorageError(str(path), error.strerror or str(error))
