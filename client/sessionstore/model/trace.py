"""Trace events: one compact line about each tool or program that ran."""

from enum import StrEnum

from sessionstore.model.base import FrozenModel, OmitEmpty, OmitNone, RequiredInJson
from sessionstore.model.open_value import OpenValue
from sessionstore.model.scalar import I32, U64, Bool, Str

TRACE_EVENT_SCHEMA = "a3s.trace_event.v1"


class TraceEventKind(StrEnum):
    """What ran."""

    TOOL_EXECUTION = "tool_execution"
    PROGRAM_EXECUTION = "program_execution"


class TraceEvent(FrozenModel):
    """One execution; `name` is that of the tool or program, the two lists are sorted and unique."""

    schema: RequiredInJson[Str] = TRACE_EVENT_SCHEMA
    kind: TraceEventKind
    name: Str
    success: Bool
    exit_code: I32
    duration_ms: U64
    output_bytes: U64
    metadata_keys: OmitEmpty[tuple[Str, ...]] = ()
    artifact_uris: OmitEmpty[tuple[Str, ...]] = ()
    details: OmitNone[OpenValue] = None
