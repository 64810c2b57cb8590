"""The records of a session: every field has a value in one of each kind."""

from sessionstore.model import (
    AgentEndEvent,
    AgentEvent,
    AgentStartEvent,
    ArtifactStore,
    LlmResponseMeta,
    RunCapabilityBinding,
    RunEventRecord,
    RunRecord,
    RunSnapshot,
    RunStatus,
    RunWorkspaceChangeSet,
    SourceAnchor,
    SubagentProgressEntry,
    SubagentStatus,
    SubagentTaskSnapshot,
    ToolArtifact,
    ToolEndEvent,
    ToolExecutionStartEvent,
    ToolTimeout,
    TraceEvent,
    TraceEventKind,
    TurnEndEvent,
    TurnStartEvent,
    UnknownEvent,
    VerificationCheck,
    VerificationReport,
    VerificationStatus,
    summarize_verification,
)
from sessionstore.testing.samples.session import DIGEST, STARTED_MS, package_binding, usage


def artifacts() -> ArtifactStore:
    """Return two artifacts, of which one is retained, and retain one that is absent."""
    log = ToolArtifact.from_output("bash", "1 failed\n" * 50, shown_bytes=90)
    patch = ToolArtifact(
        artifact_id="patch",
        artifact_uri="a3s://patches/1?author=zoë#π",
        tool_name="edit",
        content="--- a\n+++ b\n",
        original_bytes=12,
        shown_bytes=12,
    )
    return ArtifactStore.from_snapshot([log, patch], [patch.artifact_uri, "a3s://absent"])


def trace_events() -> list[TraceEvent]:
    """Return the trace of a tool and of a program."""
    return [
        TraceEvent(
            kind=TraceEventKind.TOOL_EXECUTION,
            name="bash",
            success=False,
            exit_code=-11,
            duration_ms=1_532,
            output_bytes=450,
            metadata_keys=("cwd", "signal"),
            artifact_uris=("a3s://patches/1",),
        ),
        TraceEvent(
            kind=TraceEventKind.PROGRAM_EXECUTION,
            name="release",
            success=True,
            exit_code=0,
            duration_ms=2**64 - 1,
            output_bytes=0,
            details={"program_name": "release", "success": True, "step_count": 3, "failed_steps": []},
        ),
    ]


def run_records(session_id: str = "session-1") -> list[RunRecord]:
    """Return a finished run whose oldest events are gone, and a run that has only begun."""
    events = tuple(
        RunEventRecord(sequence=sequence, timestamp_ms=STARTED_MS + sequence, event=event)
        for sequence, event in enumerate(run_events(), start=40)
    )
    finished = RunSnapshot(
        id="run-1",
        session_id=session_id,
        status=RunStatus.COMPLETED,
        prompt="Why does the parser stop?",
        cognitive_package_binding=package_binding(),
        capability_binding=capability_binding(),
        created_at_ms=STARTED_MS,
        updated_at_ms=STARTED_MS + 60,
        result_text="It reads bytes where it needs text.",
        error="",
        event_count=40 + len(events),
        workspace_change_set=RunWorkspaceChangeSet(
            base_tree=f"git-tree:{'a' * 40}",
            result_tree=f"git-tree:{'b' * 40}",
            patch_digest=DIGEST,
            patch_bytes=3,
            patch_base64="LS0t",
            observed_at_ms=STARTED_MS + 59,
        ),
    )
    begun = RunSnapshot(
        id="run-0/retry 🏃",
        session_id=session_id,
        status=RunStatus.CREATED,
        prompt="",
        created_at_ms=STARTED_MS,
        updated_at_ms=STARTED_MS,
        event_count=0,
    )
    return [RunRecord(snapshot=finished, events=events), RunRecord(snapshot=begun, events=())]


def run_events() -> list[AgentEvent]:
    """Return the events of a run with a tool that timed out, and one of a type that is not known."""
    return [
        AgentStartEvent(prompt="Why does the parser stop?"),
        TurnStartEvent(turn=1),
        ToolExecutionStartEvent(
            id="call-1", name="bash", args={"command": "pytest -x", "env": {"N": 2**63, "x": -0.0}}
        ),
        ToolEndEvent(
            id="call-1",
            name="bash",
            args=None,
            output="1 failed\n",
            exit_code=-1,
            metadata={"nested": [1, None, {"deep": True}]},
            error_kind=ToolTimeout(op="exec", duration_ms=30_000),
        ),
        UnknownEvent.model_validate({"type": "tool_paused", "id": "call-1", "for_ms": 10**18, "why": None}),
        TurnEndEvent(turn=1, usage=usage()),
        AgentEndEvent(
            text="It reads bytes where it needs text.",
            usage=usage(),
            verification_summary=summarize_verification(verification_reports()),
            meta=LlmResponseMeta(provider="example", response_id="resp-1", first_token_ms=210, duration_ms=0),
        ),
    ]


def verification_reports() -> list[VerificationReport]:
    """Return a report with a failed check, and one that was stored with a status that does not follow."""
    check = VerificationCheck(
        id="tests",
        kind="command",
        description="The tests pass",
        status=VerificationStatus.FAILED,
        required=True,
        suggested_tools=("bash",),
        evidence_uris=("a3s://patches/1",),
        residual_risk="Windows was not tried",
    )
    return [
        VerificationReport.from_checks("program:release", [check], ["not tried at night"], effect_digest=DIGEST),
        VerificationReport(subject="shell:lint", status=VerificationStatus.PASSED, checks=()),
    ]


def subagent_tasks(session_id: str = "session-1") -> list[SubagentTaskSnapshot]:
    """Return a finished task, and an old one that does not know its parent."""
    finished = SubagentTaskSnapshot(
        task_id="sub-1",
        parent_session_id=session_id,
        child_session_id="session-1a",
        agent="explorer",
        description="Find the callers",
        status=SubagentStatus.COMPLETED,
        started_ms=STARTED_MS,
        updated_ms=STARTED_MS + 9,
        finished_ms=STARTED_MS + 9,
        output="three callers",
        success=True,
        source_anchors=(SourceAnchor(tool="grep", url_or_path="src/parser.py"),),
        progress=(SubagentProgressEntry(timestamp_ms=STARTED_MS + 1, status="searching", metadata={"files": 12}),),
    )
    orphan = SubagentTaskSnapshot(
        task_id="sub-0",
        parent_session_id="",
        child_session_id="session-1b",
        agent="",
        description="",
        status=SubagentStatus.RUNNING,
        started_ms=0,
        updated_ms=0,
        progress=(),
    )
    return [finished, orphan]


def capability_binding() -> RunCapabilityBinding:
    """Return the capabilities of a run."""
    return RunCapabilityBinding(
        capability_set_schema="example.capability-set.v1",
        code_catalog_generation=7,
        catalog_digest=DIGEST,
        capability_ceiling_schema="example.ceiling.v1",
        capability_ceiling_digest=DIGEST,
    )
