"""A folder of this process for what is on its way into the store or out of it.

`ROOT/.work/<token>` is locked as long as its process lives, so whoever opens the store later can tell what a killed
process left there, and removes it.
"""

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sessionstore.errors import StorageError
from sessionstore_server.backends.file import files
from sessionstore_server.backends.file.folder import Folder

_logger = logging.getLogger(__name__)
_WORK = ".work"


class Scratch:
    """The scratch folder of one open backend. Names in it are made by `token`."""

    def __init__(self, root: Path) -> None:
        with Folder.open_root(root) as top, top.make_folder(_WORK) as work:
            _remove_abandoned(work)
            self.folder = _claimed(work)

    def close(self) -> None:
        """Remove the folder and give up its lock."""
        path = self.folder.path
        try:
            with Folder.open_root(path.parent) as work:
                work.remove_tree(path.name)
        except (StorageError, FileNotFoundError) as error:
            _logger.warning("left for the next opening: %s", error)
        finally:
            self.folder.close()

    def probe(self, root: Path) -> None:
        """Write, sync and remove a file. Errors: StorageError."""
        with Folder.open_root(root) as top, top.folder(_WORK) as work:
            if not work.holds(self.folder):
                raise StorageError(str(root), "the folder was replaced while it was in use: open the store again")
        name = token()
        try:
            files.create(self.folder, name, b"probe")
            self.folder.sync()
        finally:
            with suppress(FileNotFoundError):
                self.folder.remove(name)

    @contextmanager
    def new_folder(self) -> Iterator[Folder]:
        """Make an empty folder, and remove it at the end unless it was moved away."""
        name = token()
        try:
            with self.folder.make_folder(name, durable=False) as folder:
                yield folder
        finally:
            self.discard(name)

    def discard(self, name: str) -> None:
        """Remove a folder from the scratch folder; a failure only leaves work for the next opening."""
        try:
            with suppress(FileNotFoundError):
                self.folder.remove_tree(name)
        except StorageError as error:
            _logger.warning("left for the next opening: %s", error)


def token() -> str:
    """Return a name that nobody else uses."""
    return secrets.token_hex(8)


def _claimed(work: Folder) -> Folder:
    while True:
        folder = work.make_folder(token())
        folder.lock()
        # Another process that opens the store may have met the folder before it was locked.
        if work.holds(folder):
            return folder
        folder.close()


def _remove_abandoned(work: Folder) -> None:
    for name in work.names():
        with suppress(FileNotFoundError), work.folder(name) as folder:
            if folder.try_lock():
                work.remove_tree(name)
                _logger.warning("removed what a killed process left: %s", folder.path, extra={"path": str(folder.path)})
