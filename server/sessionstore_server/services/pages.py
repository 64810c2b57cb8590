"""Reads a collection page by page."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from sessionstore.pages import PagePosition, page_limit, page_position, page_token_after
from sessionstore_server.backends.base import Backend, Listed, ListPosition, Query
from sessionstore_server.services.handlers import Caller

PAGE_BYTES = 4 << 20
"""A page ends when its summaries have this size, also if fewer are there than were asked for."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some keys of a collection, and the token that leads to those behind them (empty: there are none)."""

    entries: Sequence[Listed]
    next_page_token: str


async def list_page(
    backend: Backend, caller: Caller, collection: str, page_size: int, page_token: str, query: Query | None = None
) -> Page:
    """Read one page of the keys of a collection that match (None: all that have a summary, by id).

    Errors: InvalidArgumentError for a bad size or token.
    """
    asked = query or Query()
    limit, scope = page_limit(page_size), f"{collection} {asked}"
    after = page_position(scope, page_token)
    entries = await backend.list(caller.namespace, collection, asked, after and ListPosition(*after[::-1]), limit + 1)
    shown = _within(entries[:limit], PAGE_BYTES)
    if len(shown) == len(entries):
        return Page(entries, "")
    return Page(shown, page_token_after(scope, PagePosition(shown[-1].id, shown[-1].value)))


def _within(entries: Sequence[Listed], size: int) -> Sequence[Listed]:
    """Return as many entries, at least one, as have summaries of `size` bytes together."""
    ends = accumulate(len(entry.summary) for entry in entries)
    return entries[: max(1, sum(1 for end in ends if end <= size))]
