"""A complete object of every kind, as the sessions of a coding agent would have them."""

from sessionstore.model import SessionSnapshot
from sessionstore.testing.samples.checkpoints import loop_checkpoint, workflow_checkpoint
from sessionstore.testing.samples.future import FUTURE_FIELD, with_unknown_fields
from sessionstore.testing.samples.records import (
    artifacts,
    run_events,
    run_records,
    subagent_tasks,
    trace_events,
    verification_reports,
)
from sessionstore.testing.samples.session import config, messages, session, tasks, usage

__all__ = [
    "FUTURE_FIELD",
    "artifacts",
    "config",
    "loop_checkpoint",
    "messages",
    "run_events",
    "run_records",
    "session",
    "snapshot",
    "subagent_tasks",
    "tasks",
    "trace_events",
    "usage",
    "verification_reports",
    "with_unknown_fields",
    "workflow_checkpoint",
]


def snapshot(session_id: str = "session-1") -> SessionSnapshot:
    """Return the session with all its records; it keeps the invariants."""
    kept = artifacts()
    return SessionSnapshot(
        session=session(session_id),
        artifacts=list(kept),
        retained_artifact_uris=list(kept.retained_uris),
        trace_events=trace_events(),
        run_records=run_records(session_id),
        verification_reports=verification_reports(),
        subagent_tasks=subagent_tasks(session_id),
    )
