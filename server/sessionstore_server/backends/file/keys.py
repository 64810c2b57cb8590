"""The keys of a root: `ROOT/<namespace>/<collection>/<id>`, a folder each.

The folder of a key appears whole, by a rename out of the scratch folder. When the key is deleted it stays, emptied,
until it is swept: then it goes whole, by a rename back into the scratch folder. Whoever changes a key holds the lock
of its folder; readers hold none. What a reader finds damaged may have been changed under its hands, so only what is
found damaged twice, in the same way, is.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from sessionstore.errors import DataCorruptionError, SessionStoreError
from sessionstore_server.backends import checks, ledger
from sessionstore_server.backends.base import Change, Commit, Key, Listed, LogRange, Request, View
from sessionstore_server.backends.file import commits
from sessionstore_server.backends.file.blobs import Blobs
from sessionstore_server.backends.file.cache import StateCache
from sessionstore_server.backends.file.codec import RecordCodec
from sessionstore_server.backends.file.folder import Folder
from sessionstore_server.backends.file.names import folder_name, is_hashed, text_of
from sessionstore_server.backends.file.reading import Reader
from sessionstore_server.backends.file.scratch import Scratch, token
from sessionstore_server.backends.file.state import Position, State
from sessionstore_server.backends.file.tombstones import Tombstones
from sessionstore_server.backends.file.writing import Writer, remove_leftovers

T = TypeVar("T")

_logger = logging.getLogger(__name__)


class Keys:
    """The operations on keys; each blocks, and may run in any thread."""

    def __init__(self, root: Path, codec: RecordCodec, blobs: Blobs, scratch: Scratch) -> None:
        self._root = root
        self._codec = codec
        self._scratch = scratch
        self._writer = Writer(codec, blobs)
        self._tombstones = Tombstones(root, scratch)
        self._cache = StateCache()

    def commit(self, key: Key, change: Change, expected: int | None) -> Commit:
        """See `Backend.commit`."""
        return self._alone(key, lambda folder, state: self._commit(folder, state, change, expected))

    def read(self, key: Key, documents: Collection[str], ranges: Mapping[str, LogRange]) -> View | None:
        """See `Backend.read`."""
        return self._read(key, lambda reader: reader.view(documents, ranges))

    def delete(self, key: Key, expected: int | None, request: Request | None) -> bool:
        """See `Backend.delete`."""
        return self._alone(
            key,
            lambda folder, state: self._delete(folder, state, expected, request),
            even_damaged=expected is None,
        )

    def sweep_deleted(self, min_age_seconds: float) -> int:
        """See `Backend.sweep_deleted`; keys that cannot be read or removed are left and reported."""
        latest = time.time() - min_age_seconds
        return sum(self._sweep(key, latest) for key in self._tombstones.keys(latest))

    def page(self, namespace: str, collection: str, after: str | None, limit: int, summarized: bool) -> list[Listed]:
        """See `Backend.list`."""
        page: list[Listed] = []
        # Text compares by code point, which is the order of its UTF-8 bytes.
        for id_ in sorted(self._ids(namespace, collection)):
            if len(page) >= limit:
                break
            if after is not None and id_ <= after:
                continue
            if listed := self._listed(Key(namespace, collection, id_), summarized):
                page.append(listed)
        return page

    def _alone(self, key: Key, step: Callable[[Folder, State], tuple[State, T]], *, even_damaged: bool = False) -> T:
        """Return the result of a step that changes a key, alone among all who change it.

        The step gets the folder of the key and its present state, and returns the state after it and its result. When
        there is no folder it gets a new one, which comes in sight, whole, after the step.
        """
        self._scratch.folder()
        while True:
            with self._folder(key, lock=True) as folder:
                if folder is not None:
                    state, result = step(folder, self._present(folder, key, even_damaged=even_damaged))
                    self._cache.put(state)
                    return result
            with self._scratch.new_folder() as folder:
                state, result = step(folder, State(key))
                # Another process may have made the key meanwhile.
                if not state.revision or self._place(folder, key):
                    return result

    def _commit(self, folder: Folder, state: State, change: Change, expected: int | None) -> tuple[State, Commit]:
        if past := ledger.past_commit(state.answers, change.request):
            self._settle(folder, state.key)
            return state, past
        checks.check_revision(state.key, expected, state.present_revision)
        after = self._writer.write(folder, state, change)
        return after, Commit(after.revision, after.commit_time)

    def _delete(
        self, folder: Folder, state: State, expected: int | None, request: Request | None
    ) -> tuple[State, bool]:
        past = ledger.past_deletion(state.answers, request)
        if past is not None:
            self._settle(folder, state.key)
            return state, past
        checks.check_revision(state.key, expected, state.present_revision)
        if not state.exists and request is None:
            return state, False
        self._tombstones.add(state.key)
        return self._writer.delete(folder, state, request), state.exists

    def _present(self, folder: Folder, key: Key, *, even_damaged: bool) -> State:
        try:
            state = commits.read(folder, key, self._cache.get(key))
        except DataCorruptionError:
            if not even_damaged or _is_of_another(folder, key):
                raise
            _logger.warning("deleting a damaged key: %s", folder.path, extra={"path": str(folder.path)})
            return State(key, exists=True)
        remove_leftovers(folder, state)
        return state

    def _place(self, folder: Folder, key: Key) -> bool:
        """Move a finished folder to where its key belongs, or return False when there is one already."""
        with (
            Folder.open_root(self._root) as root,
            root.make_folder(folder_name(key.namespace)) as namespace,
            namespace.make_folder(folder_name(key.collection)) as collection,
        ):
            is_placed = self._scratch.folder().rename(folder.path.name, collection, folder_name(key.id))
            if is_placed:
                collection.sync()
            return is_placed

    def _settle(self, folder: Folder, key: Key) -> None:
        """Make the commit of a request durable, since whoever wrote it may have been killed before it was."""
        commits.settle(folder)
        with self._collection(key.namespace, key.collection) as collection:
            collection.sync()

    def _sweep(self, key: Key, latest: float) -> bool:
        """Remove what is left of a key, if it was deleted so long ago; tell whether that was so."""
        try:
            with self._folder(key, lock=True) as folder:
                state = commits.read(folder, key, self._cache.get(key)) if folder else State(key)
                is_tombstone = folder is not None and not state.exists
                if is_tombstone and state.commit_time.timestamp() > latest:
                    return False
                if is_tombstone:
                    self._remove(key)
                self._tombstones.remove(key)
                return is_tombstone
        except SessionStoreError as error:
            _logger.warning("left what remains of a deleted key: %s", error)
            return False

    def _remove(self, key: Key) -> None:
        """Take the folder of a key away; once it is out of sight a failure only leaves work for the next process."""
        trash = token()
        with self._collection(key.namespace, key.collection) as collection:
            collection.rename(folder_name(key.id), self._scratch.folder(), trash)
            collection.sync()
        self._cache.forget(key)
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
                    return use(Reader(self._codec, folder, state)) if state.exists else None
            except DataCorruptionError as error:
                if before == (error, position):
                    raise
                before = (error, position)

    def _listed(self, key: Key, summarized: bool) -> Listed | None:
        try:
            return self._read(key, lambda reader: reader.listed(summarized))
        except SessionStoreError as error:
            return Listed(key.id, 0, b"", damage=str(error)) if summarized else None

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
        with ExitStack() as stack:
            folder = stack.enter_context(collection.folder(name))
            folder.lock()
            # Whoever held the lock may have swept the key, and another may have made it again.
            if collection.holds(folder):
                stack.pop_all()
                return folder


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
