"""Runs: what happened between a prompt and its result, as a snapshot and replayable events."""

from enum import StrEnum

from sessionstore.model.base import FrozenModel, OmitNone
from sessionstore.model.binding import CognitivePackageBinding, RunCapabilityBinding
from sessionstore.model.event import AgentEvent
from sessionstore.model.scalar import U64, Bool, Str


class RunStatus(StrEnum):
    """Where a run stands; the last three are final."""

    CREATED = "created"
    PLANNING = "planning"
    EXECUTING = "executing"
    VERIFYING = "verifying"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether no later status can follow."""
        return self in (RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED)


class RunWorkspaceChangeSet(FrozenModel):
    """What a run changed in its workspace: `git-tree:` names, and the patch between them as base64."""

    base_tree: Str
    result_tree: Str
    patch_digest: Str
    patch_bytes: U64
    patch_base64: Str
    observed_at_ms: U64


class RunSnapshot(FrozenModel):
    """A run without its events. Times are epoch milliseconds."""

    id: Str
    session_id: Str
    status: RunStatus
    prompt: Str
    cognitive_package_binding: OmitNone[CognitivePackageBinding] = None
    capability_binding: OmitNone[RunCapabilityBinding] = None
    created_at_ms: U64
    updated_at_ms: U64
    result_text: OmitNone[Str] = None
    error: OmitNone[Str] = None
    event_count: U64
    """How many events were ever recorded, also those that are no longer kept."""
    workspace_change_set: OmitNone[RunWorkspaceChangeSet] = None


class RunEventRecord(FrozenModel):
    """One event of a run. Sequences start at 0, rise, and never repeat within a run."""

    sequence: U64
    timestamp_ms: U64
    event: AgentEvent


class RunRecord(FrozenModel):
    """A run with the events that are kept of it; the oldest may have been dropped."""

    snapshot: RunSnapshot
    events: tuple[RunEventRecord, ...]


class RunEventPage(FrozenModel):
    """A part of a run's events, behind a cursor: the sequence of the last event that the reader has."""

    events: tuple[RunEventRecord, ...]
    first_available_sequence: U64 | None = None
    """The oldest sequence that is kept, None when none is."""
    latest_sequence_exclusive: U64
    next_after_sequence: U64 | None = None
    """The cursor for the next page."""
    retention_gap: Bool
    """Whether events between the cursor and this page were dropped."""
    has_more: Bool


class ActiveToolSnapshot(FrozenModel):
    """A tool that is running now; never part of a stored session."""

    id: Str
    name: Str
    started_at_ms: U64


def page_run_events(record: RunRecord, after_sequence: int | None, limit: int) -> RunEventPage:
    """Return up to `limit` events that follow the cursor `after_sequence` (None: from the beginning)."""
    start = 0 if after_sequence is None else after_sequence + 1
    first = record.events[0].sequence if record.events else None
    matching = [event for event in record.events if event.sequence >= start]
    events = tuple(matching[:limit])
    missed = first is None or start < first
    return RunEventPage(
        events=events,
        first_available_sequence=first,
        latest_sequence_exclusive=record.snapshot.event_count,
        next_after_sequence=events[-1].sequence if events else after_sequence,
        retention_gap=start < record.snapshot.event_count and missed,
        has_more=len(matching) > len(events),
    )
