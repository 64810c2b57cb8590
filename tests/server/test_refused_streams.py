"""A stream that is refused while a stub of grpc.aio still sends: the stub is told why."""

from collections.abc import AsyncIterator
from itertools import repeat

import grpc
import pytest

from sessionstore import MemorySessionStore
from sessionstore.v1 import trace_pb2, trace_pb2_grpc
from sessionstore.v1.append_pb2 import AppendStart
from sessionstore_server import rpc
from sessionstore_server.server import running_server

MESSAGES = 1_000
ATTEMPTS = 5


async def requests(bad: int, lease_epoch: int | None) -> AsyncIterator[trace_pb2.AppendTraceEventsRequest]:
    """Send as fast as it goes, with a bad event at one position."""
    yield trace_pb2.AppendTraceEventsRequest(start=AppendStart(session_id="one", lease_epoch=lease_epoch))
    for position in range(MESSAGES):
        kind = trace_pb2.TRACE_EVENT_KIND_TOOL_EXECUTION if position != bad else None
        batch = trace_pb2.TraceEventBatch(position=position, trace_events=[trace_pb2.TraceEvent(kind=kind)])
        yield trace_pb2.AppendTraceEventsRequest(batch=batch)


@pytest.mark.parametrize(
    ("bad", "lease_epoch", "code"),
    [
        (0, None, grpc.StatusCode.INVALID_ARGUMENT),
        (20, None, grpc.StatusCode.INVALID_ARGUMENT),
        (MESSAGES, 7, grpc.StatusCode.FAILED_PRECONDITION),
    ],
    ids=["the first batch", "a later batch", "a commit"],
)
async def test_a_stub_that_still_sends_is_told_why(
    monkeypatch: pytest.MonkeyPatch, bad: int, lease_epoch: int | None, code: grpc.StatusCode
) -> None:
    for limit in ("_PAUSE_SECONDS", "_LONGEST_READ_SECONDS"):
        monkeypatch.setattr(rpc, limit, 60.0)
    async with running_server(MemorySessionStore()) as server, grpc.aio.insecure_channel(server.address) as channel:
        stub = trace_pb2_grpc.TraceServiceStub(channel)
        for _ in range(ATTEMPTS):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                async for _ in stub.AppendTraceEvents(requests(bad, lease_epoch)):
                    pass
            assert caught.value.code() is code


async def test_a_stub_that_pauses_is_told_why() -> None:
    async with running_server(MemorySessionStore()) as server, grpc.aio.insecure_channel(server.address) as channel:
        call = trace_pb2_grpc.TraceServiceStub(channel).AppendTraceEvents()
        await call.write(trace_pb2.AppendTraceEventsRequest(start=AppendStart(session_id="")))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_stub_that_sends_without_end_is_told_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc, "_LONGEST_READ_SECONDS", 0.5)
    async with running_server(MemorySessionStore()) as server, grpc.aio.insecure_channel(server.address) as channel:
        call = trace_pb2_grpc.TraceServiceStub(channel).AppendTraceEvents(repeat(trace_pb2.AppendTraceEventsRequest()))
        with pytest.raises(grpc.aio.AioRpcError):
            await call.read()
