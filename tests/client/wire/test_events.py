"""Events are read and written as the plan of the codec does, only faster; what is rare or wrong is left to it."""

from pathlib import Path

import pytest
from hypothesis import given, settings

from sessionstore import InvalidArgumentError, RunEventRecord, TraceEvent
from sessionstore.model import UnknownEvent
from sessionstore.model.open_value import MAX_DEPTH
from sessionstore.testing import load_recorded
from sessionstore.testing.fidelity import any_value
from sessionstore.testing.strategies import models, one_run_event_of_each_type
from sessionstore.v1.run_pb2 import RunEventRecord as RunEventMessage
from sessionstore.v1.trace_pb2 import TRACE_EVENT_KIND_TOOL_EXECUTION
from sessionstore.v1.trace_pb2 import TraceEvent as TraceMessage
from sessionstore.wire import events, records
from sessionstore.wire.codec import Codec

RECORDED = Path(__file__).parents[2] / "samples" / "recorded.jsonl"
RUN_EVENTS = Codec(RunEventRecord, RunEventMessage)
TRACE_EVENTS = Codec(TraceEvent, TraceMessage)
USUAL = {
    "turn_start",
    "text_delta",
    "reasoning_delta",
    "tool_start",
    "tool_input_delta",
    "tool_execution_start",
    "tool_output_delta",
    "tool_end",
    "error",
}
UNKNOWN = '{"later":{"list":[1,[2.5],{"a":null}]},"flag":true}'
SPARSE = {
    "empty text": {"text_delta": {}},
    "input of the call that started last": {"tool_input_delta": {"delta": "{"}},
    "arguments that are null": {"tool_execution_start": {"args_json": "null"}},
    "an end without anything": {"tool_end": {"unknown_fields_json": "{}"}},
    "an end with arguments that are null": {"tool_end": {"args_json": "null", "metadata_json": UNKNOWN}},
    "unknown fields": {"text_delta": {"text": "é", "unknown_fields_json": UNKNOWN}},
    "an unknown type": {"unknown_json": '{"a":[1.5,{"b":-0.0}],"type":"later","type2":[]}'},
}
UNSOUND = {
    "an unset event": {},
    "an unknown type that is no JSON": {"unknown_json": "{"},
    "an unknown type without a type": {"unknown_json": UNKNOWN},
    "an unknown type whose type is no text": {"unknown_json": '{"type":1}'},
    "an unknown type that is no object": {"unknown_json": '["type"]'},
    "an unknown type with a number beyond all bounds": {"unknown_json": '{"type":"later","a":[{"b":-1e999}]}'},
    "an unknown type that is too deep": {"unknown_json": '{"type":"later","a":' + "[" * 128 + "]" * 128 + "}"},
    "no arguments": {"tool_execution_start": {}},
    "metadata that is no JSON": {"tool_end": {"metadata_json": "{"}},
    "unknown fields that are no object": {"text_delta": {"unknown_fields_json": "[]"}},
}


def run_event(event: object, **fields: object) -> RunEventMessage:
    return RunEventMessage(sequence=7, timestamp_ms=2**64 - 1, event=event, **fields)


def nested(levels: int) -> str:
    return '{"type":"later","a":' + "[" * levels + "]" * levels + "}"


def assert_same(found, planned) -> None:
    assert found == planned
    assert repr(found) == repr(planned)
    assert found.model_dump_json() == planned.model_dump_json()


def assert_read_as_by_plan(message: RunEventMessage) -> None:
    assert_same(events.read_run_event(message), RUN_EVENTS.from_proto(message))


def written_trace_event(event: TraceEvent) -> TraceMessage:
    message = TraceMessage()
    events.fill_trace_event(event, message)
    return message


def written_run_event(record: RunEventRecord) -> RunEventMessage:
    message = RunEventMessage()
    events.fill_run_event(record, message)
    return message


def is_usual(record: RunEventRecord) -> bool:
    known = record.event.type in USUAL and getattr(record.event, "error_kind", None) is None
    return known or isinstance(record.event, UnknownEvent)


@any_value
@given(models(TraceEvent))
def test_every_trace_event(event: TraceEvent) -> None:
    message = TRACE_EVENTS.to_proto(event)
    assert written_trace_event(event) == message
    assert_same(events.read_trace_event(message), TRACE_EVENTS.from_proto(message))


@settings(any_value, max_examples=10)
@given(one_run_event_of_each_type())
def test_every_run_event(drawn: tuple[RunEventRecord, ...]) -> None:
    assert {record.event.type for record in filter(is_usual, drawn)} >= USUAL - {"tool_end"}
    for record in drawn:
        message = RUN_EVENTS.to_proto(record)
        if is_usual(record):
            assert written_run_event(record) == message
            assert_read_as_by_plan(message)
        else:
            with pytest.raises((KeyError, ValueError)):
                written_run_event(record)
            with pytest.raises((KeyError, ValueError)):
                events.read_run_event(message)
        assert_same(records.RUN_EVENT.from_proto(message), record)


def test_recorded_events() -> None:
    snapshots = list(load_recorded(RECORDED))
    for record in (event for snapshot in snapshots for run in snapshot.run_records for event in run.events):
        assert_same(records.RUN_EVENT.from_proto(records.RUN_EVENT.to_proto(record)), record)
    for event in (event for snapshot in snapshots for event in snapshot.trace_events):
        assert written_trace_event(event) == TRACE_EVENTS.to_proto(event)


@pytest.mark.parametrize("event", SPARSE.values(), ids=SPARSE)
def test_what_is_not_set(event: object) -> None:
    assert_read_as_by_plan(run_event(event))
    assert_read_as_by_plan(run_event(event, unknown_fields_json=UNKNOWN))
    written = RUN_EVENTS.from_proto(run_event(event))
    assert written_run_event(written) == RUN_EVENTS.to_proto(written)


@pytest.mark.parametrize("event", UNSOUND.values(), ids=UNSOUND)
def test_what_is_not_sound_is_left_to_the_plan(event: object) -> None:
    with pytest.raises((KeyError, ValueError)):
        events.read_run_event(run_event(event))
    with pytest.raises(InvalidArgumentError, match=r"^event"):
        records.RUN_EVENT.from_proto(run_event(event))


@pytest.mark.parametrize("event", [*SPARSE.values(), *UNSOUND.values()], ids=[*SPARSE, *UNSOUND])
def test_an_unknown_event_is_sound_when_it_can_be_read(event: dict[str, str]) -> None:
    if "unknown_json" not in event:
        return
    try:
        events.read_run_event(run_event(event))
    except ValueError:
        assert not events.is_sound_unknown_event(event["unknown_json"])
    else:
        assert events.is_sound_unknown_event(event["unknown_json"])


def test_the_deepest_unknown_event() -> None:
    assert events.is_sound_unknown_event(nested(MAX_DEPTH - 1))
    assert_read_as_by_plan(run_event({"unknown_json": nested(MAX_DEPTH - 1)}))
    assert not events.is_sound_unknown_event(nested(MAX_DEPTH))
    # One level more than this way is sure of, and the plan is.
    assert records.RUN_EVENT.from_proto(run_event({"unknown_json": nested(MAX_DEPTH)})).event.type == "later"


def test_a_known_event_that_travels_as_an_unknown_one_becomes_what_it_is() -> None:
    text = '{"type":"text_delta","text":"a"}'
    assert not events.is_sound_unknown_event(text)
    assert records.RUN_EVENT.from_proto(run_event({"unknown_json": text})).event.text == "a"


def test_a_field_that_an_older_program_did_not_know_is_taken_by_name() -> None:
    message = run_event({"tool_end": {"output": "a", "unknown_fields_json": '{"exit_code":3,"b":1}'}})
    made = records.RUN_EVENT.from_proto(message)
    assert (made.event.exit_code, made.event.model_extra) == (3, {"b": 1})
    traced = TraceMessage(kind=TRACE_EVENT_KIND_TOOL_EXECUTION, unknown_fields_json='{"name":"a","b":1}')
    made = records.TRACE_EVENT.from_proto(traced)
    assert (made.name, made.model_extra) == ("a", {"b": 1})


def test_a_trace_event_with_no_schema_has_the_only_one() -> None:
    message = TraceMessage(kind=TRACE_EVENT_KIND_TOOL_EXECUTION, details_json="null")
    assert_same(events.read_trace_event(message), TRACE_EVENTS.from_proto(message))


@pytest.mark.parametrize("bad", [{}, {"kind": 99}, {"details_json": "{"}, {"unknown_fields_json": "[1"}])
def test_a_trace_event_that_is_not_sound_is_left_to_the_plan(bad: dict[str, object]) -> None:
    message = TraceMessage(**{"kind": TRACE_EVENT_KIND_TOOL_EXECUTION, **bad} if bad else {})
    with pytest.raises((KeyError, ValueError)):
        events.read_trace_event(message)
    with pytest.raises(InvalidArgumentError):
        records.TRACE_EVENT.from_proto(message)
