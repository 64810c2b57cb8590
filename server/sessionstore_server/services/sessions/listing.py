"""Lists of sessions, made of what was noted of each when it was written: no session is read."""

from dataclasses import replace

from sessionstore.errors import InvalidArgumentError
from sessionstore.store import SessionOrder
from sessionstore.store.selection import Selection
from sessionstore.v1 import session_pb2 as pb
from sessionstore.wire.methods import COUNT_SESSIONS, LIST_SESSIONS
from sessionstore_server.backends.base import Backend, Listed, Query
from sessionstore_server.services.handlers import Caller, HandlerTable
from sessionstore_server.services.keys import SESSIONS
from sessionstore_server.services.pages import list_page
from sessionstore_server.services.sessions.filters import filter_of, order_of


class ListingService:
    """Answers the calls of `sessionstore.v1.SessionService` that are about many sessions."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def handlers(self) -> HandlerTable:
        """Return what answers which method."""
        return {LIST_SESSIONS: self.list_sessions, COUNT_SESSIONS: self.count_sessions}

    async def list_sessions(self, request: pb.ListSessionsRequest, caller: Caller) -> pb.ListSessionsResponse:
        """Return a page of summaries."""
        query = _query(request)
        page = await list_page(self._backend, caller, SESSIONS, request.page_size, request.page_token, query)
        return pb.ListSessionsResponse(
            sessions=[_summary(entry) for entry in page.entries if entry.damage is None],
            next_page_token=page.next_page_token,
            unreachable=[entry.id for entry in page.entries if entry.damage is not None],
        )

    async def count_sessions(self, request: pb.CountSessionsRequest, caller: Caller) -> pb.CountSessionsResponse:
        """Return how many sessions match."""
        query = _selecting(request.filter)
        return pb.CountSessionsResponse(count=await self._backend.count(caller.namespace, SESSIONS, query))


def check_unsaved(request: pb.ListSessionsRequest) -> None:
    """Refuse to select or order ids that have no session."""
    for field, _ in request.ListFields():
        if request.unsaved and field.name in ("filter", "order_by", "descending"):
            raise InvalidArgumentError(field.name, "cannot be set together with `unsaved`: leave one of them out")


def _query(request: pb.ListSessionsRequest) -> Query:
    check_unsaved(request)
    if request.unsaved:
        return Query(summarized=False)
    order = order_of(request)
    order_by = None if order is SessionOrder.ID else order.value
    return replace(_selecting(request.filter), order_by=order_by, descending=request.descending)


def _selecting(asked: pb.SessionFilter) -> Query:
    selection = Selection.of(filter_of(asked))
    return Query(selection.equal, selection.prefix, selection.at_least, selection.below)


def _summary(entry: Listed) -> pb.SessionSummary:
    summary = pb.SessionSummary.FromString(entry.summary)
    summary.id, summary.revision = entry.id, entry.revision
    return summary
