"""A folder of the reference as it is read: which files it has, and their bytes."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from sessionstore.errors import InvalidArgumentError, StorageError
from sessionstore.interchange.document import DocumentError
from sessionstore.interchange.layout import MAX_DOCUMENT_BYTES, is_folder

_ROOT = PurePosixPath()

_SEALED = b"A3SE\x01"
_SEALED_OVERHEAD_BYTES = 17
"""Magic, version and nonce; a file that is not longer is not sealed, whatever it begins with."""


class SourceFolder:
    """Reads below `path`, and nowhere else: symbolic links are followed only while they stay inside."""

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise InvalidArgumentError("folder", f"{path} is not a folder: give the one that holds the session files")
        self._root = path.resolve()

    def paths(self, folder: PurePosixPath = _ROOT) -> Iterator[PurePosixPath]:
        """Find everything in it, in an order that depends only on the names.

        A folder that the reference does not have, or that leads outside, is given itself instead of what is in it.
        """
        for name in self._names(folder):
            path = folder / name
            if is_folder(path) and (self._root / path).is_dir() and not self.leads_outside(path):
                yield from self.paths(path)
            else:
                yield path

    def leads_outside(self, path: PurePosixPath) -> bool:
        """Tell whether the path ends outside the folder, by way of a symbolic link."""
        return not Path(os.path.realpath(self._root / path)).is_relative_to(self._root)

    def read(self, path: PurePosixPath) -> bytes:
        """Return the content of a file. Errors: DocumentError when it is not one to be read, and why."""
        if self.leads_outside(path):
            raise DocumentError("is a symbolic link that leads outside the folder: put the file itself there")
        file = self._root / path
        if file.exists() and not file.is_file():
            raise DocumentError("is not a file")
        try:
            data = _read_limited(file)
        except OSError as error:
            raise DocumentError(f"cannot be read: {error.strerror}") from error
        if len(data) > _SEALED_OVERHEAD_BYTES and data.startswith(_SEALED):
            raise DocumentError("is encrypted: let the reference write it without encryption first")
        return data

    def _names(self, folder: PurePosixPath) -> list[str]:
        try:
            return sorted(entry.name for entry in (self._root / folder).iterdir())
        except OSError as error:
            raise StorageError(str(self._root / folder), f"cannot be listed: {error.strerror}") from error


def _read_limited(file: Path) -> bytes:
    with file.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        data = stream.read(MAX_DOCUMENT_BYTES + 1) if size <= MAX_DOCUMENT_BYTES else b""
    # The file may have grown since its size was asked.
    size = max(size, len(data))
    if size > MAX_DOCUMENT_BYTES:
        raise DocumentError(f"has {size} bytes, a document may have {MAX_DOCUMENT_BYTES}")
    return data
