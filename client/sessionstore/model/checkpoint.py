"""Checkpoints from which an interrupted agent loop or workflow goes on."""

from collections.abc import Iterable
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Self

from pydantic import Field

from sessionstore.errors import UnsupportedVersionError
from sessionstore.model.base import FrozenModel, InJson, OmitEmpty, OmitNone, RequiredInJson
from sessionstore.model.binding import RunCapabilityBinding
from sessionstore.model.digest import require_digest
from sessionstore.model.message import Message, TokenUsage
from sessionstore.model.open_value import OpenValue
from sessionstore.model.rule import require
from sessionstore.model.scalar import U8, U32, U64, U128, Bool, Str
from sessionstore.model.subagent import SourceAnchor
from sessionstore.model.verification import VerificationReport

CHECKPOINT_SCHEMA_VERSION = 1
EXTERNAL_OBSERVATION_SCHEMA = "a3s.code.external-observation.v1"
EXECUTION_RESULT_RECEIPT_SCHEMA = "a3s.code.execution-result-receipt.v1"
EXECUTION_IDENTITY_SCHEMA = "a3s.code.execution-identity.v1"
WORKFLOW_STEP_IDENTITY_DOMAIN = "a3s.code.workflow-step.identity.v1"
MAX_RESULT_BYTES = 1024 * 1024


class RequiredAction(StrEnum):
    """What an observation from outside asks of the agent."""

    NONE = "none"
    WORKSPACE_CHANGE = "workspace_change"
    ADDRESS = "address"


class ExecutionOutcome(StrEnum):
    """How the execution of a workflow step ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"


class MutationRecord(FrozenModel):
    """What a tool left at a path."""

    tool: Str
    path: Str
    content_digest: Str


class MutationOpenChild(FrozenModel):
    """A subagent at work in the same workspace, and how that looked when it began."""

    task_id: Str
    porcelain: OmitNone[tuple[Str, ...]] = None
    head: OmitNone[Str] = None
    nongit: OmitEmpty[Bool] = False


class MutationLedger(FrozenModel):
    """What the loop changed, sorted by path and then tool; `digest` is bare hex, and empty without records."""

    records: RequiredInJson[tuple[MutationRecord, ...]] = ()
    digest: Str = ""
    open_children: OmitEmpty[tuple[MutationOpenChild, ...]] = ()
    observation_incomplete: OmitEmpty[Bool] = False

    @classmethod
    def from_records(cls, records: Iterable[MutationRecord]) -> Self:
        """Build a ledger in the right order, with the digest that follows."""
        ordered = tuple(sorted(records, key=lambda record: (record.path, record.tool)))
        lines = "\n".join(f"{record.tool}|{record.path}|{record.content_digest}" for record in ordered)
        return cls(records=ordered, digest=sha256(lines.encode()).hexdigest() if ordered else "")


class ExternalObservation(FrozenModel):
    """Something that happened outside and is still open; `payload` has at most 8192 bytes."""

    schema: RequiredInJson[Str] = EXTERNAL_OBSERVATION_SCHEMA
    kind: Str
    subject: Str
    digest: Str
    payload: Str
    source_revision: Str | None = None
    required_action: RequiredAction


class ContentStamp(FrozenModel):
    """How a file looked; `modified` in nanoseconds since the epoch."""

    path: Str
    present: Bool
    len: U64
    modified: U128
    mode: U32 = 0
    kind: U8 = 0


class LoopConvergenceState(FrozenModel):
    """Counters by which the loop notices that it no longer moves."""

    parse_error_count: U32 = 0
    continuation_count: U32 = 0
    reasoning_only_repair_count: U32 = 0
    recent_tool_signatures: tuple[Str, ...] = ()
    guarded_duplicate_signature: OmitNone[Str] = None
    guarded_duplicate_count: U32 = 0
    last_incomplete_response_hash: OmitNone[Str] = None
    incomplete_response_stalled: Bool = False
    gate_continuation_count: OmitEmpty[U32] = 0
    mutations: Annotated[MutationLedger, Field(exclude_if=lambda ledger: ledger == MutationLedger())] = MutationLedger()
    open_observations: OmitEmpty[tuple[ExternalObservation, ...]] = ()
    verifier_spent: OmitEmpty[Bool] = False
    next_turn_is_verifier: OmitEmpty[Bool] = False
    workspace_watch_bound: OmitEmpty[Bool] = False
    workspace_porcelain: OmitNone[tuple[Str, ...]] = None
    workspace_head: OmitNone[Str] = None
    workspace_stamps: OmitEmpty[tuple[ContentStamp, ...]] = ()


class LoopCheckpoint(FrozenModel):
    """Where an agent loop stood after `turn` rounds; kept under `run_id`. `checkpoint_ms` is epoch milliseconds."""

    schema_version: Annotated[U32, InJson(0)] = CHECKPOINT_SCHEMA_VERSION
    run_id: Str
    session_id: Str
    capability_binding: OmitNone[RunCapabilityBinding] = None
    turn: U64
    messages: tuple[Message, ...]
    total_usage: TokenUsage
    tool_calls_count: U64
    verification_reports: tuple[VerificationReport, ...] = ()
    convergence: LoopConvergenceState = LoopConvergenceState()
    checkpoint_ms: U64

    def check_loadable(self, run_id: str) -> None:
        """Check that it may be resumed as `run_id`. Errors: UnsupportedVersionError, InvalidArgumentError."""
        _check_version(f"loop checkpoint {run_id!r}", self.schema_version)
        require(self.run_id == run_id, "run_id", f"the checkpoint belongs to {self.run_id!r}, not {run_id!r}")
        if self.capability_binding:
            self.capability_binding.check("capability_binding")


class StepOutcome(FrozenModel):
    """What came out of a workflow step."""

    task_id: Str
    session_id: Str
    agent: Str
    output: Str
    success: Bool
    structured: OmitNone[OpenValue] = None
    source_anchors: OmitEmpty[tuple[SourceAnchor, ...]] = ()


class ExecutionIdentity(FrozenModel, extra="forbid"):
    """What was executed, as a digest within a domain."""

    schema: RequiredInJson[Str] = EXECUTION_IDENTITY_SCHEMA
    domain: Str
    digest: Str


class ExecutionResultReceipt(FrozenModel, extra="forbid"):
    """Proof of a result; only success has one, of 1 byte to 1 MiB."""

    schema: RequiredInJson[Str] = EXECUTION_RESULT_RECEIPT_SCHEMA
    identity: ExecutionIdentity
    evidence_digest: Str
    outcome: ExecutionOutcome
    result_digest: OmitNone[Str] = None
    result_bytes: U64

    def check(self, path: str) -> None:
        """Check that it is well-formed and of a workflow step. Errors: InvalidArgumentError below `path`."""
        require(self.schema == EXECUTION_RESULT_RECEIPT_SCHEMA, f"{path}.schema", "is not a schema known here")
        identity = self.identity
        require(identity.schema == EXECUTION_IDENTITY_SCHEMA, f"{path}.identity.schema", "is not a schema known here")
        in_domain = identity.domain == WORKFLOW_STEP_IDENTITY_DOMAIN
        require(in_domain, f"{path}.identity.domain", f"must be {WORKFLOW_STEP_IDENTITY_DOMAIN}")
        require_digest(identity.digest, f"{path}.identity.digest")
        require_digest(self.evidence_digest, f"{path}.evidence_digest")
        self._check_result(path)

    def _check_result(self, path: str) -> None:
        if self.outcome is not ExecutionOutcome.SUCCEEDED:
            require(self.result_digest is None, f"{path}.result_digest", "must be absent unless the step succeeded")
            require(self.result_bytes == 0, f"{path}.result_bytes", "must be 0 unless the step succeeded")
            return
        require_digest(self.result_digest or "", f"{path}.result_digest")
        in_range = 0 < self.result_bytes <= MAX_RESULT_BYTES
        require(in_range, f"{path}.result_bytes", f"must be 1 to {MAX_RESULT_BYTES} when the step succeeded")


class WorkflowStepRecord(FrozenModel):
    """One finished step of a workflow."""

    task_id: Str
    outcome: StepOutcome
    result_receipt: OmitNone[ExecutionResultReceipt] = None


class WorkflowCheckpoint(FrozenModel):
    """The finished steps of a workflow, in no particular order; kept under `workflow_id`."""

    schema_version: Annotated[U32, InJson(0)] = CHECKPOINT_SCHEMA_VERSION
    workflow_id: Str
    steps: tuple[WorkflowStepRecord, ...]
    checkpoint_ms: U64

    def check_loadable(self, workflow_id: str) -> None:
        """Check that it may be resumed as `workflow_id`. Errors: UnsupportedVersionError, InvalidArgumentError."""
        _check_version(f"workflow checkpoint {workflow_id!r}", self.schema_version)
        owned = self.workflow_id == workflow_id
        require(owned, "workflow_id", f"the checkpoint belongs to {self.workflow_id!r}, not {workflow_id!r}")
        for position, step in enumerate(self.steps):
            path = f"steps[{position}]"
            same_task = step.task_id == step.outcome.task_id
            require(same_task, f"{path}.outcome.task_id", "must equal the task_id of the step")
            if step.result_receipt:
                step.result_receipt.check(f"{path}.result_receipt")


def _check_version(subject: str, version: int) -> None:
    if version > CHECKPOINT_SCHEMA_VERSION:
        raise UnsupportedVersionError(subject, version, CHECKPOINT_SCHEMA_VERSION)
