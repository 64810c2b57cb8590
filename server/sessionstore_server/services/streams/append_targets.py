"""To what streams append: the trace events of a session, and the events of a run."""

from collections.abc import Iterator, Sequence

from typing_extensions import override

from sessionstore.errors import InvalidArgumentError
from sessionstore.v1 import event_pb2, run_pb2, trace_pb2
from sessionstore.wire.events import is_sound_unknown_event
from sessionstore.wire.records import RUN_EVENT, TRACE_EVENT
from sessionstore_server.backends.base import Backend, Change, Key, Splice, View
from sessionstore_server.services.checks import checked
from sessionstore_server.services.keys import TRACES, run_events, run_record
from sessionstore_server.services.records.retention import Retention
from sessionstore_server.services.records.run_events import (
    NOT_STORED,
    added_events,
    check_sequences,
    run_documents,
    run_end,
)
from sessionstore_server.services.replacing import Draft
from sessionstore_server.services.streams.appending import Target
from sessionstore_server.services.streams.log_reader import LogReader

_KINDS = frozenset(trace_pb2.TraceEventKind.values()) - {trace_pb2.TRACE_EVENT_KIND_UNSPECIFIED}
_DELTAS = frozenset(("text_delta", "reasoning_delta", "tool_input_delta", "tool_output_delta"))

# Taken from the classes, because a message that is asked for a method looks for a field of that name first.
_has_in_trace = trace_pb2.TraceEvent.HasField
_has_in_run_event = run_pb2.RunEventRecord.HasField
_which_event = event_pb2.AgentEvent.WhichOneof


class TraceTarget(Target):
    """The trace events of a session, to which several streams may append at once."""

    def __init__(self, key: Key) -> None:
        super().__init__(key, TRACES, "trace_events")

    @override
    def check_open(self, view: View | None) -> None:
        pass

    @override
    def checked(self, messages: Sequence[trace_pb2.TraceEvent], first: int) -> Iterator[bytes]:
        # A slice is a list, which is gone through in half of the time that the field itself takes.
        events = messages[:]
        if all(map(is_plain_trace, events)):
            return map(trace_pb2.TraceEvent.SerializeToString, events)
        return (checked(TRACE_EVENT, f"{self.field}[{place}]", event) for place, event in enumerate(events, first))

    @override
    async def draft(self, view: View | None, records: Sequence[bytes], first: int) -> Draft:
        splice = Splice(records, length=0)
        if view and self.log in view.logs:
            splice = Splice(records, since=view.revision, length=view.logs[self.log].length)
        # Other writes of the session do not matter, and all calls of one stream make the log longer.
        return Draft(Change(logs={self.log: splice}))


class RunTarget(Target):
    """The events of a stored run, of which as many are kept as `retention` says."""

    def __init__(self, backend: Backend, key: Key, run_id: str, retention: Retention) -> None:
        super().__init__(key, run_events(run_id), "run_events", run_documents(run_id))
        self._backend, self._run_id, self._retention = backend, run_id, retention
        self._next_sequence: int | None = None
        """That of the event that has to follow those of this call; None as long as there were none."""

    @override
    def check_open(self, view: View | None) -> None:
        if view is None or run_record(self._run_id) not in view.documents:
            raise InvalidArgumentError(field="run_id", problem=NOT_STORED)

    @override
    def checked(self, messages: Sequence[run_pb2.RunEventRecord], first: int) -> Iterator[bytes]:
        for place, event in enumerate(messages, first):
            if is_plain_run_event(event):
                record = event.SerializeToString()
            else:
                record = checked(RUN_EVENT, f"{self.field}[{place}]", event)
            if self._next_sequence is not None:
                check_sequences(self.field, [event], self._next_sequence, place)
            self._next_sequence = event.sequence + 1
            yield record

    @override
    async def draft(self, view: View | None, records: Sequence[bytes], first: int) -> Draft:
        end = await run_end(LogReader(self._backend, self.key, self.log, view), self._run_id) if view else None
        if end is None:
            raise InvalidArgumentError(field="run_id", problem=NOT_STORED)
        # The others follow it, as was checked when they came.
        check_sequences(self.field, [run_pb2.RunEventRecord.FromString(records[0])], end.next_sequence, first)
        change = await added_events(self._run_id, end, records, self._retention)
        return Draft(change, seen_revision=end.log.view.revision)


def is_plain_trace(event: trace_pb2.TraceEvent) -> bool:
    """Tell whether nothing of a trace event is left to check: it has no JSON, and protobuf checked the rest."""
    return event.kind in _KINDS and not (
        _has_in_trace(event, "details_json") or _has_in_trace(event, "unknown_fields_json")
    )


def is_plain_run_event(event: run_pb2.RunEventRecord) -> bool:
    """Tell whether nothing of a run event is left to check: it is a piece of text, or sound JSON of an unknown type."""
    if _has_in_run_event(event, "unknown_fields_json"):
        return False
    kind = _which_event(event.event, "event")
    if kind in _DELTAS:
        return not getattr(event.event, kind).HasField("unknown_fields_json")
    return kind == "unknown_json" and is_sound_unknown_event(event.event.unknown_json)
