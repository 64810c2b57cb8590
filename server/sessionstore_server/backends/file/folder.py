"""Folders held open, so that nothing in them is ever reached through a symbolic link.

All files of the backend are opened here, relative to the descriptor of their folder and without following links.
Every failure becomes a StorageError that names the path, except those that tell of names (missing, taken), to which
the callers give a meaning.
"""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from sessionstore.errors import StorageError

_FOLDER = os.O_RDONLY | os.O_DIRECTORY


class Folder:
    """An open folder; leaving its `with` block closes it and gives up its lock."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor

    @classmethod
    def open_root(cls, path: Path) -> Self:
        """Open the folder of the whole backend; that it is missing is an error too."""
        try:
            with storage_errors(path):
                return cls(path, os.open(path, _FOLDER))
        except FileNotFoundError:
            raise StorageError(str(path), "the folder is missing") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self.descriptor)

    def folder(self, name: str) -> "Folder":
        """Open a folder inside this one."""
        path = self.path / name
        with storage_errors(path):
            return Folder(path, os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=self.descriptor))

    def make_folder(self, name: str, *, durable: bool = True) -> "Folder":
        """Open a folder inside this one, created if it is missing."""
        with storage_errors(self.path / name), suppress(FileExistsError):
            os.mkdir(name, dir_fd=self.descriptor)
        # Also when it was there: whoever made it may not have come to the sync yet.
        if durable:
            self.sync()
        return self.folder(name)

    @contextmanager
    def file(self, name: str, flags: int) -> Iterator[int]:
        """Open a file inside this folder and give its descriptor."""
        with storage_errors(self.path / name):
            descriptor = os.open(name, flags | os.O_NOFOLLOW, 0o666, dir_fd=self.descriptor)
            try:
                yield descriptor
            finally:
                os.close(descriptor)

    def names(self) -> list[str]:
        """Return what is in the folder, in no order."""
        with storage_errors(self.path):
            return os.listdir(self.descriptor)  # noqa: PTH208 (a path may lead elsewhere by now)

    def stat(self, name: str) -> os.stat_result:
        """Describe what has this name, be it a link."""
        with storage_errors(self.path / name):
            return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)

    def holds(self, folder: "Folder") -> bool:
        """Tell whether the open `folder` still is the one that has its name here."""
        try:
            return os.path.samestat(self.stat(folder.path.name), os.fstat(folder.descriptor))
        except FileNotFoundError:
            return False

    def rename(self, name: str, target: "Folder", new_name: str) -> bool:
        """Move a file or folder; return False when a folder that is not empty has the new name."""
        try:
            with storage_errors(target.path / new_name):
                os.rename(name, new_name, src_dir_fd=self.descriptor, dst_dir_fd=target.descriptor)
        except OSError as error:
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
                return False
            raise
        return True

    def link(self, name: str, target: "Folder", new_name: str) -> None:
        """Give a file of this folder a second name. Errors: FileExistsError, FileNotFoundError."""
        path = target.path / new_name
        try:
            with storage_errors(path):
                os.link(name, new_name, src_dir_fd=self.descriptor, dst_dir_fd=target.descriptor, follow_symlinks=False)
        except StorageError as error:
            problem = f"no hard link could be made, which blobs need ({error.problem})"
            raise StorageError(str(path), problem) from error

    def remove(self, name: str) -> None:
        """Remove a file."""
        with storage_errors(self.path / name):
            os.unlink(name, dir_fd=self.descriptor)

    def remove_tree(self, name: str) -> None:
        """Remove a folder and all that is in it."""
        with storage_errors(self.path / name):
            shutil.rmtree(name, dir_fd=self.descriptor)

    def sync(self) -> None:
        """Make names that were added, moved or removed durable."""
        with storage_errors(self.path):
            os.fsync(self.descriptor)

    def lock(self, *, shared: bool = False) -> None:
        """Wait for the lock of this folder, which threads and processes respect; closing gives it up."""
        with storage_errors(self.path):
            fcntl.flock(self.descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)

    def try_lock(self) -> bool:
        """Take the lock of this folder if nobody holds it."""
        with storage_errors(self.path):
            try:
                fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn a failure of the medium at `path` into a StorageError; what tells only of names passes as it is."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EEXIST, errno.ENOTEMPTY):
            raise
        raise StorageError(str(path), _problem(error)) from error


def _problem(error: OSError) -> str:
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return "it is a symbolic link or not a folder; links inside the store are not followed"
    return os.strerror(error.errno) if error.errno else str(error)
