"""Lists of the keys of a collection, made of their summaries.

What was read of a key is remembered, and counts for as long as its commit file has the stamp that it had then. So a
list opens the folders of the keys that have changed since the last one, and of the others it only asks for the stamp.
Nothing of this is stored: it may be forgotten at any time, and a process begins without it.
"""

import logging
from collections.abc import Generator, Sequence
from contextlib import ExitStack, closing
from itertools import islice
from typing import NamedTuple

from sessionstore.errors import SessionStoreError
from sessionstore_server.backends import queries
from sessionstore_server.backends.base import Key, Listed, ListPosition, Query, Summary
from sessionstore_server.backends.cache import Cache
from sessionstore_server.backends.file import commits
from sessionstore_server.backends.file.folder import Folder, Stamp
from sessionstore_server.backends.file.lookup import Lookup
from sessionstore_server.backends.file.names import COMMITS, folder_name, is_hashed, text_of
from sessionstore_server.backends.file.reading import Reader

_OVERHEAD_BYTES = 1_000
"""What is remembered of a key besides the record of its summary."""

_logger = logging.getLogger(__name__)

_Found = tuple[ListPosition, Listed]


class _Known(NamedTuple):
    """What a list has to know of a key."""

    stamp: Stamp | None
    """Of the commit file that tells it; None while that might change without another one."""
    revision: int
    """0 when the key is absent."""
    summary: Summary | None
    """None: lists do not show the key, unless those are asked for that have none."""

    @property
    def record(self) -> bytes:
        """The record of the summary; empty when there is none."""
        return self.summary.record if self.summary else b""


class Lists:
    """The operations that tell of many keys; each blocks, and may run in any thread."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._known = Cache[Key, _Known]()

    def page(
        self, namespace: str, collection: str, query: Query, after: ListPosition | None, limit: int
    ) -> Sequence[Listed]:
        """See `Backend.list`."""
        if query.order_by:
            return queries.page(query, self._matching(namespace, collection, query), after, limit)
        with closing(self._matching(namespace, collection, query, after)) as found:
            return [listed for _, listed in islice(found, limit)]

    def count(self, namespace: str, collection: str, query: Query) -> int:
        """See `Backend.count`."""
        return sum(1 for _ in self._matching(namespace, collection, query))

    def _matching(
        self, namespace: str, collection: str, query: Query, after: ListPosition | None = None
    ) -> Generator[_Found]:
        """Yield the keys that match, in the order of ids that the query asks for, behind the id of `after`."""
        with ExitStack() as stack:
            try:
                folder = stack.enter_context(self._lookup.collection(namespace, collection))
            except FileNotFoundError:
                return
            for id_, name in _ids(folder, query, after):
                if found := self._found(folder, name, Key(namespace, collection, id_), query):
                    yield found

    def _found(self, folder: Folder, name: str, key: Key, query: Query) -> _Found | None:
        try:
            known = self._still_known(folder, name, key) or self._lookup.look(key, self._read, keep=False)
        except SessionStoreError as error:
            if not queries.matches_damaged(query) or not query.summarized:
                return None
            return ListPosition(None, key.id), Listed(key.id, 0, b"", damage=str(error))
        if known is None or not known.revision or not queries.matches(query, known.summary):
            return None
        position = queries.position_of(query, key.id, known.summary)
        return position, Listed(key.id, known.revision, known.record, value=position.value)

    def _still_known(self, folder: Folder, name: str, key: Key) -> _Known | None:
        known = self._known.get(key)
        return known if known and known.stamp == folder.stamp(f"{name}/{COMMITS}") else None

    def _read(self, reader: Reader) -> _Known:
        state = reader.state
        summary = Summary(reader.summary(), state.summary.attributes) if state.summary else None
        known = _Known(state.stamp, state.present_revision, summary)
        if known.stamp:
            self._known.put(state.key, known, _OVERHEAD_BYTES + len(known.record))
        return known


def _ids(folder: Folder, query: Query, after: ListPosition | None) -> list[tuple[str, str]]:
    """Return the ids behind that of `after`, in the order of the query, each with the name of its folder."""
    ids = [(id_, name) for name in folder.names() if (id_ := _id_of(folder, name)) is not None]
    if after:
        ids = [pair for pair in ids if (pair[0] < after.id if query.descending else pair[0] > after.id)]
    return sorted(ids, reverse=query.descending)


def _id_of(collection: Folder, name: str) -> str | None:
    """Return the id of the key whose folder has this name, or None, reported, when it cannot be told."""
    id_ = text_of(name)
    if id_ is not None:
        return id_
    if is_hashed(name):
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
