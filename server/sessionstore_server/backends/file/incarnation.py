"""The number that tells a root from any other, and from itself as it was before a backup was put back.

`ROOT/.incarnation` is written when the root is opened for the first time. Whoever puts a backup back removes it.
"""

import logging
import os
import secrets
from pathlib import Path

from sessionstore.errors import DataCorruptionError, StorageError
from sessionstore_server.backends.file import files
from sessionstore_server.backends.file.folder import Folder

_NAME = ".incarnation"

_logger = logging.getLogger(__name__)


def incarnation(root: Path) -> int:
    """Return the number of a root, made at the first call. Errors: DataCorruptionError, StorageError."""
    with Folder.open_root(root) as folder:
        number = _read(folder)
        return _make(folder) if number is None else number


def mark_restored(root: Path) -> None:
    """Let a root that went back to a backup get a new number when it is opened; no process may have it open.

    Errors: StorageError, also for a folder that has no number.
    """
    with Folder.open_root(root) as folder, folder.locked():
        try:
            folder.remove(_NAME)
        except FileNotFoundError:
            problem = f"has no {_NAME}: name the folder of a store; one that was marked before needs nothing more"
            raise StorageError(str(root), problem) from None
        folder.sync()


def _make(folder: Folder) -> int:
    # The lock keeps others from reading a number that is only half there.
    with folder.locked():
        number = _read(folder)
        if number is not None:
            return number
        number = secrets.randbits(63)
        try:
            files.create(folder, _NAME, b"%d\n" % number)
            folder.sync()
        except StorageError as error:
            # A root that can only be read: this number holds until it is closed.
            _logger.warning("the incarnation was not stored: %s", error)
        return number


def _read(folder: Folder) -> int | None:
    """Return the number; None when it is missing, or was not written to its end."""
    try:
        with folder.file(_NAME, os.O_RDONLY) as descriptor:
            text = files.read_at(descriptor, 0, os.fstat(descriptor).st_size)
    except FileNotFoundError:
        return None
    if not text.endswith(b"\n"):
        return None
    if not text.strip().isdigit():
        raise DataCorruptionError(str(folder.path / _NAME), "it does not hold a number")
    return int(text)
