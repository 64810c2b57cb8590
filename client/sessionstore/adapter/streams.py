"""Streams of events. An appending stream goes on behind what is durable, and a follower behind what it has yielded."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import uuid4

from google.protobuf.message import Message as Proto
from typing_extensions import override

from sessionstore.adapter.calls import Calls
from sessionstore.adapter.window import Batch, Window
from sessionstore.errors import InvalidArgumentError, StoreUnavailableError
from sessionstore.model import Model, RunEventPage, RunEventRecord, TraceEvent
from sessionstore.patience import Patience
from sessionstore.store import TraceEventPage
from sessionstore.store.streams import StreamOperations
from sessionstore.transport import Method
from sessionstore.v1 import run_pb2, trace_pb2
from sessionstore.v1.append_pb2 import AppendStart
from sessionstore.wire import methods, records
from sessionstore.wire.codec import Codec
from sessionstore.wire.requests import build

Q = TypeVar("Q", bound=Proto)
A = TypeVar("A", bound=Proto)
M = TypeVar("M", bound=Model)
P = TypeVar("P", bound=Proto)
T = TypeVar("T")

BATCH_BYTES = 1 << 20
BATCH_RECORDS = 1000
"""A larger batch of the caller is sent in parts."""


class StreamCalls(Calls, StreamOperations):
    """`StreamOperations` as calls."""

    @override
    def append_trace_events(
        self, session_id: str, batches: AsyncIterable[Sequence[TraceEvent]], *, lease_epoch: int | None = None
    ) -> AsyncIterator[int]:
        start = build(AppendStart, session_id=session_id, stream_id=uuid4().hex, lease_epoch=lease_epoch)
        return self._append(methods.APPEND_TRACE_EVENTS, start, _batches(_TRACE_EVENTS, batches))

    @override
    def append_run_events(
        self,
        session_id: str,
        run_id: str,
        batches: AsyncIterable[Sequence[RunEventRecord]],
        *,
        lease_epoch: int | None = None,
    ) -> AsyncIterator[int]:
        start = build(AppendStart, session_id=session_id, run_id=run_id, stream_id=uuid4().hex, lease_epoch=lease_epoch)
        return self._append(methods.APPEND_RUN_EVENTS, start, _batches(_RUN_EVENTS, batches))

    @override
    async def read_trace_events(self, session_id: str, position: int = 0, page_size: int = 0) -> TraceEventPage | None:
        response = await self._read(
            methods.READ_TRACE_EVENTS, session_id=session_id, position=position, page_size=page_size
        )
        if not response.present:
            return None
        events = [records.TRACE_EVENT.from_proto(event) for event in response.trace_events]
        return TraceEventPage(events, response.next_position, response.has_more)

    @override
    async def read_run_events(
        self, session_id: str, run_id: str, after_sequence: int | None = None, page_size: int = 0
    ) -> RunEventPage | None:
        response = await self._read(
            methods.READ_RUN_EVENTS,
            session_id=session_id,
            run_id=run_id,
            after_sequence=after_sequence,
            page_size=page_size,
        )
        return records.RUN_EVENT_PAGE.from_proto(response.page) if response.HasField("page") else None

    @override
    async def follow_trace_events(self, session_id: str, position: int = 0) -> AsyncIterator[TraceEvent]:
        request = build(trace_pb2.FollowTraceEventsRequest, session_id=session_id, position=position)
        async with _closing(self._responses(methods.FOLLOW_TRACE_EVENTS, request)) as responses:
            async for response in responses:
                request.position = response.next_position
                for event in response.trace_events:
                    yield records.TRACE_EVENT.from_proto(event)

    @override
    async def follow_run_events(
        self, session_id: str, run_id: str, after_sequence: int | None = None
    ) -> AsyncIterator[RunEventRecord]:
        request = build(
            run_pb2.FollowRunEventsRequest, session_id=session_id, run_id=run_id, after_sequence=after_sequence
        )
        async with _closing(self._responses(methods.FOLLOW_RUN_EVENTS, request)) as responses:
            async for response in responses:
                request.after_sequence = response.run_events[-1].sequence
                for event in response.run_events:
                    yield records.RUN_EVENT.from_proto(event)

    async def _responses(self, method: Method[Q, A], request: Q) -> AsyncIterator[A]:
        """Iterate over the responses; when the connection is lost ask again, for what the caller then wants."""
        patience = self._patience()
        while True:
            try:
                async with _closing(self._transport.download(method, request)) as responses:
                    async for response in responses:
                        patience.renew()
                        yield response
            except StoreUnavailableError as error:
                await patience.pause(error)
            else:
                return

    async def _append(
        self, method: Method[Any, Any], start: AppendStart, batches: AsyncIterator[Batch]
    ) -> AsyncIterator[int]:
        """Send the batches, again when the connection was lost; yield how many records are durable."""
        window, patience = Window(), self._patience()
        filling = asyncio.create_task(window.fill(batches))
        try:
            while True:
                try:
                    async with _closing(self._progress(method, start, window)) as progress:
                        async for position in progress:
                            patience.renew()
                            yield position
                    break
                except StoreUnavailableError as error:
                    await patience.pause(error)
            await filling
        finally:
            filling.cancel()
            await asyncio.gather(filling, return_exceptions=True)

    async def _progress(self, method: Method[Any, Any], start: AppendStart, window: Window) -> AsyncIterator[int]:
        """Send what stands in the window, in one call, until the window ends; yield how many records are durable."""
        start.position = window.start
        is_open = asyncio.Event()
        requests = _requests(method, start, window, is_open)
        async with _closing(self._transport.duplex(method, requests)) as responses:
            async for response in responses:
                if not start.HasField("opened_revision"):
                    start.opened_revision = response.revision
                is_more = await window.confirm(response.position)
                is_open.set()
                if is_more:
                    yield response.position

    def _patience(self) -> Patience:
        patience = Patience(self._transport.patience_seconds)
        patience.renew()
        return patience


async def _requests(
    method: Method[Any, Any], start: AppendStart, window: Window, is_open: asyncio.Event
) -> AsyncIterator[Any]:
    yield method.request(start=start)
    await is_open.wait()
    position = window.start
    while batches := await window.batches_at(position):
        request: Any = method.request()
        for batch in batches:
            request.batch.MergeFrom(batch.records)
        request.batch.position = position
        position = batches[-1].stop
        yield request


class _Events(NamedTuple, Generic[M, P]):
    """What carries the events of one kind."""

    batch: Callable[[], Any]
    field: str
    codec: Codec[M, P]


_TRACE_EVENTS = _Events(trace_pb2.TraceEventBatch, "trace_events", records.TRACE_EVENT)
_RUN_EVENTS = _Events(run_pb2.RunEventBatch, "run_events", records.RUN_EVENT)


async def _batches(events: _Events[M, P], batches: AsyncIterable[Sequence[M]]) -> AsyncIterator[Batch]:
    """Iterate over the batches of the caller as messages, parts of those that are too large.

    Errors: InvalidArgumentError that names the place of a bad record in the stream.
    """
    position = 0
    async for batch in batches:
        for part in _parts(events, position, batch):
            yield part
        position += len(batch)


def _parts(events: _Events[M, P], position: int, batch: Sequence[M]) -> Iterator[Batch]:
    """Write events into batches; one that cannot be sent is an error behind those that came before it."""
    part, count, size, refusal = events.batch(), 0, 0, None
    for event in batch:
        try:
            sent = events.codec.add(getattr(part, events.field), event, events.field, position + count)
        except InvalidArgumentError as error:
            refusal = error
            break
        size += sent.ByteSize()
        count += 1
        if size >= BATCH_BYTES or count == BATCH_RECORDS:
            yield Batch(position, part, count, size)
            position, part, count, size = position + count, events.batch(), 0, 0
    if count:
        yield Batch(position, part, count, size)
    if refusal:
        raise refusal


@asynccontextmanager
async def _closing(responses: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """Close a generator at once, and not when it is collected, since a call may hang on it."""
    try:
        yield responses
    finally:
        if isinstance(responses, AsyncGenerator):
            await responses.aclose()
