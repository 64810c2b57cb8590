"""Recorded events as run events: of the closest type that is known, otherwise of their own.

Each carries the recorded event whole in an unknown field, whatever its own fields tell of it.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sessionstore.model import (
    AgentEvent,
    ErrorEvent,
    RunEventRecord,
    TextDeltaEvent,
    ToolEndEvent,
    ToolExecutionStartEvent,
    UnknownEvent,
)

Recorded = Mapping[str, Any]

CARRIED = "recorded"
"""The unknown field that holds what a model has no place for."""


def run_event_records(events: Sequence[Recorded], created_at_ms: int) -> tuple[RunEventRecord, ...]:
    """Return the events of a run in their order. Times never go back, and stand still where none was recorded."""
    records: list[RunEventRecord] = []
    latest = created_at_ms
    for sequence, event in enumerate(events):
        latest = max(latest, epoch_ms(event["timestamp"]))
        records.append(RunEventRecord(sequence=sequence, timestamp_ms=latest, event=_event(event)))
    return tuple(records)


def epoch_ms(timestamp: str | None) -> int:
    """Return epoch milliseconds: of UTC where no zone was recorded, and 0 where no time was."""
    if timestamp is None:
        return 0
    moment = datetime.fromisoformat(timestamp)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _event(event: Recorded) -> AgentEvent:
    carried = {CARRIED: event}
    match event["type"].split("."), event["data"]:
        case ["action", *_], {"tool_call_metadata": {"tool_call_id": call_id, "function_name": name}, "args": args}:
            return ToolExecutionStartEvent(id=call_id, name=name, args=args, **carried)
        case ["observation", *_], {"tool_call_metadata": {"tool_call_id": call_id, "function_name": name}, **data}:
            return ToolEndEvent(id=call_id, name=name, output=data["content"], exit_code=_exit_code(data), **carried)
        case ["observation", "error"], {"content": message}:
            return ErrorEvent(message=message, **carried)
        case ["tool"], {"id": call_id, "function": name, "arguments": args, "result": result}:
            return ToolEndEvent(id=call_id, name=name, args=args, output=_text(result), exit_code=0, **carried)
        case ["model"], {"output": {"choices": [{"message": {"content": str(text)}}, *_]}}:
            return TextDeltaEvent(text=text, **carried)
    return UnknownEvent(type=f"{CARRIED}.{event['type']}", **carried)


def _exit_code(data: Mapping[Any, Any]) -> int:
    match data:
        case {"extras": {"metadata": {"exit_code": int(code)}}}:
            return code
    return 0


def _text(result: object) -> str:
    return result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
