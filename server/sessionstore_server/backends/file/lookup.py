"""Finding keys in a root, `ROOT/<namespace>/<collection>/<id>`, and reading what is under them.

Readers hold no lock. What a reader finds damaged may have been changed under its hands, so only what is found damaged
twice, in the same way, is.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

from sessionstore.errors import DataCorruptionError
from sessionstore_server.backends.base import Key
from sessionstore_server.backends.cache import Cache
from sessionstore_server.backends.file import commits
from sessionstore_server.backends.file.codec import RecordCodec
from sessionstore_server.backends.file.folder import Folder
from sessionstore_server.backends.file.kept_folders import KeptFolders
from sessionstore_server.backends.file.known_records import KnownRecords
from sessionstore_server.backends.file.names import folder_name
from sessionstore_server.backends.file.reading import Glance, NotAtHandError, Reader
from sessionstore_server.backends.file.state import Position, State

T = TypeVar("T")


class Lookup:
    """Finds and reads one key at a time; each method blocks, and may run in any thread."""

    def __init__(self, root: Path, codec: RecordCodec) -> None:
        self._root = root
        self._codec = codec
        self._folders = KeptFolders()
        self._known_records = KnownRecords()
        self.cache = Cache[Key, State]()

    def read(self, key: Key, use: Callable[[Reader], T]) -> T | None:
        """Return what `use` finds at one moment under a key, or None when the key is absent."""
        return self.look(key, lambda reader: use(reader) if reader.state.exists else None, keep=True)

    def glance(self, key: Key, use: Callable[[Reader], T]) -> T | None:
        """Return what `use` finds under a key at one moment, or None when that takes more than to ask for stamps."""
        state = self.cache.get(key)
        if state is None or not state.exists:
            return None
        folder = self._kept_folder(key, lock=False, shared=False)
        if folder is None:
            return None
        try:
            is_present = commits.is_present(folder, state)
            found = use(Glance(self._codec, self._known_records, folder, state)) if is_present else None
        except (NotAtHandError, DataCorruptionError):
            # Damage is for those who look twice.
            found = None
        except BaseException:
            folder.close()
            raise
        self._folders.give(key, folder)
        return found

    def look(self, key: Key, use: Callable[[Reader], T], *, keep: bool) -> T | None:
        """Return what `use` finds at one moment under a key, deleted or not, or None when nothing is known of it.

        With `keep` the folder of the key stays open for the next call.
        """
        before: tuple[DataCorruptionError, Position] | None = None
        while True:
            position = Position()
            try:
                with self.folder(key, keep=keep) as folder:
                    if folder is None:
                        return None
                    state = self.state(folder, key)
                    position = state.position
                    return use(self.reader(folder, state))
            except DataCorruptionError as error:
                if before == (error, position):
                    raise
                before = (error, position)

    def revision_of(self, key: Key) -> int | None:
        """Return the revision of a key, deleted or not; None when nothing is known of it."""
        return self.look(key, lambda reader: reader.state.revision, keep=True)

    def state(self, folder: Folder, key: Key) -> State:
        """Return the present state of a key whose folder is open. Errors: DataCorruptionError."""
        known = self.cache.get(key)
        state = commits.read(folder, key, known)
        if state is not known:
            self.remember(state)
        return state

    def remember(self, state: State) -> None:
        """Let the next call start from this state of its key."""
        # The records of the documents stay beside their texts.
        self.cache.put(state.key, state, 2 * state.live_bytes())

    @contextmanager
    def folder(
        self, key: Key, *, lock: bool = False, shared: bool = False, keep: bool = False
    ) -> Iterator[Folder | None]:
        """Open the folder of a key, if there is one; with `lock`, alone among all who change the key.

        With `shared` together with others who look at it, while nobody changes it. With `keep`, or once it is locked,
        it stays open for the next call.
        """
        kept = self._kept_folder(key, lock=lock, shared=shared)
        folder = kept or self._opened(key, lock=lock, shared=shared)
        if folder is None:
            yield None
            return
        try:
            yield folder
            if lock or shared:
                folder.unlock()
        except BaseException:
            folder.close()
            raise
        if kept or keep or lock:
            self._folders.give(key, folder)
        else:
            folder.close()

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
        return Reader(self._codec, self._known_records, folder, state)

    def close(self) -> None:
        """Close what is held open."""
        self._folders.close()

    def _kept_folder(self, key: Key, *, lock: bool, shared: bool) -> Folder | None:
        folder = self._folders.take(key)
        if folder is None:
            return None
        try:
            if lock or shared:
                folder.lock(shared=shared)
            if folder.is_in_place():
                return folder
        except BaseException:
            folder.close()
            raise
        folder.close()
        return None

    def _opened(self, key: Key, *, lock: bool, shared: bool) -> Folder | None:
        name = folder_name(key.id)
        try:
            with self.collection(key.namespace, key.collection) as collection:
                return _locked(collection, name, shared) if lock or shared else collection.folder(name)
        except FileNotFoundError:
            return None


def _locked(collection: Folder, name: str, shared: bool) -> Folder:
    while True:
        with ExitStack() as stack:
            folder = stack.enter_context(collection.folder(name))
            folder.lock(shared=shared)
            # Whoever held the lock may have swept the key, and another may have made it again.
            if collection.holds(folder):
                stack.pop_all()
                return folder
