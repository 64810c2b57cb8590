"""A session as people read it in a terminal. Nothing that was stored can send control codes to the terminal."""

import json
import unicodedata
from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from sessionstore.model import (
    ContentBlock,
    ImageBlock,
    ImageSource,
    Message,
    SessionSnapshot,
    TextBlock,
    ToolResultBlock,
    ToolUseBlock,
)

_HARMLESS = "\n\t\u200d"
"""Line breaks, tabs, and what joins emoji."""
_ROLE_STYLES = {"user": "bold green", "assistant": "bold cyan", "system": "bold magenta"}


def printable(text: str) -> str:
    """Return `text` with every control character, other than line breaks and tabs, made visible and harmless."""
    return "".join(repr(char)[1:-1] if _is_control(char) else char for char in text)


def printable_line(text: str) -> str:
    """Return `text` as one line, with nothing in it that moves the cursor."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def printable_json(text: str) -> str:
    """Return the same JSON with the control characters escaped that JSON, but no terminal, takes as they are."""
    return "".join(json.dumps(char)[1:-1] if _is_control(char) else char for char in text)


def render_snapshot(snapshot: SessionSnapshot) -> RenderableType:
    """Return the session, its conversation and what is recorded beside it."""
    session = snapshot.session
    head = Text(printable_line(session.id), style="bold")
    parts: list[RenderableType] = [head, *_facts(snapshot), Rule()]
    for message in session.messages:
        parts += [_role(message), Padding(Group(*map(_block, message.content)), (0, 0, 1, 2))]
    return Group(*parts)


def _facts(snapshot: SessionSnapshot) -> Iterator[Text]:
    session = snapshot.session
    facts = {
        "name": session.config.name,
        "workspace": session.config.workspace,
        "model": session.model_name or "",
        "state": session.state.value,
        "context": f"{session.context_usage.used_tokens} of {session.context_usage.max_tokens} tokens",
        "used": f"{session.total_usage.total_tokens} tokens, ${session.total_cost:.4f}",
        "messages": str(len(session.messages)),
        "runs": ", ".join(f"{run.snapshot.id} ({run.snapshot.status.value})" for run in snapshot.run_records),
        "trace events": _count(snapshot.trace_events),
        "artifacts": ", ".join(artifact.artifact_uri for artifact in snapshot.artifacts),
        "reports": ", ".join(f"{report.subject}: {report.status.value}" for report in snapshot.verification_reports),
        "subagents": ", ".join(f"{task.agent}: {task.status.value}" for task in snapshot.subagent_tasks),
    }
    for name, value in facts.items():
        if value:
            yield Text.assemble((f"  {name:<13}", "dim"), printable_line(value))


def _is_control(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cf") and char not in _HARMLESS


def _count(items: Sequence[object]) -> str:
    return str(len(items)) if items else ""


def _role(message: Message) -> Text:
    return Text(printable_line(message.role), style=_ROLE_STYLES.get(message.role, "bold"))


def _block(block: ContentBlock) -> Text:
    match block:
        case TextBlock():
            return Text(printable(block.text))
        case ImageBlock():
            return _image(block.source)
        case ToolUseBlock():
            arguments = json.dumps(block.input, ensure_ascii=False)
            return Text.assemble(("calls ", "dim"), (printable(block.name), "yellow"), printable(f" {arguments}"))
        case ToolResultBlock():
            style = "red" if block.is_error else "dim"
            return Text.assemble(("result ", style), _result(block))


def _result(block: ToolResultBlock) -> Text:
    if isinstance(block.content, str):
        return Text(printable(block.content))
    return Text("\n").join(_block(part) for part in block.content)


def _image(source: ImageSource) -> Text:
    return Text(printable(f"[{source.media_type}, {len(source.data)} bytes of {source.type}]"), style="italic")
