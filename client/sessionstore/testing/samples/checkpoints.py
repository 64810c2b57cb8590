"""Checkpoints of a loop and of a workflow: every field has a value."""

from sessionstore.model import (
    ContentStamp,
    ExecutionIdentity,
    ExecutionOutcome,
    ExecutionResultReceipt,
    ExternalObservation,
    LoopCheckpoint,
    LoopConvergenceState,
    MutationLedger,
    MutationOpenChild,
    MutationRecord,
    RequiredAction,
    SourceAnchor,
    StepOutcome,
    WorkflowCheckpoint,
    WorkflowStepRecord,
)
from sessionstore.testing.samples.records import capability_binding, verification_reports
from sessionstore.testing.samples.session import DIGEST, STARTED_MS, messages, usage


def loop_checkpoint(run_id: str = "run-1", session_id: str = "session-1") -> LoopCheckpoint:
    """Return the checkpoint of a loop that waits for a subagent."""
    return LoopCheckpoint(
        run_id=run_id,
        session_id=session_id,
        capability_binding=capability_binding(),
        turn=2,
        messages=tuple(messages()),
        total_usage=usage(),
        tool_calls_count=5,
        verification_reports=tuple(verification_reports()),
        convergence=_convergence(),
        checkpoint_ms=STARTED_MS + 50,
    )


def workflow_checkpoint(workflow_id: str = "workflow-1") -> WorkflowCheckpoint:
    """Return the checkpoint of a workflow with a step that has a receipt, and one that failed without."""
    return WorkflowCheckpoint(
        workflow_id=workflow_id,
        steps=(
            WorkflowStepRecord(task_id="step-1", outcome=_outcome("step-1", success=True), result_receipt=_receipt()),
            WorkflowStepRecord(task_id="step-0", outcome=_outcome("step-0", success=False)),
        ),
        checkpoint_ms=STARTED_MS + 50,
    )


def _convergence() -> LoopConvergenceState:
    change = MutationRecord(tool="edit", path="src/parser.py", content_digest=DIGEST)
    child = MutationOpenChild(task_id="sub-1", porcelain=(), head="a" * 40, nongit=True)
    return LoopConvergenceState(
        parse_error_count=1,
        continuation_count=2,
        recent_tool_signatures=("bash:pytest",),
        guarded_duplicate_signature="bash:pytest",
        guarded_duplicate_count=1,
        last_incomplete_response_hash="ab12",
        incomplete_response_stalled=True,
        gate_continuation_count=1,
        mutations=MutationLedger.from_records([change]).model_copy(update={"open_children": (child,)}),
        open_observations=(
            ExternalObservation(
                kind="review",
                subject="src/parser.py",
                digest=DIGEST,
                payload="please rename",
                source_revision="r7",
                required_action=RequiredAction.ADDRESS,
            ),
        ),
        verifier_spent=True,
        next_turn_is_verifier=True,
        workspace_watch_bound=True,
        workspace_porcelain=(" M src/parser.py",),
        workspace_head="b" * 40,
        workspace_stamps=(
            ContentStamp(path="src/parser.py", present=True, len=2**64 - 1, modified=2**128 - 1, mode=0o100644, kind=1),
        ),
    )


def _outcome(task_id: str, *, success: bool) -> StepOutcome:
    return StepOutcome(
        task_id=task_id,
        session_id=f"task-run-{task_id}",
        agent="explorer",
        output="three callers" if success else "",
        success=success,
        structured={"callers": 3} if success else None,
        source_anchors=(SourceAnchor(tool="grep", url_or_path="src/parser.py"),) if success else (),
    )


def _receipt() -> ExecutionResultReceipt:
    return ExecutionResultReceipt(
        identity=ExecutionIdentity(domain="a3s.code.workflow-step.identity.v1", digest=DIGEST),
        evidence_digest=DIGEST,
        outcome=ExecutionOutcome.SUCCEEDED,
        result_digest=DIGEST,
        result_bytes=13,
    )
