"""Lists, of summaries only: no session is read."""

import builtins
from dataclasses import fields

from typing_extensions import override

from sessionstore.adapter.calls import Calls
from sessionstore.errors import InvalidArgumentError
from sessionstore.model import SessionPage
from sessionstore.pages import MAX_PAGE_SIZE
from sessionstore.store import SessionFilter, SessionOrder
from sessionstore.store.listing import ListOperations
from sessionstore.store.selection import Selection
from sessionstore.v1 import session_pb2 as pb
from sessionstore.wire import methods, records
from sessionstore.wire.requests import build

_ORDERS = {
    SessionOrder.ID: pb.SESSION_ORDER_UNSPECIFIED,
    SessionOrder.CREATED_AT: pb.SESSION_ORDER_CREATED_AT,
    SessionOrder.UPDATED_AT: pb.SESSION_ORDER_UPDATED_AT,
    SessionOrder.NAME: pb.SESSION_ORDER_NAME,
}


class ListCalls(Calls, ListOperations):
    """`ListOperations` as calls."""

    @override
    async def list(self) -> builtins.list[str]:
        return [session_id async for page in self._pages(methods.LIST_SESSIONS) for session_id in _ids(page)]

    @override
    async def list_sessions(
        self,
        page_size: int = 0,
        page_token: str = "",
        *,
        filter: SessionFilter | None = None,
        order_by: SessionOrder = SessionOrder.ID,
        descending: bool = False,
    ) -> SessionPage:
        response = await self._read(
            methods.LIST_SESSIONS,
            page_size=min(page_size, MAX_PAGE_SIZE),
            page_token=page_token,
            filter=_filter(filter),
            order_by=_order(order_by),
            descending=descending,
        )
        return SessionPage(
            sessions=[records.SESSION_SUMMARY.from_proto(summary) for summary in response.sessions],
            next_page_token=response.next_page_token,
            unreachable=tuple(response.unreachable),
        )

    @override
    async def count_sessions(self, filter: SessionFilter | None = None) -> int:
        return (await self._read(methods.COUNT_SESSIONS, filter=_filter(filter))).count

    @override
    async def list_unsaved(self) -> builtins.list[str]:
        pages = self._pages(methods.LIST_SESSIONS, unsaved=True)
        return [session_id async for page in pages for session_id in _ids(page)]


def _ids(page: pb.ListSessionsResponse) -> builtins.list[str]:
    return sorted([*(session.id for session in page.sessions), *page.unreachable])


def _filter(asked: SessionFilter | None) -> pb.SessionFilter | None:
    if asked is None:
        return None
    Selection.of(asked)
    return build(
        pb.SessionFilter,
        state=None if asked.state is None else f"SESSION_STATE_{asked.state.name}",
        **{each.name: getattr(asked, each.name) for each in fields(SessionFilter) if each.name != "state"},
    )


def _order(order_by: SessionOrder) -> int:
    if order_by not in _ORDERS:
        raise InvalidArgumentError("order_by", f"is {order_by!r}: give a SessionOrder")
    return _ORDERS[order_by]
