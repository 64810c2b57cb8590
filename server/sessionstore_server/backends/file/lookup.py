"""Finding keys in a root, `ROOT/<namespace>/<collection>/<id>`, and reading what is under them.

Readers hold no lock. What a reader finds damaged may have been changed under its hands, so only what is found damaged
twice, in the same way, is.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import TypeVar

from sessionstore.errors import DataCorruptionError, SessionStoreError
from sessionstore_server.backends import queries
from sessionstore_server.backends.base import Key, Listed, ListPosition, Query, Summary
from sessionstore_server.backends.file import commits
from sessionstore_server.backends.file.cache import StateCache
from sessionstore_server.backends.file.codec import RecordCodec
from sessionstore_server.backends.file.folder import Folder
from sessionstore_server.backends.file.kept_folders import KeptFolders
from sessionstore_server.backends.file.names import folder_name, is_hashed, text_of
from sessionstore_server.backends.file.reading import Reader
from sessionstore_server.backends.file.state import Position, State

T = TypeVar("T")

_logger = logging.getLogger(__name__)

_Found = tuple[ListPosition, Listed]


class Lookup:
    """The operations that change nothing; each blocks, and may run in any thread."""

    def __init__(self, root: Path, codec: RecordCodec) -> None:
        self._root = root
        self._codec = codec
        self._folders = KeptFolders()
        self.cache = StateCache()

    def read(self, key: Key, use: Callable[[Reader], T]) -> T | None:
        """Return what `use` finds at one moment under a key, or None when the key is absent."""
        return self._read(key, lambda reader: use(reader) if reader.state.exists else None)

    def revision_of(self, key: Key) -> int | None:
        """Return the revision of a key, deleted or not; None when nothing is known of it."""
        return self._read(key, lambda reader: reader.state.revision)

    def page(
        self, namespace: str, collection: str, query: Query, after: ListPosition | None, limit: int
    ) -> Sequence[Listed]:
        """See `Backend.list`."""
        ids = sorted(self._ids(namespace, collection), reverse=query.descending)
        if query.order_by:
            return queries.page(query, self._matching(namespace, collection, ids, query), after, limit)
        if after:
            ids = [id_ for id_ in ids if (id_ < after.id if query.descending else id_ > after.id)]
        found = self._matching(namespace, collection, ids, query)
        return [listed for _, listed in islice(found, limit)]

    def count(self, namespace: str, collection: str, query: Query) -> int:
        """See `Backend.count`."""
        return sum(1 for _ in self._matching(namespace, collection, self._ids(namespace, collection), query))

    def state(self, folder: Folder, key: Key) -> State:
        """Return the present state of a key whose folder is open. Errors: DataCorruptionError."""
        known = self.cache.get(key)
        state = commits.read(folder, key, known)
        if state is not known:
            self.cache.put(state)
        return state

    @contextmanager
    def folder(self, key: Key, *, lock: bool = False, shared: bool = False) -> Iterator[Folder | None]:
        """Open the folder of a key, if there is one; with `lock`, alone among all who change the key.

        With `shared` together with others who look at it, while nobody changes it.
        """
        kept = self._kept_folder(key, lock=lock, shared=shared)
        folder = kept or self._opened(key, lock=lock, shared=shared)
        if folder is None:
            yield None
            return
        with ExitStack() as stack:
            stack.enter_context(folder)
            yield folder
            if kept or lock:
                stack.pop_all()
                folder.unlock()
                self._folders.give(key, folder)

    @contextmanager
    def collection(self, namespace: str, collection: str) -> Iterator[Folder]:
        """Open the folder of a collection. Errors: FileNotFoundError."""
        with (
            Folder.open_root(self._root) as root,
            root.folder(folder_name(namespace)) as outer,
            outer.folder(folder_name(collection)) as inner,
        ):
            yield inner

    def reader(self, folder: Folder, state: State) -> Reader:
        """Return what reads the records of a state."""
        return Reader(self._codec, folder, state)

    def close(self) -> None:
        """Close what is held open."""
        self._folders.close()

    def _kept_folder(self, key: Key, *, lock: bool, shared: bool) -> Folder | None:
        folder = self._folders.take(key)
        if folder is None:
            return None
        with ExitStack() as stack:
            stack.enter_context(folder)
            if lock or shared:
                folder.lock(shared=shared)
            if not folder.is_in_place():
                return None
            stack.pop_all()
        return folder

    def _opened(self, key: Key, *, lock: bool, shared: bool) -> Folder | None:
        name = folder_name(key.id)
        try:
            with self.collection(key.namespace, key.collection) as collection:
                return _locked(collection, name, shared) if lock or shared else collection.folder(name)
        except FileNotFoundError:
            return None

    def _read(self, key: Key, use: Callable[[Reader], T]) -> T | None:
        before: tuple[DataCorruptionError, Position] | None = None
        while True:
            position = Position()
            try:
                with self.folder(key) as folder:
                    if folder is None:
                        return None
                    state = self.state(folder, key)
                    position = state.position
                    return use(self.reader(folder, state))
            except DataCorruptionError as error:
                if before == (error, position):
                    raise
                before = (error, position)

    def _matching(self, namespace: str, collection: str, ids: Sequence[str], query: Query) -> Iterator[_Found]:
        for id_ in ids:
            if found := self._found(Key(namespace, collection, id_), query):
                yield found

    def _found(self, key: Key, query: Query) -> _Found | None:
        try:
            return self.read(key, lambda reader: _listed(reader, query))
        except SessionStoreError as error:
            if not queries.matches_damaged(query) or not query.summarized:
                return None
            return ListPosition(None, key.id), Listed(key.id, 0, b"", damage=str(error))

    def _ids(self, namespace: str, collection: str) -> list[str]:
        try:
            with self.collection(namespace, collection) as folder:
                ids = [_id_of(folder, name) for name in folder.names()]
        except FileNotFoundError:
            return []
        return [id_ for id_ in ids if id_ is not None]


def _listed(reader: Reader, query: Query) -> _Found | None:
    state = reader.state
    summary = Summary(attributes=state.summary.attributes) if state.summary else None
    if not queries.matches(query, summary):
        return None
    position = queries.position_of(query, state.key.id, summary)
    return position, Listed(position.id, state.revision, reader.summary(), value=position.value)


def _locked(collection: Folder, name: str, shared: bool) -> Folder:
    while True:
        with ExitStack() as stack:
            folder = stack.enter_context(collection.folder(name))
            folder.lock(shared=shared)
            # Whoever held the lock may have swept the key, and another may have made it again.
            if collection.holds(folder):
                stack.pop_all()
                return folder


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
