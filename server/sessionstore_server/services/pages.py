"""Reads a collection page by page."""

from collections.abc import Sequence
from dataclasses import dataclass

from sessionstore.pages import page_limit, page_position, page_token_after
from sessionstore_server.backends.base import Backend, Listed
from sessionstore_server.services.handlers import Caller


@dataclass(frozen=True, slots=True)
class Page:
    """Some keys of a collection, and the token that leads to those behind them (empty: there are none)."""

    entries: Sequence[Listed]
    next_page_token: str


async def list_page(backend: Backend, caller: Caller, collection: str, page_size: int, page_token: str) -> Page:
    """Read one page of a collection. Errors: InvalidArgumentError for a bad size or token."""
    limit = page_limit(page_size)
    after = page_position(collection, page_token)
    entries = await backend.list(caller.namespace, collection, after, limit + 1)
    if len(entries) <= limit:
        return Page(entries, "")
    return Page(entries[:limit], page_token_after(collection, entries[limit - 1].id))
