"""What streams of events append: every reader takes it, although protobuf alone has checked most of it."""

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from hypothesis import given
from hypothesis import strategies as st

from sessionstore.errors import InvalidArgumentError
from sessionstore.testing.appends import numbered_traces
from sessionstore.testing.run_records import text_events
from sessionstore.v1.run_pb2 import RunEventRecord
from sessionstore.v1.trace_pb2 import TRACE_EVENT_KIND_TOOL_EXECUTION, TraceEvent
from sessionstore.wire.records import RUN_EVENT, TRACE_EVENT
from sessionstore_server.backends.base import Key
from sessionstore_server.backends.memory import MemoryBackend
from sessionstore_server.services.keys import SESSIONS
from sessionstore_server.services.records.retention import UNLIMITED
from sessionstore_server.services.streams.append_targets import (
    RunTarget,
    TraceTarget,
    is_plain_run_event,
    is_plain_trace,
)

KEY = Key("default", SESSIONS, "a")
DELTAS = ("text_delta", "reasoning_delta", "tool_input_delta", "tool_output_delta")

_SCALARS = {
    FieldDescriptor.TYPE_STRING: st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_UINT64: st.integers(0, 2**64 - 1),
}


def values(field: FieldDescriptor) -> st.SearchStrategy:
    if field.enum_type:
        return st.sampled_from([*field.enum_type.values_by_number, 99])
    return st.lists(_SCALARS[field.type], max_size=3) if field.is_repeated else _SCALARS[field.type]


def fields(descriptor: Descriptor) -> st.SearchStrategy:
    """Draw values of any fields that hold no message."""
    return st.fixed_dictionaries(
        {}, optional={field.name: values(field) for field in descriptor.fields if not field.message_type}
    )


@given(fields(TraceEvent.DESCRIPTOR))
def test_every_reader_takes_a_plain_trace_event(drawn) -> None:
    event = TraceEvent(**drawn)
    if is_plain_trace(event):
        TRACE_EVENT.from_proto(event)


@pytest.mark.parametrize("kind", DELTAS)
@given(st.data())
def test_every_reader_takes_a_plain_delta(kind: str, data) -> None:
    delta = getattr(RunEventRecord().event, kind)
    drawn = data.draw(fields(RunEventRecord.DESCRIPTOR))
    event = RunEventRecord(event={kind: data.draw(fields(delta.DESCRIPTOR))}, **drawn)
    if is_plain_run_event(event):
        RUN_EVENT.from_proto(event)


def test_usual_events_are_plain() -> None:
    assert all(map(is_plain_trace, map(TRACE_EVENT.to_proto, numbered_traces(3))))
    assert all(map(is_plain_run_event, map(RUN_EVENT.to_proto, text_events(3))))
    for kind in DELTAS:
        assert is_plain_run_event(RunEventRecord(event={kind: {}}))


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (TraceEvent(), "kind"),
        (TraceEvent(kind=99), "kind"),
        (TraceEvent(kind=TRACE_EVENT_KIND_TOOL_EXECUTION, details_json="{"), "details"),
        (TraceEvent(kind=TRACE_EVENT_KIND_TOOL_EXECUTION, unknown_fields_json="[1"), "unknown_fields_json"),
    ],
)
def test_a_bad_trace_event_is_named(event: TraceEvent, field: str) -> None:
    good = TRACE_EVENT.to_proto(numbered_traces(1)[0])
    with pytest.raises(InvalidArgumentError) as caught:
        list(TraceTarget(KEY).checked([good, event], 7))
    assert caught.value.field == f"trace_events[8].{field}"


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (RunEventRecord(sequence=1), "event"),
        (RunEventRecord(sequence=1, event={"unknown_json": "{"}), "event"),
        (RunEventRecord(sequence=1, event={"text_delta": {"unknown_fields_json": "{"}}), "event"),
        (RunEventRecord(sequence=1, event={"text_delta": {}}, unknown_fields_json="{"), "unknown_fields_json"),
        (RunEventRecord(sequence=2, event={"text_delta": {}}), "sequence"),
    ],
)
def test_a_bad_run_event_is_named(event: RunEventRecord, field: str) -> None:
    target = RunTarget(MemoryBackend(), KEY, "run", UNLIMITED)
    list(target.checked([RunEventRecord(event={"text_delta": {}})], 6))
    with pytest.raises(InvalidArgumentError) as caught:
        list(target.checked([event], 7))
    assert caught.value.field.startswith(f"run_events[7].{field}")
