"""The records of a session, kind by kind, and the session with all of them as one snapshot."""

import builtins
from collections.abc import Sequence

from sessionstore.model import (
    ArtifactStore,
    RunRecord,
    SessionSnapshot,
    SubagentTaskSnapshot,
    TraceEvent,
    VerificationReport,
)
from sessionstore.store.sessions import SessionOperations


class RecordOperations(SessionOperations):
    """Saving replaces all records of the kind.

    Loading tells "never saved" (None) from "saved, but empty"; after `save_snapshot` no kind is None.
    """

    async def save_artifacts(
        self,
        session_id: str,
        artifacts: ArtifactStore,
        *,
        expected_revision: int | None = None,
        lease_epoch: int | None = None,
    ) -> int:
        """Replace the session's artifacts and retained uris."""
        return self._refuse_unless_empty(
            "save_artifacts",
            (*artifacts, *artifacts.retained_uris),
            expected_revision=expected_revision,
            lease_epoch=lease_epoch,
        )

    async def load_artifacts(self, session_id: str) -> ArtifactStore | None:
        """Return the session's artifacts, with limits large enough to hold them all, or None."""

    async def save_trace_events(
        self,
        session_id: str,
        trace_events: Sequence[TraceEvent],
        *,
        expected_revision: int | None = None,
        lease_epoch: int | None = None,
    ) -> int:
        """Replace the session's trace events."""
        return self._refuse_unless_empty(
            "save_trace_events", trace_events, expected_revision=expected_revision, lease_epoch=lease_epoch
        )

    async def load_trace_events(self, session_id: str) -> builtins.list[TraceEvent] | None:
        """Return the session's trace events in the order they were saved, or None."""

    async def save_run_records(
        self,
        session_id: str,
        run_records: Sequence[RunRecord],
        *,
        expected_revision: int | None = None,
        lease_epoch: int | None = None,
    ) -> int:
        """Replace the session's runs with their events. Run ids must be unique."""
        return self._refuse_unless_empty(
            "save_run_records", run_records, expected_revision=expected_revision, lease_epoch=lease_epoch
        )

    async def load_run_records(self, session_id: str) -> builtins.list[RunRecord] | None:
        """Return the session's runs in the order they were saved, or None."""

    async def save_verification_reports(
        self,
        session_id: str,
        reports: Sequence[VerificationReport],
        *,
        expected_revision: int | None = None,
        lease_epoch: int | None = None,
    ) -> int:
        """Replace the session's verification reports."""
        return self._refuse_unless_empty(
            "save_verification_reports", reports, expected_revision=expected_revision, lease_epoch=lease_epoch
        )

    async def load_verification_reports(self, session_id: str) -> builtins.list[VerificationReport] | None:
        """Return the session's verification reports in the order they were saved, or None."""

    async def save_subagent_tasks(
        self,
        session_id: str,
        tasks: Sequence[SubagentTaskSnapshot],
        *,
        expected_revision: int | None = None,
        lease_epoch: int | None = None,
    ) -> int:
        """Replace the session's subagent tasks."""
        return self._refuse_unless_empty(
            "save_subagent_tasks", tasks, expected_revision=expected_revision, lease_epoch=lease_epoch
        )

    async def load_subagent_tasks(self, session_id: str) -> builtins.list[SubagentTaskSnapshot] | None:
        """Return the session's subagent tasks in the order they were saved, or None."""

    # A whole generation: the session with all its records.

    async def save_snapshot(
        self, snapshot: SessionSnapshot, *, expected_revision: int | None = None, lease_epoch: int | None = None
    ) -> int:
        """Store the session and all its records as one unit, replacing everything its id held before.

        Errors: UnsupportedVersionError unless `schema_version` is 1.
        """
        self._refuse("save_snapshot")

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
