"""What a `Query` means, for backends that have no indexes to ask."""

from collections.abc import Iterable
from typing import TypeVar

from sessionstore_server.backends.base import ListPosition, Query, Summary

T = TypeVar("T")


def matches(query: Query, summary: Summary | None) -> bool:
    """Tell whether a list shows a key with this summary (None: it has none)."""
    if summary is None or not query.summarized:
        return (summary is None) is not query.summarized
    texts = {name: value for name, value in summary.attributes.items() if isinstance(value, str)}
    numbers = {name: value for name, value in summary.attributes.items() if isinstance(value, int)}
    return (
        (query.order_by is None or query.order_by in summary.attributes)
        and all(texts.get(name) == value for name, value in query.equal.items())
        and all(name in texts and texts[name].startswith(value) for name, value in query.prefix.items())
        and all(name in numbers and numbers[name] >= value for name, value in query.at_least.items())
        and all(name in numbers and numbers[name] < value for name, value in query.below.items())
    )


def matches_damaged(query: Query) -> bool:
    """Tell whether a list shows a key of which nothing but the id is known."""
    return not (query.equal or query.prefix or query.at_least or query.below or query.order_by)


def position_of(query: Query, id_: str, summary: Summary | None) -> ListPosition:
    """Return where a key that matches stands in the list. Such positions of one query compare as they are ordered.

    Python compares text by code point, which is the order of its UTF-8 bytes.
    """
    return ListPosition(summary.attributes[query.order_by] if summary and query.order_by else None, id_)


def page(query: Query, found: Iterable[tuple[ListPosition, T]], after: ListPosition | None, limit: int) -> list[T]:
    """Return the first `limit` of what was found behind `after`, in the order of the query."""
    behind = [
        (position, value)
        for position, value in found
        if after is None or (position < after if query.descending else position > after)
    ]
    behind.sort(key=lambda one: one[0], reverse=query.descending)
    return [value for _, value in behind[:limit]]
