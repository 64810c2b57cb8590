"""The folders of the keys that were used last, held open: to open one takes a call for each folder above it."""

from collections import OrderedDict
from threading import Lock

from sessionstore_server.backends.base import Key
from sessionstore_server.backends.file.folder import Folder

MAX_FOLDERS = 128
"""How many are held open; what was not used for longest goes first."""


class KeptFolders:
    """Lends each folder to one user at a time. Threads may share it."""

    def __init__(self) -> None:
        self._folders: OrderedDict[Key, Folder] = OrderedDict()
        self._lock = Lock()

    def take(self, key: Key) -> Folder | None:
        """Return the folder of a key, if it is here: it may have been moved or removed meanwhile."""
        with self._lock:
            return self._folders.pop(key, None)

    def give(self, key: Key, folder: Folder) -> None:
        """Keep a folder that is not locked, in place of another one of the key."""
        with self._lock:
            before = self._folders.pop(key, None)
            self._folders[key] = folder
            if len(self._folders) > MAX_FOLDERS:
                _, before = self._folders.popitem(last=False)
        if before:
            before.close()

    def close(self) -> None:
        """Close all folders."""
        with self._lock:
            while self._folders:
                self._folders.popitem()[1].close()
