"""The feed: the commits of all processes in the one order in which they happened.

A position is the incarnation and the number of the commit before it, as in `4711-42`.
"""

import re
from sqlite3 import Connection

from sessionstore.errors import InvalidArgumentError, PositionExpiredError
from sessionstore_server.backends.base import FEED_KEPT, Feed, FeedEntry, Key
from sessionstore_server.backends.sqlite import times
from sessionstore_server.backends.sqlite.database import incarnation
from sessionstore_server.backends.sqlite.keys import Row
from sessionstore_server.backends.sqlite.writing import WritingConnection

_INSERT = "INSERT INTO feed (namespace, collection, id, revision, commit_time, deleted)"

_PRUNE = "DELETE FROM feed WHERE sequence <= (SELECT max(sequence) FROM feed) - ?"

_PRUNE_EVERY = 256
"""Of so many commits about one prunes, be they of one key or of as many."""

_POSITION = re.compile(r"([0-9]{1,19})-([0-9]{1,19})")


def tell(connection: WritingConnection, key: Key, row: Row) -> None:
    """Enter the commit that `row` just got; drop the oldest ones from time to time."""
    place = (key.namespace, key.collection, key.id)
    connection.add(_INSERT, (*place, row.revision, row.commit_time, not row.is_present))
    if (row.key_id + row.revision) % _PRUNE_EVERY == 0:
        connection.execute(_PRUNE, [FEED_KEPT])


def read(connection: Connection, namespace: str, collection: str, position: str | None, limit: int) -> Feed:
    """Return commits after a position, see `Backend.feed`."""
    own = incarnation(connection)
    oldest, newest = connection.execute(
        "SELECT coalesce(min(sequence), 1), coalesce(max(sequence), 0) FROM feed"
    ).fetchone()
    if position is None:
        return Feed([], f"{own}-{newest}")
    after = _number(position, own, oldest, newest)
    found = connection.execute(
        "SELECT sequence, id, revision, commit_time, deleted FROM feed"
        " WHERE sequence > ? AND namespace = ? AND collection = ? ORDER BY sequence LIMIT ?",
        [after, namespace, collection, limit],
    ).fetchall()
    entries = [FeedEntry(id_, revision, times.moment(time), bool(deleted)) for _, id_, revision, time, deleted in found]
    last = [after, *(number for number, *_ in found)][-1]
    return Feed(entries, f"{own}-{newest if len(found) < limit else last}")


def _number(position: str, own: int, oldest: int, newest: int) -> int:
    found = _POSITION.fullmatch(position)
    if found is None:
        raise InvalidArgumentError("position", "is not one of this backend: ask for the present position")
    incarnation_, number = map(int, found.groups())
    if incarnation_ != own or not oldest - 1 <= number <= newest:
        raise PositionExpiredError(position)
    return number
