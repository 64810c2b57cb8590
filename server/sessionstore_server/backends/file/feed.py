"""Watching: what all processes told of their commits, merged in the order of time.

Any two commits of one key follow each other, so their times tell their order: the monotonic clock is one for the whole
machine, and each commit is told while the lock of its key is held. A line counts once the key has reached its
revision. One that is not there yet is waited for: nothing behind it is told, in any row, until it has ended.

A position is the incarnation, the boot of the machine, and a place in each row. A machine that stops may lose the ends
of rows, so positions of another boot have expired.
"""

import heapq
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from pathlib import Path

from sessionstore.errors import DataCorruptionError, InvalidArgumentError, PositionExpiredError, UnsupportedVersionError
from sessionstore_server.backends.base import Feed, FeedEntry, Key
from sessionstore_server.backends.file import feed_lines
from sessionstore_server.backends.file.feed_lines import FEED, FeedLine
from sessionstore_server.backends.file.feed_writer import boot
from sessionstore_server.backends.file.folder import Folder

SETTLE_SECONDS = 10.0
"""How long a commit that is under way is waited for; the position then stands before it."""

_PAUSE_SECONDS = 0.002

_POSITION = re.compile(r"[0-9]+[.][0-9a-f-]{36}(/[0-9a-f]{16}:[0-9]{1,18})*")


class Feeds:
    """Reads the rows. `revision_of` tells the revision of a key, deleted or not; None when nothing is known of it."""

    def __init__(self, root: Path, incarnation: int, revision_of: Callable[[Key], int | None]) -> None:
        self._root = root
        self._incarnation = incarnation
        self._revision_of = revision_of

    def position(self) -> str:
        """Return the position behind every commit that has returned."""
        latest = time.monotonic() + SETTLE_SECONDS
        with self._rows() as rows:
            return self._text({name: _settled_end(row, latest) for name, row in rows.items()})

    def after(self, namespace: str, collection: str, position: str, limit: int) -> Feed:
        """See `Backend.feed`."""
        places = self._places(position)
        try:
            with self._rows() as rows:
                _check_kept(position, places, rows)
                entries = list(islice(self._told(namespace, collection, rows, places), limit))
        except FileNotFoundError:
            # The oldest file of a row was dropped meanwhile.
            raise PositionExpiredError(position) from None
        return Feed(entries, self._text(places))

    def _told(
        self, namespace: str, collection: str, rows: Mapping[str, Folder], places: dict[str, int]
    ) -> Iterator[FeedEntry]:
        """Yield the commits behind `places`, which go along."""
        now = time.monotonic_ns()
        for line in _merged(rows, places):
            # What was told since may follow something that was told since in a row that was read before.
            if line.at > now:
                return
            is_wanted = (line.key.namespace, line.key.collection) == (namespace, collection)
            happened = is_wanted and self._happened(rows[line.row], line)
            if happened is None:
                return
            places[line.row] = line.end
            if happened:
                yield line.entry

    @contextmanager
    def _rows(self) -> Iterator[dict[str, Folder]]:
        with ExitStack() as stack:
            opened: dict[str, Folder] = {}
            with suppress(FileNotFoundError):
                root = stack.enter_context(Folder.open_root(self._root))
                rows = stack.enter_context(stack.enter_context(root.folder(FEED)).folder(boot()))
                opened = {name: stack.enter_context(rows.folder(name)) for name in rows.names()}
            yield opened

    def _happened(self, row: Folder, line: FeedLine) -> bool | None:
        """Tell whether what a line tells of took effect; None when it may still be under way."""
        if self._is_reached(line):
            return True
        # Nobody writes a row of which the lock is free.
        if feed_lines.settled(row) <= line.start and not row.try_lock(shared=True):
            return None
        return self._is_reached(line) or self._is_swept(line)

    def _is_reached(self, line: FeedLine) -> bool:
        try:
            return (self._revision_of(line.key) or 0) >= line.entry.revision
        except (DataCorruptionError, UnsupportedVersionError):
            return True

    def _is_swept(self, line: FeedLine) -> bool:
        return line.entry.deleted and self._revision_of(line.key) is None

    def _places(self, position: str) -> dict[str, int]:
        if not _POSITION.fullmatch(position):
            raise InvalidArgumentError("position", "is not one of this backend: ask for the present position")
        since, *rows = position.split("/")
        if since != self._since():
            raise PositionExpiredError(position)
        places = (row.split(":") for row in rows)
        return {name: int(place) for name, place in places}

    def _text(self, places: Mapping[str, int]) -> str:
        return "/".join([self._since(), *(f"{name}:{place}" for name, place in sorted(places.items()))])

    def _since(self) -> str:
        return f"{self._incarnation}.{boot()}"


def _settled_end(row: Folder, latest: float) -> int:
    """Return the end of a row, once the commits before it have ended."""
    end = feed_lines.end(row)
    while (settled := feed_lines.settled(row)) < end and not row.try_lock(shared=True):
        if time.monotonic() > latest:
            return settled
        time.sleep(_PAUSE_SECONDS)
    return end


def _merged(rows: Mapping[str, Folder], places: Mapping[str, int]) -> Iterator[FeedLine]:
    lines = (feed_lines.lines_from(row, places.get(name, 0)) for name, row in rows.items())
    return heapq.merge(*lines, key=lambda line: line.at)


def _check_kept(position: str, places: Mapping[str, int], rows: Mapping[str, Folder]) -> None:
    gone = places.keys() - rows.keys()
    if gone or not all(feed_lines.holds(row, places.get(name, 0)) for name, row in rows.items()):
        raise PositionExpiredError(position)
