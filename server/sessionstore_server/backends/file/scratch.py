"""A folder of this process for what is on its way into the store or out of it.

`ROOT/.work/<token>` is made by the first write and locked as long as its process lives, so whoever makes one later
can tell what a killed process left there, and removes it.
"""

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

from sessionstore.errors import StorageError
from sessionstore_server.backends.file import files
from sessionstore_server.backends.file.folder import Area, Folder

_logger = logging.getLogger(__name__)
_WORK = ".work"


class Scratch:
    """The scratch folder of one open backend. Names in it are made by `token`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._area = Area(root, _WORK)
        self._claimed: Folder | None = None
        self._lock = Lock()

    def folder(self) -> Folder:
        """Return the folder, which the first call makes. Errors: StorageError when the root cannot be written."""
        with self._lock:
            if self._claimed is None:
                self._claimed = self._claim()
            return self._claimed

    def close(self) -> None:
        """Remove the folder, if one was made, and give up its lock."""
        if self._claimed is None:
            return
        try:
            with Folder.open_root(self._claimed.path.parent) as work:
                work.remove_tree(self._claimed.path.name)
        except (StorageError, FileNotFoundError) as error:
            _logger.warning("left for the next process: %s", error)
        finally:
            self._claimed.close()

    def probe(self) -> None:
        """Write, sync and remove a file. Errors: StorageError."""
        folder, name = self.folder(), token()
        with self._area.open() as work:
            if not work.holds(folder):
                raise StorageError(str(self._root), "the folder was replaced while it was in use: open the store again")
        try:
            files.create(folder, name, b"probe")
            folder.sync()
        finally:
            with suppress(FileNotFoundError):
                folder.remove(name)

    @contextmanager
    def new_folder(self) -> Iterator[Folder]:
        """Make an empty folder, and remove it at the end unless it was moved away."""
        name = token()
        try:
            with self.folder().make_folder(name, durable=False) as folder:
                yield folder
        finally:
            self.discard(name)

    def discard(self, name: str) -> None:
        """Remove a folder from the scratch folder; a failure only leaves work for the next process."""
        try:
            with suppress(FileNotFoundError):
                self.folder().remove_tree(name)
        except StorageError as error:
            _logger.warning("left for the next process: %s", error)

    def _claim(self) -> Folder:
        try:
            with self._area.make() as work:
                # One process at a time, so that nobody meets a folder between its making and its locking.
                work.lock()
                _remove_abandoned(work)
                folder = work.make_folder(token())
                folder.lock()
                return folder
        except StorageError as error:
            raise StorageError(str(self._root), f"the folder cannot be written ({error})") from error


def token() -> str:
    """Return a name that nobody else uses."""
    return secrets.token_hex(8)


def _remove_abandoned(work: Folder) -> None:
    for name in work.names():
        try:
            with suppress(FileNotFoundError), work.folder(name) as folder:
                if folder.try_lock():
                    work.remove_tree(name)
                    path = str(folder.path)
                    _logger.warning("removed what a killed process left: %s", path, extra={"path": path})
        except StorageError as error:
            _logger.warning("left for the next process: %s", error)
