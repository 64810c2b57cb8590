"""The keys of a root: `ROOT/<namespace>/<collection>/<id>`, a folder each.

The folder of a key appears whole, by a rename out of the scratch folder, and goes whole, by a rename back into it.
Whoever changes a key holds the lock of its folder; readers hold none. What a reader finds damaged may have been
changed under its hands, so only what is found damaged twice, in the same way, is.
"""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from sessionstore.errors import DataCorruptionError, SessionStoreError, StorageError
from sessionstore_server.backends import checks
from sessionstore_server.backends.base import Change, Commit, Key, Listed, LogRange, View
from sessionstore_server.backends.file import commits
from sessionstore_server.backends.file.blobs import Blobs, links_of
from sessionstore_server.backends.file.cache import StateCache
from sessionstore_server.backends.file.codec import RecordCodec
from sessionstore_server.backends.file.folder import Folder
from sessionstore_server.backends.file.names import folder_name, is_hashed, text_of
from sessionstore_server.backends.file.reading import Reader
from sessionstore_server.backends.file.scratch import Scratch, token
from sessionstore_server.backends.file.state import Position, State
from sessionstore_server.backends.file.writing import Writer, remove_leftovers

T = TypeVar("T")

_logger = logging.getLogger(__name__)


class Keys:
    """The operations on keys; each blocks, and may run in any thread."""

    def __init__(self, root: Path, codec: RecordCodec, blobs: Blobs, scratch: Scratch) -> None:
        self._root = root
        self._codec = codec
        self._blobs = blobs
        self._scratch = scratch
        self._writer = Writer(codec, blobs)
        self._cache = StateCache()

    def commit(self, key: Key, change: Change, expected: int | None) -> Commit:
        """See `Backend.commit`."""
        state = None
        while state is None:
            # Another process may create or delete the key between the two.
            state = self._change(key, change, expected) or self._create(key, change, expected)
        self._cache.put(state)
        return Commit(state.revision, state.commit_time)

    def read(self, key: Key, documents: Collection[str], ranges: Mapping[str, LogRange]) -> View | None:
        """See `Backend.read`."""
        return self._read(key, lambda reader: reader.view(documents, ranges))

    def delete(self, key: Key, expected: int | None) -> bool:
        """See `Backend.delete`; a damaged key can be deleted too."""
        with self._folder(key, lock=True) as folder:
            if folder is None:
                checks.check_revision(key, expected, 0)
                return False
            self._check_may_delete(folder, key, expected)
            self._remove(folder, key)
        self._cache.forget(key)
        return True

    def page(self, namespace: str, collection: str, after: str | None, limit: int) -> list[Listed]:
        """See `Backend.list`; keys that cannot be read are left out and reported."""
        page: list[Listed] = []
        # Text compares by code point, which is the order of its UTF-8 bytes.
        for id_ in sorted(self._ids(namespace, collection)):
            if len(page) >= limit:
                break
            if (after is None or id_ > after) and (listed := self._listed(Key(namespace, collection, id_))):
                page.append(listed)
        return page

    def _change(self, key: Key, change: Change, expected: int | None) -> State | None:
        """Commit to a key that there is, else return None."""
        with self._folder(key, lock=True) as folder:
            if folder is None:
                return None
            state = commits.read(folder, key, self._cache.get(key))
            checks.check_revision(key, expected, state.revision)
            remove_leftovers(folder, state)
            return self._writer.write(folder, state, change)

    def _create(self, key: Key, change: Change, expected: int | None) -> State | None:
        """Commit to a new key, or return None when somebody else created it meanwhile."""
        checks.check_revision(key, expected, 0)
        with self._scratch.new_folder() as folder:
            state = self._writer.write(folder, State(key), change)
            with (
                Folder.open_root(self._root) as root,
                root.make_folder(folder_name(key.namespace)) as namespace,
                namespace.make_folder(folder_name(key.collection)) as collection,
            ):
                if not self._scratch.folder.rename(folder.path.name, collection, folder_name(key.id)):
                    return None
                collection.sync()
        return state

    def _check_may_delete(self, folder: Folder, key: Key, expected: int | None) -> None:
        try:
            checks.check_revision(key, expected, commits.read(folder, key, self._cache.get(key)).revision)
        except DataCorruptionError:
            if expected is not None or _is_of_another(folder, key):
                raise
            _logger.warning("deleting a damaged key: %s", folder.path, extra={"path": str(folder.path)})

    def _remove(self, folder: Folder, key: Key) -> None:
        """Take the folder of a key away; once it is out of sight a failure only leaves work for the next opening."""
        trash = token()
        with self._collection(key.namespace, key.collection) as collection:
            collection.rename(folder.path.name, self._scratch.folder, trash)
            collection.sync()
        try:
            self._blobs.unlink(links_of(folder), folder)
        except (StorageError, FileNotFoundError) as error:
            _logger.warning("left for the next sweep: %s", error)
        self._scratch.discard(trash)

    def _read(self, key: Key, use: Callable[[Reader], T]) -> T | None:
        """Return what `use` finds at one revision of a key, or None when the key is absent."""
        before: tuple[DataCorruptionError, Position] | None = None
        while True:
            position = Position()
            try:
                with self._folder(key) as folder:
                    if folder is None:
                        return None
                    known = self._cache.get(key)
                    state = commits.read(folder, key, known)
                    position = state.position
                    if state is not known:
                        self._cache.put(state)
                    return use(Reader(self._codec, folder, state))
            except DataCorruptionError as error:
                if before == (error, position):
                    raise
                before = (error, position)

    def _listed(self, key: Key) -> Listed | None:
        try:
            return self._read(key, Reader.listed)
        except SessionStoreError as error:
            _logger.warning("left a key out of a list: %s", error)
            return None

    def _ids(self, namespace: str, collection: str) -> list[str]:
        try:
            with self._collection(namespace, collection) as folder:
                ids = [_id_of(folder, name) for name in folder.names()]
        except FileNotFoundError:
            return []
        return [id_ for id_ in ids if id_ is not None]

    @contextmanager
    def _folder(self, key: Key, *, lock: bool = False) -> Iterator[Folder | None]:
        """Open the folder of a key, if there is one; with `lock`, alone among all who change the key."""
        with ExitStack() as stack:
            folder = None
            with suppress(FileNotFoundError):
                collection = stack.enter_context(self._collection(key.namespace, key.collection))
                opened = _locked if lock else Folder.folder
                folder = stack.enter_context(opened(collection, folder_name(key.id)))
            yield folder

    @contextmanager
    def _collection(self, namespace: str, collection: str) -> Iterator[Folder]:
        with (
            Folder.open_root(self._root) as root,
            root.folder(folder_name(namespace)) as outer,
            outer.folder(folder_name(collection)) as inner,
        ):
            yield inner


def _locked(collection: Folder, name: str) -> Folder:
    while True:
        folder = collection.folder(name)
        folder.lock()
        # Whoever held the lock may have deleted the key, and another may have created it again.
        if collection.holds(folder):
            return folder
        folder.close()


def _is_of_another(folder: Folder, key: Key) -> bool:
    try:
        return commits.owner(folder) != key
    except DataCorruptionError:
        return False


def _id_of(collection: Folder, name: str) -> str | None:
    """Return the id of the key whose folder has this name, or None, reported, when it cannot be told."""
    id_ = text_of(name)
    if id_ is None and is_hashed(name):
        try:
            with collection.folder(name) as folder:
                id_ = commits.owner(folder).id
        except (SessionStoreError, FileNotFoundError) as error:
            _logger.warning("left a key out of a list: %s", error)
            return None
    if id_ is None or folder_name(id_) != name:
        _logger.warning("not the folder of a key: %s", collection.path / name)
        return None
    return id_
