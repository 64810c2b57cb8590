"""Changing the keys of a root: `ROOT/<namespace>/<collection>/<id>`, a folder each.

The folder of a key appears whole, by a rename out of the scratch folder. When the key is deleted it stays, emptied,
until it is swept: then it goes whole, by a rename back into the scratch folder. Whoever changes a key holds the lock
of its folder, and shares that of another key when the change depends on it, until the commit is durable. Nobody waits
in a circle: a key that guards others has no guard itself, and what a fork starts from exists while the fork does not.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

from sessionstore.errors import (
    DataCorruptionError,
    RevisionConflictError,
    RevisionNotKeptError,
    SessionStoreError,
    StorageError,
)
from sessionstore_server.backends import checks, ledger
from sessionstore_server.backends.base import Change, Commit, FeedEntry, Guard, GuardError, Key, Origin, Request
from sessionstore_server.backends.file import commits
from sessionstore_server.backends.file.feed_writer import FeedWriter
from sessionstore_server.backends.file.folder import Folder, in_doubt
from sessionstore_server.backends.file.lookup import Lookup
from sessionstore_server.backends.file.names import folder_name
from sessionstore_server.backends.file.scratch import Scratch, token
from sessionstore_server.backends.file.state import State
from sessionstore_server.backends.file.tombstones import Tombstones
from sessionstore_server.backends.file.writing import Source, Writer, remove_leftovers

T = TypeVar("T")

_logger = logging.getLogger(__name__)


class _Held(NamedTuple):
    """What the one who changes a key holds, until the change is durable."""

    folder: Folder
    state: State
    others: ExitStack
    """The folders of other keys, which must not change meanwhile."""


class Keys:
    """The operations that change keys; each blocks, and may run in any thread."""

    def __init__(self, root: Path, lookup: Lookup, writer: Writer, scratch: Scratch, feed: FeedWriter) -> None:
        self._root = root
        self._lookup = lookup
        self._scratch = scratch
        self._feed = feed
        self._writer = writer
        self._tombstones = Tombstones(root, scratch)
        self._doubted: set[Key] = set()
        """Where a write or a sync failed, so that what is there may not last."""

    def commit(self, key: Key, change: Change, expected: int | None) -> Commit:
        """See `Backend.commit`."""
        with self._doubting(key):
            return self._alone(key, lambda held: self._commit(held, change, expected))

    def delete(self, key: Key, expected: int | None, request: Request | None, guard: Guard | None) -> bool:
        """See `Backend.delete`."""
        with self._doubting(key):
            return self._alone(
                key,
                lambda held: self._delete(held, expected, request, guard),
                even_damaged=expected is None,
            )

    def sweep_deleted(self, min_age_seconds: float) -> int:
        """See `Backend.sweep_deleted`; keys that cannot be read or removed are left and reported."""
        latest = time.time() - min_age_seconds
        return sum(self._sweep(key, latest) for key in self._tombstones.keys(latest))

    @contextmanager
    def _doubting(self, key: Key) -> Iterator[None]:
        try:
            yield
        except StorageError:
            self._doubted.add(key)
            raise

    def _alone(self, key: Key, step: Callable[[_Held], tuple[State, T]], *, even_damaged: bool = False) -> T:
        """Return the result of a step that changes a key, alone among all who change it.

        The step gets the folder of the key and its present state, and returns the state after it and its result. When
        there is no folder it gets a new one, which comes in sight, whole, after the step.
        """
        self._scratch.folder()
        while True:
            with ExitStack() as others, self._lookup.folder(key, lock=True) as folder:
                if folder is not None:
                    present = self._present(folder, key, even_damaged=even_damaged)
                    state, result = step(_Held(folder, present, others))
                    self._lookup.remember(state)
                    return result
            with ExitStack() as others, self._scratch.new_folder() as folder:
                state, result = step(_Held(folder, State(key), others))
                if not state.revision:
                    return result
                # Another process may have made the key meanwhile.
                if self._place(folder, state):
                    self._lookup.remember(state)
                    return result

    def _commit(self, held: _Held, change: Change, expected: int | None) -> tuple[State, Commit]:
        state = held.state
        if past := ledger.past_commit(state.answers, change.request):
            self._settle(held.folder, state.key)
            return state, past
        checks.check_revision(state.key, expected, state.present_revision)
        self._check_guard(held, change.guard)
        source = self._source(held, change.origin) if change.origin else None
        after = self._writer.write(held.folder, state, change, source)
        return after, Commit(after.revision, after.commit_time)

    def _delete(
        self, held: _Held, expected: int | None, request: Request | None, guard: Guard | None
    ) -> tuple[State, bool]:
        state = held.state
        past = ledger.past_deletion(state.answers, request)
        if past is not None:
            self._settle(held.folder, state.key)
            return state, past
        checks.check_revision(state.key, expected, state.present_revision)
        self._check_guard(held, guard)
        if not state.exists and request is None:
            return state, False
        self._tombstones.add(state.key)
        return self._writer.delete(held.folder, state, request), state.exists

    def _check_guard(self, held: _Held, guard: Guard | None) -> None:
        """Keep what the guard asks for as it is, if it holds. Errors: GuardError."""
        if guard is None:
            return
        is_own = guard.key == held.state.key
        found = (held.folder, held.state) if is_own else self._keep_still(held, guard.key)
        if found is None or guard.document not in found[1].documents:
            raise GuardError
        if self._lookup.reader(*found).document(guard.document) != guard.record:
            raise GuardError

    def _source(self, held: _Held, origin: Origin) -> Source:
        """Return what a fork starts from, kept as it is and durable."""
        if held.state.exists:
            raise RevisionConflictError(held.state.key.id, 0, held.state.revision)
        # Who waits for a key that is absent as well might be waited for.
        exists = self._lookup.read(origin.key, lambda reader: reader.state.exists)
        found = self._keep_still(held, origin.key) if exists else None
        if found is None:
            raise RevisionNotKeptError(origin.key.id, origin.revision)
        folder, present = found
        state = commits.past(folder, present, origin.revision)
        # A revision that a power cut takes back would take the ends of the shared files with it.
        commits.settle(folder)
        return Source(folder, state)

    def _keep_still(self, held: _Held, key: Key) -> tuple[Folder, State] | None:
        """Keep another key from being changed; None when it was never made."""
        folder = held.others.enter_context(self._lookup.folder(key, shared=True))
        return None if folder is None else (folder, self._lookup.state(folder, key))

    def _present(self, folder: Folder, key: Key, *, even_damaged: bool) -> State:
        try:
            state = self._lookup.state(folder, key)
        except DataCorruptionError:
            if not even_damaged or _is_of_another(folder, key):
                raise
            _logger.warning("deleting a damaged key: %s", folder.path, extra={"path": str(folder.path)})
            return State(key, exists=True)
        if key in self._doubted:
            state = self._renewed(folder, state)
        remove_leftovers(folder, state)
        return state

    def _renewed(self, folder: Folder, state: State) -> State:
        """Write anew what a failure has left in doubt."""
        renewed = commits.renew(folder, state)
        self._sync_collection(state.key)
        self._doubted.discard(state.key)
        return renewed

    def _place(self, folder: Folder, state: State) -> bool:
        """Move a finished folder to where its key belongs, or return False when there is one already."""
        key, name = state.key, folder_name(state.key.id)
        told = FeedEntry(key.id, state.revision, state.commit_time, deleted=not state.exists)
        with (
            Folder.open_root(self._root) as root,
            root.make_folder(folder_name(key.namespace)) as namespace,
            namespace.make_folder(folder_name(key.collection)) as collection,
        ):
            with collection.locked():
                if collection.has(name):
                    return False
                with self._feed.telling(key, told):
                    self._scratch.folder().rename(folder.path.name, collection, name)
            with in_doubt():
                collection.sync()
        return True

    def _settle(self, folder: Folder, key: Key) -> None:
        """Make the commit of a request durable, since whoever wrote it may have been killed before it was."""
        commits.settle(folder)
        self._sync_collection(key)

    def _sync_collection(self, key: Key) -> None:
        with self._lookup.collection(key.namespace, key.collection) as collection:
            collection.sync()

    def _sweep(self, key: Key, latest: float) -> bool:
        """Remove what is left of a key, if it was deleted so long ago; tell whether that was so."""
        try:
            with self._lookup.folder(key, lock=True) as folder:
                state = self._lookup.state(folder, key) if folder else State(key)
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
        with self._lookup.collection(key.namespace, key.collection) as collection:
            collection.rename(folder_name(key.id), self._scratch.folder(), trash)
            collection.sync()
        self._lookup.cache.forget(key)
        self._scratch.discard(trash)


def _is_of_another(folder: Folder, key: Key) -> bool:
    try:
        return commits.owner(folder) != key
    except DataCorruptionError:
        return False
