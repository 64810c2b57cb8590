"""What the operations of a store take and return besides the models of the domain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Generic, TypeVar

from sessionstore.model import (
    ArtifactReference,
    Message,
    RunEventRecord,
    RunRecord,
    SessionData,
    SessionState,
    SubagentTaskSnapshot,
    ToolArtifact,
    TraceEvent,
    VerificationReport,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Revisioned(Generic[T]):
    """A value, and the revision at which it was read."""

    value: T
    revision: int


@dataclass(frozen=True, slots=True)
class CommittedRevision:
    """A revision of a session, and when it was committed."""

    revision: int
    commit_time: datetime


@dataclass(frozen=True, slots=True)
class SessionChange:
    """What one commit adds to a session; what is not named stays as it is."""

    session: SessionData | None = None
    """Replaces the session, with its whole conversation."""
    messages: Sequence[Message] = ()
    """Added to the end of the conversation; not together with `session`."""
    trace_events: Sequence[TraceEvent] = ()
    """Added to the end."""
    run_records: Sequence[RunRecord] = ()
    """Each replaces the run of its id, with its events, or is added to the end."""
    run_events: Mapping[str, Sequence[RunEventRecord]] = field(default_factory=dict)
    """Added, by run id, to runs that are stored or among `run_records`; their sequences go on where those end."""
    verification_reports: Sequence[VerificationReport] = ()
    """Added to the end."""
    artifacts: Sequence[ToolArtifact] = ()
    """Each replaces the artifact of its uri, or is added to the end."""
    artifact_references: Sequence[ArtifactReference] = ()
    """As `artifacts`; their content is stored already, by `write_blob`."""
    subagent_tasks: Sequence[SubagentTaskSnapshot] = ()
    """Each replaces the task of its id, or is added to the end."""


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """Which sessions to list: those for which all that is given holds."""

    state: SessionState | None = None
    tenant_id: str | None = None
    principal: str | None = None
    agent_template_id: str | None = None
    parent_id: str | None = None
    model_name: str | None = None
    name_prefix: str = ""
    created_from: int | None = None
    """Unix seconds; included, as in `updated_from`."""
    created_before: int | None = None
    """Unix seconds; not included, as in `updated_before`."""
    updated_from: int | None = None
    updated_before: int | None = None


class SessionOrder(Enum):
    """By what sessions are listed; those that are equal come in the order of the bytes of their ids."""

    ID = "id"
    CREATED_AT = "created_at"
    UPDATED_AT = "updated_at"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class TraceEventPage:
    """Some trace events of a session."""

    trace_events: Sequence[TraceEvent]
    next_position: int
    """Where to go on."""
    has_more: bool
    """There are more at present."""


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """Content that is stored under its digest."""

    sha256: str
    """Lower-case hex."""
    size: int
    """In bytes."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one writer to go on with a session until a time."""

    session_id: str
    holder: str
    epoch: int
    """Greater than that of every holder before; writes may carry it as `lease_epoch`."""
    acquire_time: datetime
    expire_time: datetime
    """By the clock of the store, as `acquire_time`."""


@dataclass(frozen=True, slots=True)
class CommitNotice:
    """A commit to a session or its records."""

    session_id: str
    revision: int
    commit_time: datetime
    deleted: bool
    """The session was deleted."""


@dataclass(frozen=True, slots=True)
class WatchPage:
    """Some commits, and the position from which a watch goes on after them."""

    commits: Sequence[CommitNotice]
    position: str


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a store keeps and guarantees. Nothing is promised unless it is said, so every flag starts as False."""

    artifacts: bool = False
    trace_events: bool = False
    run_records: bool = False
    verification_reports: bool = False
    subagent_tasks: bool = False
    snapshots: bool = False
    checkpoints: bool = False
    revisions: bool = False
    """Writes return revisions and may depend on them."""
    request_ids: bool = False
    """A write that is repeated with its request id takes effect once."""
    atomic_session_snapshots: bool = False
    """A snapshot is committed as one unit."""
    aggregate_cas: bool = False
    """A snapshot can be saved on condition of what is stored."""
    append_only_event_log: bool = False
    """Events are appended without rewriting what is there."""
    lease_fencing: bool = False
    """A writer that lost its lease is refused."""
    encrypted_at_rest: bool = False
    watch: bool = False
    """Commits can be watched."""
    reference_aware_artifact_gc: bool = False
    """The content of an artifact goes with the last reference to it, and never before."""
