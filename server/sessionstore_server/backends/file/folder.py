"""Folders held open, so that nothing in them is ever reached through a symbolic link.

All files of the backend are opened here, relative to the descriptor of their folder and without following links.
Every failure becomes a StorageError that names the path, except those that tell of names (missing, taken), to which
the callers give a meaning.
"""

import errno
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from sessionstore.errors import StorageError

LOCK_SECONDS = 10.0
"""How long a lock that somebody else holds is waited for."""

_PAUSE_SECONDS = 0.002

_STAMP_GRAIN_NS = 2_000_000_000
"""Two changes that are less apart may leave the same time: file systems round it, to 2 seconds at most."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY


class Stamp(NamedTuple):
    """What a file system tells of a file: as long as it is the same, so is the content."""

    inode: int
    size: int
    changed_at: int
    """In nanoseconds. The system sets it with every change, and nobody else can."""


class Folder:
    """An open folder; leaving its `with` block closes it and gives up its lock."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor
        self.tidied_at: tuple[int, ...] | None = None
        """The `changed_at` of the folder when it was last seen to hold nothing that does not belong there."""

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
        with storage_errors(self.path, name), suppress(FileExistsError):
            os.mkdir(name, dir_fd=self.descriptor)
        # Also when it was there: whoever made it may not have come to the sync yet.
        if durable:
            self.sync()
        return self.folder(name)

    def open_file(self, name: str, flags: int) -> int:
        """Open a file inside this folder; the caller closes the descriptor."""
        with storage_errors(self.path, name):
            return os.open(name, flags | os.O_NOFOLLOW, 0o666, dir_fd=self.descriptor)

    @contextmanager
    def file(self, name: str, flags: int) -> Iterator[int]:
        """Open a file inside this folder and give its descriptor."""
        descriptor = self.open_file(name, flags)
        with storage_errors(self.path, name):
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
        with storage_errors(self.path, name):
            return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)

    def stamp(self, name: str) -> Stamp | None:
        """Return the stamp of a file, or None while another change might leave the same, or when there is no file."""
        now = time.time_ns()
        try:
            return stamp_of(self.stat(name), now)
        except FileNotFoundError:
            return None

    def has(self, name: str) -> bool:
        """Tell whether anything has this name."""
        try:
            self.stat(name)
        except FileNotFoundError:
            return False
        return True

    def holds(self, folder: "Folder") -> bool:
        """Tell whether the open `folder` still is the one that has its name here."""
        try:
            return os.path.samestat(self.stat(folder.path.name), os.fstat(folder.descriptor))
        except FileNotFoundError:
            return False

    def is_in_place(self) -> bool:
        """Tell whether the folder still has its path, which no link leads to; False where the system does not say."""
        try:
            return os.readlink(f"/proc/self/fd/{self.descriptor}") == str(self.path)  # noqa: PTH115
        except OSError:
            return False

    def changed_at(self, name: str) -> tuple[int, ...]:
        """Return when names were last added or removed here, and in the folder `name` inside this one."""
        times = [os.fstat(self.descriptor).st_mtime_ns]
        with suppress(FileNotFoundError):
            times.append(self.stat(name).st_mtime_ns)
        return tuple(times)

    def rename(self, name: str, target: "Folder", new_name: str) -> None:
        """Move a file or folder; only a file or an empty folder is replaced."""
        with storage_errors(target.path, new_name):
            os.rename(name, new_name, src_dir_fd=self.descriptor, dst_dir_fd=target.descriptor)

    def link(self, name: str, target: "Folder", new_name: str) -> None:
        """Give a file of this folder a second name. Errors: FileExistsError, FileNotFoundError."""
        path = target.path / new_name
        try:
            with storage_errors(path):
                os.link(name, new_name, src_dir_fd=self.descriptor, dst_dir_fd=target.descriptor, follow_symlinks=False)
        except StorageError as error:
            problem = f"no hard link could be made, which blobs and forks need ({error.problem})"
            raise StorageError(str(path), problem) from error

    def remove(self, name: str) -> None:
        """Remove a file."""
        with storage_errors(self.path, name):
            os.unlink(name, dir_fd=self.descriptor)

    def remove_tree(self, name: str) -> None:
        """Remove a folder and all that is in it."""
        with storage_errors(self.path, name):
            shutil.rmtree(name, dir_fd=self.descriptor)

    def sync(self) -> None:
        """Make names that were added, moved or removed durable."""
        with storage_errors(self.path):
            os.fsync(self.descriptor)

    def lock(self, *, shared: bool = False) -> None:
        """Take the lock of this folder, which threads and processes respect; closing gives it up.

        Errors: StorageError when somebody else holds it for longer than `LOCK_SECONDS`.
        """
        latest = time.monotonic() + LOCK_SECONDS
        while not self.try_lock(shared=shared):
            if time.monotonic() > latest:
                problem = f"another process holds the lock of this folder for more than {LOCK_SECONDS:g} seconds"
                raise StorageError(str(self.path), f"{problem}: see whether it hangs, then try again")
            time.sleep(_PAUSE_SECONDS)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of this folder for as long as the block takes."""
        self.lock()
        try:
            yield
        finally:
            self.unlock()

    def unlock(self) -> None:
        """Give up the lock."""
        fcntl.flock(self.descriptor, fcntl.LOCK_UN)

    def try_lock(self, *, shared: bool = False) -> bool:
        """Take the lock of this folder unless somebody else holds it."""
        with storage_errors(self.path):
            try:
                fcntl.flock(self.descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True


class Area:
    """A folder right below the root that the backend keeps for itself; the first write of a process makes it."""

    def __init__(self, root: Path, name: str) -> None:
        self._root = root
        self._name = name
        self._is_made = False

    def open(self) -> Folder:
        """Open the folder. Errors: FileNotFoundError when nothing was written yet."""
        with Folder.open_root(self._root) as root:
            return root.folder(self._name)

    def make(self) -> Folder:
        """Open the folder, created durably if it is missing."""
        with Folder.open_root(self._root) as root:
            folder = root.make_folder(self._name, durable=not self._is_made)
        self._is_made = True
        return folder


class storage_errors:  # noqa: N801 - reads as what it does
    """Turn a failure of the medium at `path / name` into a StorageError; what tells only of names passes as it is."""

    def __init__(self, path: Path, name: str = "") -> None:
        self._path = path
        self._name = name

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, OSError) and error.errno not in (errno.ENOENT, errno.EEXIST, errno.ENOTEMPTY):
            raise StorageError(str(self._path / self._name), _problem(error)) from error


def stamp_of(status: os.stat_result, now: int) -> Stamp | None:
    """Return the stamp of a file that was described after `now`, or None while another change might leave the same."""
    if now - status.st_ctime_ns < _STAMP_GRAIN_NS:
        return None
    return Stamp(status.st_ino, status.st_size, status.st_ctime_ns)


@contextmanager
def in_doubt() -> Iterator[None]:
    """Let a StorageError say that the change may have been made, and may not last."""
    try:
        yield
    except StorageError as error:
        problem = f"{error.problem}; it is in doubt whether the change was made: repeat the request"
        raise StorageError(error.location, problem) from error


def _problem(error: OSError) -> str:
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return "it is a symbolic link or not a folder; links inside the store are not followed"
    return os.strerror(error.errno) if error.errno else str(error)
