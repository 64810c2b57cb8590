"""Tasks that a session gave to its subagents."""

from enum import StrEnum

from sessionstore.model.base import FrozenModel, OmitEmpty, OmitNone
from sessionstore.model.open_value import OpenValue
from sessionstore.model.scalar import U64, Bool, Str


class SubagentStatus(StrEnum):
    """Where a subagent stands."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class SourceAnchor(FrozenModel):
    """Where a statement comes from: the tool that read it, and the URL or path."""

    tool: Str
    url_or_path: Str


class SubagentProgressEntry(FrozenModel):
    """One report of a subagent at work."""

    timestamp_ms: U64
    status: Str
    metadata: OpenValue


class SubagentTaskSnapshot(FrozenModel):
    """One task of a subagent. Old data may have an empty `parent_session_id`. Times are epoch milliseconds."""

    task_id: Str
    parent_session_id: Str
    child_session_id: Str
    agent: Str
    description: Str
    status: SubagentStatus
    started_ms: U64
    updated_ms: U64
    finished_ms: OmitNone[U64] = None
    output: OmitNone[Str] = None
    success: OmitNone[Bool] = None
    source_anchors: OmitEmpty[tuple[SourceAnchor, ...]] = ()
    progress: tuple[SubagentProgressEntry, ...]
