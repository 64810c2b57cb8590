"""The feed of the memory backend: its last commits in one row, and positions that count them."""

import re

from sessionstore.errors import InvalidArgumentError, PositionExpiredError
from sessionstore_server.backends.base import FEED_KEPT, Feed, FeedEntry, Key

_POSITION = re.compile(r"([0-9]{1,19})-([0-9]{1,19})")


class MemoryFeed:
    """What was committed, the last `FEED_KEPT` at least. A position is the incarnation and the commits before it."""

    def __init__(self, incarnation: int) -> None:
        self._incarnation = incarnation
        self._told: list[tuple[Key, FeedEntry]] = []
        self._dropped = 0

    def tell(self, key: Key, entry: FeedEntry) -> None:
        """Add a commit."""
        self._told.append((key, entry))
        # Rarely, and many at once, so that a commit costs the same however many are kept.
        if len(self._told) == 2 * FEED_KEPT:
            del self._told[:FEED_KEPT]
            self._dropped += FEED_KEPT

    def after(self, namespace: str, collection: str, position: str | None, limit: int) -> Feed:
        """Return up to `limit` commits of one collection, see `Backend.feed`."""
        end = self._dropped + len(self._told)
        number = end if position is None else self._number(position, end)
        entries: list[FeedEntry] = []
        while number < end and len(entries) < limit:
            key, entry = self._told[number - self._dropped]
            number += 1
            if (key.namespace, key.collection) == (namespace, collection):
                entries.append(entry)
        return Feed(entries, f"{self._incarnation}-{number}")

    def _number(self, position: str, end: int) -> int:
        found = _POSITION.fullmatch(position)
        if found is None:
            raise InvalidArgumentError("position", "is not one of this backend: ask for the present position")
        incarnation, number = map(int, found.groups())
        if incarnation != self._incarnation or not self._dropped <= number <= end:
            raise PositionExpiredError(position)
        return number
