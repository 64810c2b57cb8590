"""Uploads of events as they travel: the messages of a stream."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from bench.keepers.base import RUN_ID
from bench.recorded import Recorded
from sessionstore.v1 import run_pb2, trace_pb2
from sessionstore.v1.append_pb2 import AppendStart
from sessionstore.wire import records


@dataclass(frozen=True)
class _Messages:
    """The messages of one kind of events."""

    codec: Any
    field: str
    request: Any
    batch: Any


_TRACE = _Messages(records.TRACE_EVENT, "trace_events", trace_pb2.AppendTraceEventsRequest, trace_pb2.TraceEventBatch)
_RUN = _Messages(records.RUN_EVENT, "run_events", run_pb2.AppendRunEventsRequest, run_pb2.RunEventBatch)
_KINDS = {"trace": _TRACE, "run": _RUN}


def start_request(kind: str, session_id: str) -> Any:
    """Return the first message of a new stream."""
    start = AppendStart(session_id=session_id, stream_id=uuid4().hex, run_id=RUN_ID if kind == "run" else "")
    return _KINDS[kind].request(start=start)


def batch_requests(kind: str, recorded: Recorded, count: int) -> list[Any]:
    """Return the messages that carry batches of events."""
    return list(_batch_requests(_KINDS[kind], recorded.event_batches(kind, count)))


def _batch_requests(messages: _Messages, batches: Sequence[Sequence[Any]]) -> Iterator[Any]:
    position = 0
    for batch in batches:
        events = [messages.codec.to_proto(event) for event in batch]
        yield messages.request(batch=messages.batch(position=position, **{messages.field: events}))
        position += len(batch)
