"""Reads a collection page by page."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from sessionstore.pages import page_limit, page_position, page_token_after
from sessionstore_server.backends.base import Backend, Listed
from sessionstore_server.services.handlers import Caller

PAGE_BYTES = 4 << 20
"""A page ends when its summaries have this size, also if fewer are there than were asked for."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some keys of a collection, and the token that leads to those behind them (empty: there are none)."""

    entries: Sequence[Listed]
    next_page_token: str


async def list_page(
    backend: Backend, caller: Caller, collection: str, page_size: int, page_token: str, *, summarized: bool = True
) -> Page:
    """Read one page of a collection: of the keys that have a summary, or of those that have none.

    Errors: InvalidArgumentError for a bad size or token.
    """
    limit, listed = page_limit(page_size), collection if summarized else f"{collection} without summary"
    after = page_position(listed, page_token)
    entries = await backend.list(caller.namespace, collection, after, limit + 1, summarized=summarized)
    shown = _within(entries[:limit], PAGE_BYTES)
    if len(shown) == len(entries):
        return Page(entries, "")
    return Page(shown, page_token_after(listed, shown[-1].id))


def _within(entries: Sequence[Listed], size: int) -> Sequence[Listed]:
    """Return as many entries, at least one, as have summaries of `size` bytes together."""
    ends = accumulate(len(entry.summary) for entry in entries)
    return entries[: max(1, sum(1 for end in ends if end <= size))]
