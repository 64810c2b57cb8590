"""What a `Query` means, for backends that have no indexes to ask."""

from collections.abc import Iterable
from heapq import nlargest, nsmallest
from operator import itemgetter
from typing import TypeVar

from sessionstore_server.backends.base import ListPosition, Query, Summary

T = TypeVar("T")


def matches(query: Query, summary: Summary | None) -> bool:
    """Tell whether a list shows a key with this summary (None: it has none)."""
    if summary is None or not query.summarized:
        return (summary is None) is not query.summarized
    if matches_damaged(query):
        return True
    known = summary.attributes
    return (
        (query.order_by is None or query.order_by in known)
        and all(known.get(name) == value for name, value in query.equal.items())
        and all(_begins(known.get(name), value) for name, value in query.prefix.items())
        and all(_at_least(known.get(name), value) for name, value in query.at_least.items())
        and all(_below(known.get(name), value) for name, value in query.below.items())
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
    if after is not None:
        is_behind = after.__gt__ if query.descending else after.__lt__
        found = (one for one in found if is_behind(one[0]))
    first = nlargest if query.descending else nsmallest
    return [value for _, value in first(limit, found, key=itemgetter(0))]


def _begins(text: str | int | None, beginning: str) -> bool:
    return isinstance(text, str) and text.startswith(beginning)


def _at_least(number: str | int | None, least: int) -> bool:
    return isinstance(number, int) and number >= least


def _below(number: str | int | None, bound: int) -> bool:
    return isinstance(number, int) and number < bound
