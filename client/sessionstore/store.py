"""The interface of every session store, in process and remote.

A session is kept whole: configuration, conversation, context usage. Beside it stand its records: artifacts, trace
events, run records, verification reports and subagent tasks, which may be saved before the session itself.
Checkpoints belong to a run or a workflow and outlive the session.

Common to all methods:

- Nothing is shared. What a caller passes in may be changed afterwards, and what is returned belongs to the caller.
- A write is whole or not at all, and durable when it returns (as durable as the medium: memory ends with the process).
- Ids are non-empty UTF-8 text without NUL, at most 512 bytes; slashes, dots and emoji are ordinary characters. Anything
  else is an InvalidArgumentError.
- Absence is not an error: loading gives None, deleting succeeds.
- What is stored but cannot be read is a DataCorruptionError, never None.
- Calls may run concurrently; of two writes to one thing the later wins, whole.

A session and its records share one revision, which each write and each deletion moves on by one; 0 stands for absent.
Every write returns the revision it made. With `expected_revision` it takes effect only if the session is at that
revision (0: absent), else it is a RevisionConflictError that tells the present one. A store without revisions, as
`capabilities` says, returns 0 and refuses `expected_revision`.
"""

import asyncio
import builtins
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Self, TypeVar

from sessionstore.errors import InvalidArgumentError, RevisionConflictError, UnsupportedOperationError
from sessionstore.model import (
    ArtifactStore,
    LoopCheckpoint,
    RunRecord,
    SessionData,
    SessionPage,
    SessionSnapshot,
    SessionSummary,
    SubagentTaskSnapshot,
    TraceEvent,
    VerificationReport,
    WorkflowCheckpoint,
)
from sessionstore.pages import page_limit, page_position, page_token_after

T = TypeVar("T")

_FIRST_PAUSE_SECONDS = 0.01
_LONGEST_PAUSE_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Revisioned(Generic[T]):
    """A value, and the revision at which it was read."""

    value: T
    revision: int


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


class SessionStore(ABC):
    """Where an agent runtime keeps its sessions.

    A store of your own needs the five abstract methods. The others then refuse what they would not keep: saving
    something is an UnsupportedOperationError, saving nothing succeeds, loading gives None. A store that overrides them
    says so in `capabilities`; over RPC only what stands there is taken.

    Use it as `async with store:`, or call `aclose` when done; the first call opens it if needed.
    """

    @classmethod
    def from_url(cls, url: str, *, create: bool = True) -> Self:
        """Make the store that `url` names, for `open_store`.

        Errors: InvalidArgumentError when it names none, or one that does not exist and may not be created.
        """
        raise InvalidArgumentError(field="url", problem=f"{cls.__name__} cannot be opened by URL")

    @property
    def backend_name(self) -> str:
        """The name of the kind of store, such as `memory`, `file` or `remote`."""
        return "unknown"

    # The five operations every store has.

    @abstractmethod
    async def save(self, session: SessionData, *, expected_revision: int | None = None) -> int:
        """Store the session, replacing what `session.id` held before. Its records stay as they are.

        A runtime hook engine and `llm_config.api_key` are not stored. What the store has already of the conversation is
        not sent again, when its messages are the very ones that this store loaded or saved.
        """

    @abstractmethod
    async def load(self, session_id: str) -> SessionData | None:
        """Return the session as it was last saved, or None.

        Its messages are shared with earlier answers of this store; they never change.
        """

    @abstractmethod
    async def delete(self, session_id: str, *, expected_revision: int | None = None) -> None:
        """Remove the session and all its records. Checkpoints stay."""

    @abstractmethod
    async def list(self) -> builtins.list[str]:
        """Return the ids of all saved sessions, sorted by their UTF-8 bytes, those that cannot be read among them."""

    @abstractmethod
    async def exists(self, session_id: str) -> bool:
        """Tell whether the session was saved. Records alone do not make a session."""

    # Revisions.

    async def revision(self, session_id: str) -> int:
        """Return the present revision of the session and its records, 0 when there is nothing."""
        raise UnsupportedOperationError(operation="revision", backend=self.backend_name)

    async def load_with_revision(self, session_id: str) -> Revisioned[SessionData] | None:
        """Return the session with the revision at which it was read, or None."""
        raise UnsupportedOperationError(operation="load_with_revision", backend=self.backend_name)

    async def update(
        self, session_id: str, change: Callable[[SessionData], SessionData | None], *, attempts: int = 100
    ) -> SessionData | None:
        """Load the session, let `change` edit or replace it, and save it if nobody else wrote in between.

        Otherwise it starts again, up to `attempts` times in all, so `change` may be called several times. Returns what
        was saved, or None when there is no such session. Errors: RevisionConflictError after the last attempt;
        InvalidArgumentError when `change` gives the session another id.
        """
        for attempt in range(attempts):
            found = await self.load_with_revision(session_id)
            if found is None:
                return None
            session = change(found.value) or found.value
            if session.id != session_id:
                raise InvalidArgumentError(field="change", problem=f"must leave the id {session_id!r} as it is")
            try:
                await self.save(session, expected_revision=found.revision)
            except RevisionConflictError:
                if attempt + 1 == attempts:
                    raise
                pause = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2**attempt)
                await asyncio.sleep(random.uniform(0, pause))  # noqa: S311 - no secret
            else:
                return session
        raise InvalidArgumentError(field="attempts", problem="must be at least 1")

    # Lists for people and user interfaces.

    async def list_sessions(self, page_size: int = 0, page_token: str = "") -> SessionPage:
        """Return a page of session summaries, by id in the order of UTF-8 bytes.

        `page_size` 0 means 100, more than 1,000 means 1,000; `page_token` is the `next_page_token` of the page before,
        which is empty on the last page. Sessions saved or deleted between two pages are seen or not; no other is
        skipped or repeated. Unless overridden, this loads every session of the page.
        """
        limit, after = page_limit(page_size), page_position("sessions", page_token)
        ids = [session_id for session_id in await self.list() if after is None or session_id > after]
        sessions = [await self.load(session_id) for session_id in ids[:limit]]
        return SessionPage(
            sessions=tuple(SessionSummary.of(session) for session in sessions if session is not None),
            next_page_token=page_token_after("sessions", ids[limit - 1]) if len(ids) > limit else "",
        )

    async def list_unsaved(self) -> builtins.list[str]:
        """Return the ids under which records were saved, but no session, sorted by their UTF-8 bytes."""
        return []

    # A whole generation: the session with all its records.

    async def save_snapshot(self, snapshot: SessionSnapshot, *, expected_revision: int | None = None) -> int:
        """Store the session and all its records as one unit, replacing everything its id held before.

        Errors: UnsupportedVersionError unless `schema_version` is 1.
        """
        raise UnsupportedOperationError(operation="save_snapshot", backend=self.backend_name)

    async def is_snapshot(self, session_id: str) -> bool:
        """Tell whether the session was saved by `save_snapshot`. A later `save` changes nothing about that."""
        return False

    async def load_snapshot(self, session_id: str) -> SessionSnapshot | None:
        """Return the session with all its records, or None when the session was not saved.

        Records that were never saved are empty.
        """
        session = await self.load(session_id)
        if session is None:
            return None
        artifacts = await self.load_artifacts(session_id) or ArtifactStore()
        return SessionSnapshot(
            session=session,
            artifacts=tuple(artifacts),
            retained_artifact_uris=tuple(sorted(artifacts.retained_uris)),
            trace_events=tuple(await self.load_trace_events(session_id) or ()),
            run_records=tuple(await self.load_run_records(session_id) or ()),
            verification_reports=tuple(await self.load_verification_reports(session_id) or ()),
            subagent_tasks=tuple(await self.load_subagent_tasks(session_id) or ()),
        )

    # The records of a session. Saving replaces all records of the kind. Loading tells "never saved" (None) from
    # "saved, but empty"; after `save_snapshot` no kind is None.

    async def save_artifacts(
        self, session_id: str, artifacts: ArtifactStore, *, expected_revision: int | None = None
    ) -> int:
        """Replace the session's artifacts and retained uris."""
        return self._refuse_unless_empty("save_artifacts", (*artifacts, *artifacts.retained_uris), expected_revision)

    async def load_artifacts(self, session_id: str) -> ArtifactStore | None:
        """Return the session's artifacts, with limits large enough to hold them all, or None."""

    async def save_trace_events(
        self, session_id: str, trace_events: Sequence[TraceEvent], *, expected_revision: int | None = None
    ) -> int:
        """Replace the session's trace events."""
        return self._refuse_unless_empty("save_trace_events", trace_events, expected_revision)

    async def load_trace_events(self, session_id: str) -> builtins.list[TraceEvent] | None:
        """Return the session's trace events in the order they were saved, or None."""

    async def save_run_records(
        self, session_id: str, run_records: Sequence[RunRecord], *, expected_revision: int | None = None
    ) -> int:
        """Replace the session's runs with their events. Run ids must be unique."""
        return self._refuse_unless_empty("save_run_records", run_records, expected_revision)

    async def load_run_records(self, session_id: str) -> builtins.list[RunRecord] | None:
        """Return the session's runs in the order they were saved, or None."""

    async def save_verification_reports(
        self, session_id: str, reports: Sequence[VerificationReport], *, expected_revision: int | None = None
    ) -> int:
        """Replace the session's verification reports."""
        return self._refuse_unless_empty("save_verification_reports", reports, expected_revision)

    async def load_verification_reports(self, session_id: str) -> builtins.list[VerificationReport] | None:
        """Return the session's verification reports in the order they were saved, or None."""

    async def save_subagent_tasks(
        self, session_id: str, tasks: Sequence[SubagentTaskSnapshot], *, expected_revision: int | None = None
    ) -> int:
        """Replace the session's subagent tasks."""
        return self._refuse_unless_empty("save_subagent_tasks", tasks, expected_revision)

    async def load_subagent_tasks(self, session_id: str) -> builtins.list[SubagentTaskSnapshot] | None:
        """Return the session's subagent tasks in the order they were saved, or None."""

    # Checkpoints. One of a schema version above 1 may be saved; loading it is an UnsupportedVersionError.

    async def save_loop_checkpoint(
        self, run_id: str, checkpoint: LoopCheckpoint, *, expected_revision: int | None = None
    ) -> int:
        """Replace the checkpoint of a run. Errors: InvalidArgumentError unless `checkpoint.run_id` is `run_id`."""
        raise UnsupportedOperationError(operation="save_loop_checkpoint", backend=self.backend_name)

    async def load_loop_checkpoint(self, run_id: str) -> LoopCheckpoint | None:
        """Return the checkpoint of a run, or None.

        Errors: UnsupportedVersionError; InvalidArgumentError for a bad binding.
        """

    async def delete_loop_checkpoint(self, run_id: str) -> None:
        """Remove the checkpoint of a run."""

    async def list_loop_checkpoints(self) -> builtins.list[str]:
        """Return the ids of all runs that have a checkpoint, sorted by their UTF-8 bytes."""
        return []

    async def save_workflow_checkpoint(
        self, workflow_id: str, checkpoint: WorkflowCheckpoint, *, expected_revision: int | None = None
    ) -> int:
        """Replace the checkpoint of a workflow.

        Errors: InvalidArgumentError unless `checkpoint.workflow_id` is `workflow_id`.
        """
        raise UnsupportedOperationError(operation="save_workflow_checkpoint", backend=self.backend_name)

    async def load_workflow_checkpoint(self, workflow_id: str) -> WorkflowCheckpoint | None:
        """Return the checkpoint of a workflow, or None.

        Errors: UnsupportedVersionError; InvalidArgumentError for a bad step.
        """

    async def delete_workflow_checkpoint(self, workflow_id: str) -> None:
        """Remove the checkpoint of a workflow."""

    async def list_workflow_checkpoints(self) -> builtins.list[str]:
        """Return the ids of all workflows that have a checkpoint, sorted by their UTF-8 bytes."""
        return []

    # What the store is.

    async def capabilities(self) -> Capabilities:
        """Return what this store keeps and guarantees."""
        return Capabilities()

    async def health_check(self) -> None:
        """Return when the store can read and write; else raise the error that says why not."""

    async def aclose(self) -> None:
        """Release everything; closing twice is allowed. Any later call is a StoreClosedError."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def _refuse_expectation(self, expected_revision: int | None) -> None:
        """Refuse a write that depends on a revision, in a store that has none."""
        if expected_revision is not None:
            raise UnsupportedOperationError(operation="expected_revision", backend=self.backend_name)

    def _refuse_unless_empty(self, operation: str, records: Sequence[object], expected_revision: int | None) -> int:
        self._refuse_expectation(expected_revision)
        if records:
            raise UnsupportedOperationError(operation=operation, backend=self.backend_name)
        return 0
