"""Trace events: saved and loaded whole, appended, read page by page, followed."""

from collections.abc import AsyncIterable, AsyncIterator

from typing_extensions import override

from sessionstore.pages import page_limit
from sessionstore.v1 import trace_pb2 as pb
from sessionstore.wire.methods import (
    APPEND_TRACE_EVENTS,
    FOLLOW_TRACE_EVENTS,
    LOAD_TRACE_EVENTS,
    READ_TRACE_EVENTS,
    SAVE_TRACE_EVENTS,
)
from sessionstore.wire.records import TRACE_EVENT
from sessionstore_server.backends.base import Backend
from sessionstore_server.services.handlers import Caller, HandlerTable
from sessionstore_server.services.keys import TRACES, session_key
from sessionstore_server.services.records.lists import RecordService
from sessionstore_server.services.responses import with_records
from sessionstore_server.services.streams.append_targets import TraceTarget
from sessionstore_server.services.streams.appending import Appender, first_step
from sessionstore_server.services.streams.event_pages import read_trace_page
from sessionstore_server.services.streams.following import follow_traces
from sessionstore_server.services.turns import Turns

_FIELD = "trace_events"


class TraceService(RecordService):
    """Answers `sessionstore.v1.TraceService`."""

    def __init__(self, backend: Backend, turns: Turns) -> None:
        super().__init__(backend, turns, TRACES, TRACE_EVENT, _FIELD, SAVE_TRACE_EVENTS, LOAD_TRACE_EVENTS)

    @override
    def handlers(self) -> HandlerTable:
        return {
            **super().handlers(),
            APPEND_TRACE_EVENTS: self.append_trace_events,
            READ_TRACE_EVENTS: self.read_trace_events,
            FOLLOW_TRACE_EVENTS: self.follow_trace_events,
        }

    async def append_trace_events(
        self, requests: AsyncIterable[pb.AppendTraceEventsRequest], caller: Caller
    ) -> AsyncIterator[pb.AppendTraceEventsResponse]:
        """Add what comes; tell at first, and after each commit, how far the stream is."""
        steps = aiter(requests)
        start = await first_step(steps)
        target = TraceTarget(session_key(caller, start.session_id))
        appender = Appender(self._backend, self._turns, target, start)
        async for position, revision in appender.progress(steps):
            yield pb.AppendTraceEventsResponse(position=position, revision=revision)

    async def read_trace_events(self, request: pb.ReadTraceEventsRequest, caller: Caller) -> bytes:
        """Return a page of the trace events."""
        key, limit = session_key(caller, request.session_id), page_limit(request.page_size)
        page = await read_trace_page(self._backend, key, request.position, limit)
        stop = request.position + len(page.records)
        response = pb.ReadTraceEventsResponse(
            revision=page.revision, present=page.is_present, next_position=stop, has_more=stop < page.length
        )
        return with_records(response, trace_events=page.records)

    async def follow_trace_events(self, request: pb.FollowTraceEventsRequest, caller: Caller) -> AsyncIterator[bytes]:
        """Send the trace events from a position on, and those that are added."""
        key, position = session_key(caller, request.session_id), request.position
        async for page in follow_traces(self._backend, key, position):
            position += len(page.records)
            yield with_records(pb.FollowTraceEventsResponse(next_position=position), trace_events=page.records)
