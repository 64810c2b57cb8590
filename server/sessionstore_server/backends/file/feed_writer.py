"""How a process tells of its commits.

A process writes a row of its own and holds its lock; it goes on with one that another process has left, so that there
are never more rows than there were processes at a time. A commit is told of just before it takes effect, so none is
missed when the process is killed in between; whoever reads the row looks whether it did.
"""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from uuid import UUID

from sessionstore.errors import StorageError
from sessionstore_server.backends.base import FEED_KEPT, FeedEntry, Key
from sessionstore_server.backends.file import feed_lines, files
from sessionstore_server.backends.file.feed_lines import FEED
from sessionstore_server.backends.file.folder import Folder, storage_errors
from sessionstore_server.backends.file.scratch import token

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

_logger = logging.getLogger(__name__)


class FeedWriter:
    """The row of one open backend; the first commit claims it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._row: _Row | None = None
        self._lock = Lock()
        self._under_way: set[int] = set()

    @contextmanager
    def telling(self, key: Key, entry: FeedEntry) -> Iterator[None]:
        """Tell of a commit that takes effect in this block, and nowhere else."""
        with self._lock:
            row = self._claimed()
            place = row.end
            row.append(key, entry)
            self._under_way.add(place)
        try:
            yield
        finally:
            with self._lock:
                self._under_way.remove(place)
                row.settle(min(self._under_way, default=row.end))

    def close(self) -> None:
        """Leave the row to others."""
        if self._row:
            self._row.close()

    def _claimed(self) -> "_Row":
        if self._row is None:
            self._row = _Row(_claimed(self._root))
        return self._row


class _Row:
    """The files of a row, for the one who holds its lock."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._settled = folder.open_file(feed_lines.SETTLED, os.O_WRONLY | os.O_CREAT)
        self._start = max(feed_lines.starts(folder), default=0)
        self._file = self._opened(self._start)
        data = files.read_at(self._file, 0, os.fstat(self._file).st_size)
        whole = data.rfind(b"\n") + 1
        os.ftruncate(self._file, whole)
        self._lines = data.count(b"\n")
        self.end = self._start + whole
        self._noted = -1
        # Whoever left the row has ended, and with it whatever was under way.
        self.settle(self.end)

    def append(self, key: Key, entry: FeedEntry) -> None:
        """Add a line; after an error there is none."""
        if self._lines >= FEED_KEPT:
            self._start_file()
        line = feed_lines.line_of(time.monotonic_ns(), key, entry)
        with storage_errors(self._folder.path, feed_lines.file_name(self._start)):
            files.write_at(self._file, line, self.end - self._start)
        self.end += len(line)
        self._lines += 1

    def settle(self, place: int) -> None:
        """Note that every commit told before a place has ended; the next note makes up for one that fails."""
        if place == self._noted:
            return
        try:
            with storage_errors(self._folder.path, feed_lines.SETTLED):
                files.write_at(self._settled, feed_lines.settled_text(place), 0)
            self._noted = place
        except StorageError as error:
            _logger.warning("watchers wait for the next commit: %s", error)

    def close(self) -> None:
        """Give up the lock."""
        os.close(self._settled)
        os.close(self._file)
        self._folder.close()

    def _opened(self, start: int) -> int:
        return self._folder.open_file(feed_lines.file_name(start), os.O_RDWR | os.O_CREAT)

    def _start_file(self) -> None:
        """Go on in a new file; the full one before it stays."""
        for start in feed_lines.starts(self._folder):
            if start < self._start:
                self._folder.remove(feed_lines.file_name(start))
        opened = self._opened(self.end)
        os.close(self._file)
        self._file, self._start, self._lines = opened, self.end, 0


def boot() -> str:
    """Return the id of the time since the machine was started, where the system has one."""
    return _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else str(UUID(int=0))


def _claimed(root: Path) -> Folder:
    with (
        Folder.open_root(root) as whole,
        whole.make_folder(FEED, durable=False) as feed,
        feed.make_folder(boot(), durable=False) as rows,
    ):
        # One process at a time, so that nobody meets a row between its making and its locking.
        feed.lock()
        for name in set(feed.names()) - {boot()}:
            feed.remove_tree(name)
        return _left(rows) or _new(rows)


def _left(rows: Folder) -> Folder | None:
    for name in rows.names():
        row = rows.folder(name)
        if row.try_lock():
            return row
        row.close()
    return None


def _new(rows: Folder) -> Folder:
    row = rows.make_folder(token(), durable=False)
    row.lock()
    return row
