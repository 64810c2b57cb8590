"""A whole session in one value: the conversation and everything recorded beside it."""

from typing import ClassVar, Self

from pydantic import Field

from sessionstore.errors import UnsupportedVersionError
from sessionstore.model.artifact import ToolArtifact
from sessionstore.model.base import EditableModel, RequiredInJson
from sessionstore.model.invariant import check_runs, check_session, check_subagent_tasks
from sessionstore.model.rule import require
from sessionstore.model.run import RunRecord
from sessionstore.model.scalar import U32, Str
from sessionstore.model.session import SessionData
from sessionstore.model.subagent import SubagentTaskSnapshot
from sessionstore.model.trace import TraceEvent
from sessionstore.model.verification import VerificationReport

SNAPSHOT_SCHEMA_VERSION = 1


class SessionSnapshot(EditableModel):
    """One generation of a session, stored and replaced as a whole. `retained_artifact_uris` are sorted."""

    unique_json_keys: ClassVar[bool] = False

    schema_version: RequiredInJson[U32] = SNAPSHOT_SCHEMA_VERSION
    session: SessionData
    artifacts: list[ToolArtifact] = Field(default_factory=list)
    retained_artifact_uris: list[Str] = Field(default_factory=list)
    trace_events: list[TraceEvent] = Field(default_factory=list)
    run_records: list[RunRecord] = Field(default_factory=list)
    verification_reports: list[VerificationReport] = Field(default_factory=list)
    subagent_tasks: list[SubagentTaskSnapshot] = Field(default_factory=list)

    def check_loadable(self) -> None:
        """Check that this program knows the version. Errors: UnsupportedVersionError."""
        check_snapshot_version(self.session.id, self.schema_version)

    def validate_invariants(self) -> None:
        """Check what must hold between the parts before a session is resumed or forked; stores do not ask for it.

        Errors: UnsupportedVersionError, InvalidArgumentError with the path of the field.
        """
        self.check_loadable()
        check_session(self.session)
        check_runs(self.session, self.run_records)
        check_subagent_tasks(self.session.id, self.subagent_tasks)

    def fork(self, new_id: str, workspace: str | None = None) -> Self:
        """Return a copy that belongs to the session `new_id`, in `workspace` if that is given.

        Run ids, child sessions, artifacts and traces stay as they are. Errors: as `validate_invariants`, and
        InvalidArgumentError for a blank id.
        """
        self.validate_invariants()
        require(bool(new_id.strip()), "new_id", "must not be blank")
        copy = self.model_copy(deep=True)
        copy.session.id = new_id
        if workspace is not None:
            copy.session.config.workspace = workspace
        copy.run_records = [_move_run(record, new_id) for record in self.run_records]
        copy.subagent_tasks = [_move_task(task, new_id) for task in self.subagent_tasks]
        copy.validate_invariants()
        return copy


def check_snapshot_version(session_id: str, version: int) -> None:
    """Check that this program knows the version of a snapshot. Errors: UnsupportedVersionError."""
    if version != SNAPSHOT_SCHEMA_VERSION:
        raise UnsupportedVersionError(f"the snapshot of {session_id!r}", version, SNAPSHOT_SCHEMA_VERSION)


def _move_run(record: RunRecord, session_id: str) -> RunRecord:
    return record.model_copy(update={"snapshot": record.snapshot.model_copy(update={"session_id": session_id})})


def _move_task(task: SubagentTaskSnapshot, session_id: str) -> SubagentTaskSnapshot:
    if not task.parent_session_id:
        return task
    return task.model_copy(update={"parent_session_id": session_id})
