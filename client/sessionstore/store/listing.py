"""Lists for people and user interfaces."""

import builtins
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any, TypeVar

from sessionstore.model import SessionPage, SessionSummary
from sessionstore.pages import PagePosition, page_limit, page_position, page_token_after
from sessionstore.store.selection import Selection, place, sort_key
from sessionstore.store.sessions import SessionOperations
from sessionstore.store.values import SessionFilter, SessionOrder

T = TypeVar("T")


class ListOperations(SessionOperations):
    """Sessions as they are listed. Unless overridden, these load what they list or count."""

    async def list_sessions(
        self,
        page_size: int = 0,
        page_token: str = "",
        *,
        filter: SessionFilter | None = None,  # noqa: A002 - the word of the field
        order_by: SessionOrder = SessionOrder.ID,
        descending: bool = False,
    ) -> SessionPage:
        """Return a page of session summaries, by id in the order of UTF-8 bytes unless another order is given.

        `page_size` 0 means 100, more than 1,000 means 1,000; `page_token` is the `next_page_token` of the page before,
        which is empty on the last page; it goes with the same filter and order. A session that keeps its place while
        the pages are read is listed once, whatever happens to others. Errors: InvalidArgumentError that names a bad
        value of the filter, such as `filter.created_from`.
        """
        limit, selection = page_limit(page_size), Selection.of(filter)
        scope = f"sessions {selection} {order_by} {descending}"
        after = page_position(scope, page_token)
        if order_by is SessionOrder.ID:
            ids = _behind(await self.list(), lambda id_: sort_key(PagePosition(id_)), after, descending=descending)
            found = [summary async for summary in self._summaries(ids, selection, limit + 1)]
        else:
            summaries = [summary async for summary in self._summaries(await self.list(), selection)]
            found = _behind(summaries, lambda summary: sort_key(place(order_by, summary)), after, descending=descending)
        token = page_token_after(scope, place(order_by, found[limit - 1])) if len(found) > limit else ""
        return SessionPage(sessions=tuple(found[:limit]), next_page_token=token)

    async def count_sessions(self, filter: SessionFilter | None = None) -> int:  # noqa: A002 - the word of the field
        """Return how many sessions there are for which all of `filter` holds.

        One that cannot be read is counted only when nothing is asked for. Errors: as `list_sessions`.
        """
        selection, ids = Selection.of(filter), await self.list()
        if selection == Selection.of(None):
            return len(ids)
        return len([summary async for summary in self._summaries(ids, selection)])

    async def list_unsaved(self) -> builtins.list[str]:
        """Return the ids under which records were saved, but no session, sorted by their UTF-8 bytes."""
        return []

    async def _summaries(
        self, ids: Sequence[str], selection: Selection, most: int | None = None
    ) -> AsyncIterator[SessionSummary]:
        """Yield what is selected of the sessions `ids`, in their order."""
        found = 0
        for session_id in ids:
            session = await self.load(session_id)
            if session is None or not selection.matches(summary := SessionSummary.of(session)):
                continue
            yield summary
            found += 1
            if found == most:
                return


def _behind(
    items: Iterable[T], key: Callable[[T], Any], after: PagePosition | None, *, descending: bool
) -> builtins.list[T]:
    """Return those that are listed behind `after`, in the order of the list."""
    passed = after and sort_key(after)
    behind = [item for item in items if passed is None or (key(item) < passed if descending else key(item) > passed)]
    return sorted(behind, key=key, reverse=descending)
