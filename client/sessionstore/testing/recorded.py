"""Recorded sessions of real agents as snapshots, for tests with data that nobody made up for them.

A recording is one JSON object: `source`, `session_id`, `created_at`, `messages`, `events`, `artifacts` and perhaps
`extra`. Nothing of it is lost: what has no place in the models stands in unknown fields.
"""

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sessionstore.model import (
    Message,
    RunRecord,
    RunSnapshot,
    RunStatus,
    SessionConfig,
    SessionData,
    SessionSnapshot,
    SessionState,
    ToolArtifact,
    TraceEvent,
    TraceEventKind,
)
from sessionstore.testing.recorded_events import CARRIED, epoch_ms, run_event_records

Recording = Mapping[str, Any]
Block = Mapping[str, Any]


def load_recorded(path: Path) -> Iterator[SessionSnapshot]:
    """Read the recordings in a file, one per line, gzipped if its name ends in `.gz`; one at a time."""
    return map(snapshot_of, read_recordings(path))


def read_recordings(path: Path) -> Iterator[Recording]:
    """Read the recordings in a file as they are, one at a time."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def snapshot_of(recording: Recording) -> SessionSnapshot:
    """Return the session of a recording, with a run if it has events, and with the traces of its tool calls."""
    session_id = recording["session_id"]
    messages = [_message(message) for message in recording["messages"]]
    return SessionSnapshot(
        session=_session(recording, messages),
        artifacts=[_artifact(session_id, number, each) for number, each in enumerate(recording["artifacts"])],
        trace_events=list(_trace(recording["messages"])),
        run_records=_runs(recording, messages),
    )


def _session(recording: Recording, messages: list[Message]) -> SessionData:
    created_at = epoch_ms(recording["created_at"]) // 1000
    return SessionData.model_validate(
        {
            "id": recording["session_id"],
            "config": SessionConfig(name=recording["source"]),
            "state": SessionState.COMPLETED,
            "messages": messages,
            "tool_names": sorted({block["name"] for block in _blocks(recording["messages"], "tool_use")}),
            "created_at": created_at,
            "updated_at": created_at,
            CARRIED: {key: recording[key] for key in ("source", "created_at", "extra") if key in recording},
        }
    )


def _message(message: Recording) -> Message:
    return Message.model_validate({**message, "content": [_block(block) for block in message["content"]]})


def _block(block: Block) -> Block:
    """Return a block that the models know; one that they do not know becomes an empty text that carries it."""
    match block:
        case {"type": "text" | "tool_use"} | {"type": "image", "source": {"type": "base64"}}:
            return block
        case {"type": "tool_result", "content": [*parts]}:
            return {**block, "content": [_block(part) for part in parts]}
        case {"type": "tool_result"}:
            return block
    return {"type": "text", "text": "", CARRIED: block}


def _blocks(messages: Sequence[Recording], kind: str) -> Iterator[Block]:
    return (block for message in messages for block in message["content"] if block["type"] == kind)


def _trace(messages: Sequence[Recording]) -> Iterator[TraceEvent]:
    """Return one event per tool result; its name is that of the latest call with its id."""
    names: dict[str, str] = {}
    for block in (block for message in messages for block in message["content"]):
        if block["type"] == "tool_use":
            names[block["id"]] = block["name"]
        elif block["type"] == "tool_result":
            yield _trace_event(names.get(block["tool_use_id"], ""), block)


def _trace_event(name: str, result: Block) -> TraceEvent:
    failed, content = bool(result.get("is_error")), result["content"]
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return TraceEvent(
        kind=TraceEventKind.TOOL_EXECUTION,
        name=name,
        success=not failed,
        exit_code=int(failed),
        duration_ms=0,
        output_bytes=len(text.encode()),
        metadata_keys=tuple(sorted(result.get("extra", ()))),
    )


def _runs(recording: Recording, messages: Sequence[Message]) -> list[RunRecord]:
    if not recording["events"]:
        return []
    created_at_ms = epoch_ms(recording["created_at"])
    events = run_event_records(recording["events"], created_at_ms)
    snapshot = RunSnapshot(
        id=f"{recording['session_id']}/run",
        session_id=recording["session_id"],
        status=RunStatus.COMPLETED,
        prompt=_text_of(messages, "user"),
        created_at_ms=created_at_ms,
        updated_at_ms=events[-1].timestamp_ms,
        result_text=_text_of(messages[::-1], "assistant"),
        event_count=len(events),
    )
    return [RunRecord(snapshot=snapshot, events=events)]


def _text_of(messages: Sequence[Message], role: str) -> str:
    """Return the text of the first message of that role that has any."""
    wanted = (message.content for message in messages if message.role == role)
    texts = ("".join(block.text for block in content if block.type == "text") for content in wanted)
    return next(filter(None, texts), "")


def _artifact(session_id: str, number: int, artifact: Recording) -> ToolArtifact:
    content: str = artifact["text"] if "text" in artifact else artifact["base64"]
    size = len(content.encode())
    return ToolArtifact.model_validate(
        {
            "artifact_id": f"{session_id}:{number}",
            "artifact_uri": f"recorded://{session_id}/{number}",
            "tool_name": CARRIED,
            "content": content,
            "original_bytes": size,
            "shown_bytes": 0,
            CARRIED: {key: value for key, value in artifact.items() if key not in ("text", "base64")},
            "encoding": "text" if "text" in artifact else "base64",
        }
    )
