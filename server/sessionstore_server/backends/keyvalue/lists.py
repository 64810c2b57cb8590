"""The lists of the key-value backend: the heads of a collection, in the order of the ids."""

from collections.abc import AsyncIterator

from sessionstore.errors import DataCorruptionError
from sessionstore_server.backends import queries
from sessionstore_server.backends.base import Listed, ListPosition, Query
from sessionstore_server.backends.keyvalue import layout, values
from sessionstore_server.backends.keyvalue.space import Space

Found = tuple[ListPosition, Listed]


async def page(
    space: Space, place: tuple[str, str], query: Query, after: ListPosition | None, limit: int
) -> list[Listed]:
    """Return up to `limit` keys of one namespace and collection that match, after a position."""
    if query.order_by or query.descending:
        return queries.page(query, [one async for one in _matching(space, place, query)], after, limit)
    found: list[Listed] = []
    async for _, listed in _matching(space, place, query, after.id if after else None):
        if len(found) == limit:
            break
        found.append(listed)
    return found


async def count(space: Space, place: tuple[str, str], query: Query) -> int:
    """Return how many keys of one namespace and collection match."""
    return len([one async for one in _matching(space, place, query)])


async def _matching(
    space: Space, place: tuple[str, str], query: Query, after_id: str | None = None
) -> AsyncIterator[Found]:
    prefix = layout.heads(*place)
    first = prefix if after_id is None else prefix + after_id.encode() + b"\0"
    async for at, text in space.between(first, layout.after_all(prefix)):
        if found := _found(query, at.removeprefix(prefix).decode(), text):
            yield found


def _found(query: Query, id_: str, text: bytes) -> Found | None:
    """Return where and how a list shows a key, or None when it does not."""
    try:
        head = values.read_head(text, id_)
        summary = None if head.summary is None else values.read_summary(head.summary, id_)
    except DataCorruptionError as error:
        damaged = ListPosition(None, id_), Listed(id_, 0, b"", damage=str(error))
        return damaged if queries.matches_damaged(query) else None
    if not head.history or not queries.matches(query, summary):
        return None
    position = queries.position_of(query, id_, summary)
    return position, Listed(id_, head.revision, summary.record if summary else b"", value=position.value)
