"""Reads and writes events in straight lines, because streams are made of thousands of them.

The outcome is that of the plan in `codec.py`. The plan is left what is rare, that is events of other kinds than the
usual ones and with parts of their own, and what is wrong: an error says so, and gives no reason.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Never, TypeGuard

from google.protobuf.descriptor import FieldDescriptor
from pydantic import JsonValue

from sessionstore.model import (
    ErrorEvent,
    FrozenDict,
    FrozenModel,
    ReasoningDeltaEvent,
    RunEventRecord,
    TextDeltaEvent,
    ToolEndEvent,
    ToolExecutionStartEvent,
    ToolInputDeltaEvent,
    ToolOutputDeltaEvent,
    ToolStartEvent,
    TraceEvent,
    TraceEventKind,
    TurnStartEvent,
    UnknownEvent,
)
from sessionstore.model.base import make_frozen
from sessionstore.model.event import KNOWN_EVENT_TYPES
from sessionstore.model.open_value import frozen_from_json, json_from_frozen
from sessionstore.model.trace import TRACE_EVENT_SCHEMA
from sessionstore.v1 import event_pb2, run_pb2, trace_pb2
from sessionstore.wire.json_text import sound_json

_NOTHING = FrozenDict()
_TRACE_KINDS = {
    trace_pb2.TRACE_EVENT_KIND_TOOL_EXECUTION: TraceEventKind.TOOL_EXECUTION,
    trace_pb2.TRACE_EVENT_KIND_PROGRAM_EXECUTION: TraceEventKind.PROGRAM_EXECUTION,
}
_TRACE_KIND_NUMBERS = {kind: number for number, kind in _TRACE_KINDS.items()}

# Taken from the classes, because a message that is asked for a method looks for a field of that name first.
_has_in_trace = trace_pb2.TraceEvent.HasField
_has_in_run_event = run_pb2.RunEventRecord.HasField
_which_event = event_pb2.AgentEvent.WhichOneof


def read_trace_event(message: trace_pb2.TraceEvent) -> TraceEvent:
    """Return the model that `message` carries. Errors: KeyError or ValueError, for the plan."""
    values: dict[str, object] = {
        "schema": message.schema if _has_in_trace(message, "schema") else TRACE_EVENT_SCHEMA,
        "kind": _TRACE_KINDS[message.kind],
        "name": message.name,
        "success": message.success,
        "exit_code": message.exit_code,
        "duration_ms": message.duration_ms,
        "output_bytes": message.output_bytes,
        "metadata_keys": tuple(message.metadata_keys),
        "artifact_uris": tuple(message.artifact_uris),
        "details": frozen_from_json(message.details_json) if _has_in_trace(message, "details_json") else None,
    }
    unknown = _unknown(message, values) if _has_in_trace(message, "unknown_fields_json") else _NOTHING
    return make_frozen(TraceEvent, values, unknown)


def fill_trace_event(event: TraceEvent, message: trace_pb2.TraceEvent) -> None:
    """Write `event` into a new message. Errors: AttributeError, KeyError, TypeError or ValueError, for the plan."""
    message.schema = event.schema
    message.kind = _TRACE_KIND_NUMBERS[event.kind]
    message.name = event.name
    message.success = event.success
    message.exit_code = event.exit_code
    message.duration_ms = event.duration_ms
    message.output_bytes = event.output_bytes
    if event.metadata_keys:
        message.metadata_keys.extend(event.metadata_keys)
    if event.artifact_uris:
        message.artifact_uris.extend(event.artifact_uris)
    if event.details is not None:
        message.details_json = json_from_frozen(event.details)
    if event.__pydantic_extra__:
        message.unknown_fields_json = json_from_frozen(event.__pydantic_extra__)


def read_run_event(message: run_pb2.RunEventRecord) -> RunEventRecord:
    """Return the model that `message` carries. Errors: KeyError or ValueError, for the plan."""
    values: dict[str, object] = {
        "sequence": message.sequence,
        "timestamp_ms": message.timestamp_ms,
        "event": _read_event(message.event),
    }
    unknown = _unknown(message, values) if _has_in_run_event(message, "unknown_fields_json") else _NOTHING
    return make_frozen(RunEventRecord, values, unknown)


def fill_run_event(record: RunEventRecord, message: run_pb2.RunEventRecord) -> None:
    """Write `record` into a new message. Errors: AttributeError, KeyError, TypeError or ValueError, for the plan."""
    message.sequence = record.sequence
    message.timestamp_ms = record.timestamp_ms
    if type(record.event) is UnknownEvent:
        unknown = record.event.__pydantic_extra__ or _NOTHING
        message.event.unknown_json = json_from_frozen({"type": record.event.type, **unknown})
    else:
        _write_event(record.event, message.event)
    if record.__pydantic_extra__:
        message.unknown_fields_json = json_from_frozen(record.__pydantic_extra__)


def is_sound_unknown_event(text: str) -> bool:
    """Tell whether an `UnknownEvent` can surely be made of a JSON text, without making it."""
    try:
        return _is_unknown_event(sound_json(text))
    except ValueError:
        return False


def _read_event(message: event_pb2.AgentEvent) -> FrozenModel:
    kind = _which_event(message, "event")
    if kind == "unknown_json":
        return _read_unknown_event(message.unknown_json)
    model_class, fields = _USUAL[kind]
    part: Any = getattr(message, kind or "")
    values: dict[str, object] = {"type": kind}
    for name, target, is_optional, read, _ in fields:
        value = None if is_optional and not part.HasField(target) else getattr(part, target)
        values[name] = value if read is None or value is None else read(value)
    unknown = _unknown(part, values) if part.HasField("unknown_fields_json") else _NOTHING
    return make_frozen(model_class, values, unknown)


def _write_event(event: FrozenModel, message: event_pb2.AgentEvent) -> None:
    values = event.__dict__
    kind = values["type"]
    _, fields = _USUAL[kind]
    part: Any = getattr(message, kind)
    part.SetInParent()
    for name, target, is_optional, _, write in fields:
        value = values[name]
        if value is not None or not is_optional:
            setattr(part, target, value if write is None else write(value))
    if event.__pydantic_extra__:
        part.unknown_fields_json = json_from_frozen(event.__pydantic_extra__)


def _read_unknown_event(text: str) -> UnknownEvent:
    values = frozen_from_json(text)
    if not _is_unknown_event(values):
        raise ValueError
    unknown = FrozenDict({key: value for key, value in values.items() if key != "type"})
    return make_frozen(UnknownEvent, {"type": values["type"]}, unknown)


def _is_unknown_event(values: object) -> TypeGuard[Mapping[str, JsonValue]]:
    kind = values.get("type") if isinstance(values, dict) else None
    return isinstance(kind, str) and kind not in KNOWN_EVENT_TYPES


def _unknown(message: Any, values: Mapping[str, object]) -> FrozenDict:  # noqa: ANN401 - any of the messages
    """Return the fields that the writer of a message knew and this program, which knows `values`, does not."""
    unknown = frozen_from_json(message.unknown_fields_json)
    if not isinstance(unknown, FrozenDict) or not unknown.keys().isdisjoint(values):
        raise ValueError
    return unknown


def _leave_to_plan(_value: object) -> Never:
    raise ValueError


class _Field(NamedTuple):
    """A field of an event: its names in the model and in protobuf, and what makes one value of the other."""

    name: str
    target: str
    is_optional: bool
    read: Callable[[Any], object] | None = None
    write: Callable[[Any], object] | None = None


class _Usual(NamedTuple):
    """A kind of event that is often sent."""

    model_class: type[FrozenModel]
    fields: Sequence[_Field]


def _usual(kind: str, model_class: type[FrozenModel]) -> _Usual:
    known = getattr(event_pb2.AgentEvent(), kind).DESCRIPTOR.fields_by_name
    names = [name for name in model_class.__pydantic_fields__ if name != "type"]
    return _Usual(model_class, [_field(name, known.get(name) or known[name + "_json"]) for name in names])


def _field(name: str, field: FieldDescriptor) -> _Field:
    if field.message_type:
        return _Field(name, name, True, _leave_to_plan, _leave_to_plan)
    if field.name == name:
        return _Field(name, name, field.has_presence)
    return _Field(name, field.name, field.has_presence, frozen_from_json, json_from_frozen)


_USUAL: Mapping[str | None, _Usual] = {
    "turn_start": _usual("turn_start", TurnStartEvent),
    "text_delta": _usual("text_delta", TextDeltaEvent),
    "reasoning_delta": _usual("reasoning_delta", ReasoningDeltaEvent),
    "tool_start": _usual("tool_start", ToolStartEvent),
    "tool_input_delta": _usual("tool_input_delta", ToolInputDeltaEvent),
    "tool_execution_start": _usual("tool_execution_start", ToolExecutionStartEvent),
    "tool_output_delta": _usual("tool_output_delta", ToolOutputDeltaEvent),
    "tool_end": _usual("tool_end", ToolEndEvent),
    "error": _usual("error", ErrorEvent),
}
"""The kinds of events that make up nearly all of a run, by their types."""
