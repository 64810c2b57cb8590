"""Notes of the keys that were deleted, so that what is left of them, their tombstones, is found without a search.

`ROOT/.deleted/<sha256>` holds a key as JSON. A note is written before its key is deleted, and one stays when its key
is made again, so only the folder of the key tells whether it is deleted. A note that a sweep removes while its key is
deleted once more is not missed: the tombstone then stays until the next deletion of the key.
"""

import hashlib
import json
import logging
import os
from contextlib import suppress
from pathlib import Path

from sessionstore.errors import StorageError
from sessionstore_server.backends.base import Key
from sessionstore_server.backends.file import files
from sessionstore_server.backends.file.folder import Area, Folder
from sessionstore_server.backends.file.scratch import Scratch, token

KEPT_SECONDS = 7 * 24 * 3600
"""The age at which opening the store sweeps what is left of a deleted key."""

_DELETED = ".deleted"

_logger = logging.getLogger(__name__)


class Tombstones:
    """The notes of one root."""

    def __init__(self, root: Path, scratch: Scratch) -> None:
        self._area = Area(root, _DELETED)
        self._scratch = scratch

    def add(self, key: Key) -> None:
        """Note, durably, that `key` is about to be deleted; noted before, it counts from now."""
        text, name = _text(key), token()
        scratch = self._scratch.folder()
        files.create(scratch, name, text)
        with self._area.make() as notes:
            scratch.rename(name, notes, _name(text))
            notes.sync()

    def keys(self, latest: float) -> list[Key]:
        """Return the keys that were noted at or before the Unix time `latest`; unreadable notes are reported."""
        try:
            with self._area.open() as notes:
                noted = [_noted(notes, name, latest) for name in notes.names()]
        except FileNotFoundError:
            return []
        return [key for key in noted if key is not None]

    def remove(self, key: Key) -> None:
        """Remove the note of `key`, if there is one."""
        with suppress(FileNotFoundError), self._area.open() as notes:
            notes.remove(_name(_text(key)))


def _noted(notes: Folder, name: str, latest: float) -> Key | None:
    # Another process may sweep at the same time.
    with suppress(FileNotFoundError):
        try:
            with notes.file(name, os.O_RDONLY) as descriptor:
                status = os.fstat(descriptor)
                if status.st_mtime <= latest:
                    return _key(files.read_at(descriptor, 0, status.st_size))
        except (StorageError, ValueError) as error:
            _logger.warning("passed over the note of a deleted key: %s: %s", notes.path / name, error)
    return None


def _key(text: bytes) -> Key:
    match json.loads(text):
        case [str(namespace), str(collection), str(id_)]:
            return Key(namespace, collection, id_)
    raise ValueError("not a key")


def _text(key: Key) -> bytes:
    return json.dumps([key.namespace, key.collection, key.id]).encode()


def _name(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
