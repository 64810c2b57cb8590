"""Evidence snapshots in run events: what a model or tool was given, as counts and digests.

All are strict. Nothing here checks the digests, nor the ranges that the writer keeps: at least one argument byte,
call sequences from 1.
"""

from enum import StrEnum

from pydantic.alias_generators import to_camel

from sessionstore.model.base import FrozenModel, RequiredInJson
from sessionstore.model.policy import ToolPresentationProfile
from sessionstore.model.scalar import U64, Bool, Str

TOOL_REQUEST_SNAPSHOT_SCHEMA = "a3s.code.tool-request-snapshot.v1"
RUN_CAPABILITY_SNAPSHOT_SCHEMA = "a3s.code.run-capability-snapshot.v1"
MODEL_PRESENTATION_SNAPSHOT_SCHEMA = "a3s.code.model-presentation-snapshot.v1"
MODEL_INPUT_SNAPSHOT_SCHEMA = "a3s.code.model-input-snapshot.v1"
MODEL_USAGE_SNAPSHOT_SCHEMA = "a3s.code.model-usage-snapshot.v1"


Revision = U64 | Str
"""The revision of an index, a number or a name."""


class EvidenceModel(FrozenModel, alias_generator=to_camel, extra="forbid"):
    """The base of evidence: camelCase keys, none unknown."""


class ToolRequestOrigin(StrEnum):
    """Who asked for a tool call."""

    AGENT = "agent"
    NESTED = "nested"
    HOST_DIRECT_TRUSTED = "host_direct_trusted"
    HOST_DIRECT_GOVERNED = "host_direct_governed"
    HOST_DIRECT_NESTED_TRUSTED = "host_direct_nested_trusted"
    HOST_DIRECT_NESTED_GOVERNED = "host_direct_nested_governed"


class RetrievalPhase(StrEnum):
    """Where the retrieval index stands."""

    DISABLED = "disabled"
    BUILDING = "building"
    READY = "ready"
    DEGRADED = "degraded"
    CLOSED = "closed"


class ModelPresentationApplication(StrEnum):
    """Whether the presentation profile was applied to a call."""

    PROFILED = "profiled"
    AUXILIARY = "auxiliary"


class ModelInputKind(StrEnum):
    """How the model was called."""

    COMPLETION = "completion"
    STREAMING = "streaming"
    STRUCTURED = "structured"
    STREAMING_STRUCTURED = "streaming_structured"


class ToolRequestSnapshot(EvidenceModel):
    """What a tool was asked."""

    schema: RequiredInJson[Str] = TOOL_REQUEST_SNAPSHOT_SCHEMA
    origin: ToolRequestOrigin
    tool_id_digest: Str
    tool_name_digest: Str
    arguments_bytes: U64
    arguments_digest: Str
    snapshot_digest: Str


class WorkspaceCapabilities(EvidenceModel):
    """What a run may do in its workspace."""

    read: Bool
    write: Bool
    exec: Bool
    search: Bool
    git: Bool
    code_intelligence: Bool


class PolicyCapabilities(EvidenceModel):
    """Which guards and limits a run has."""

    permission_checker_bound: Bool
    permission_policy_digest: Str | None = None
    confirmation_manager_bound: Bool
    confirmation_policy_digest: Str | None = None
    budget_guard_bound: Bool
    active_skill_tool_restrictions: Bool
    max_tool_rounds: U64
    max_parallel_tasks: U64
    tool_timeout_ms: U64 | None = None
    llm_api_timeout_ms: U64 | None = None
    max_execution_time_ms: U64 | None = None


class RetrievalCapabilities(EvidenceModel):
    """What a run can look up; `coverage_bps` in hundredths of a percent, at most 10000."""

    enabled: Bool
    phase: RetrievalPhase
    catalog_revision: Revision
    source_revision: Revision
    vector_revision: Revision
    coverage_bps: U64
    model_digest: Str | None = None


class RunCapabilitySnapshot(EvidenceModel):
    """What a run was able to do."""

    schema: RequiredInJson[Str] = RUN_CAPABILITY_SNAPSHOT_SCHEMA
    model_visible_tool_count: U64
    model_visible_tools_digest: Str
    workspace: WorkspaceCapabilities
    policy: PolicyCapabilities
    retrieval: RetrievalCapabilities
    snapshot_digest: Str


class ModelPresentationSnapshot(EvidenceModel):
    """Which tools a model was offered."""

    schema: RequiredInJson[Str] = MODEL_PRESENTATION_SNAPSHOT_SCHEMA
    call_sequence: U64
    profile: ToolPresentationProfile
    application: ModelPresentationApplication
    source_tool_count: U64
    source_tool_definitions_digest: Str
    source_estimated_tokens: U64
    presented_tool_count: U64
    presented_tool_definitions_digest: Str
    presented_estimated_tokens: U64
    snapshot_digest: Str


class ModelInputSnapshot(EvidenceModel):
    """What a model was given."""

    schema: RequiredInJson[Str] = MODEL_INPUT_SNAPSHOT_SCHEMA
    call_sequence: U64
    kind: ModelInputKind
    message_count: U64
    content_block_count: U64
    image_block_count: U64
    tool_result_count: U64
    tool_count: U64
    retrieval_result_count: U64
    retrieval_result_bytes: U64
    retrieval_results_digest: Str | None = None
    system_bytes: U64
    message_payload_bytes: U64
    tool_definition_bytes: U64
    structured_output_bytes: U64
    payload_bytes: U64
    estimated_prompt_tokens: U64
    messages_digest: Str
    system_digest: Str | None = None
    tool_definitions_digest: Str
    structured_output_digest: Str | None = None
    input_digest: Str
    capability_snapshot_digest: Str
    snapshot_digest: Str


class ToolResultUsage(EvidenceModel):
    """How much of a model's input were tool results, and how much of that was repeated."""

    total_count: U64
    unique_count: U64
    repeated_count: U64
    content_bytes: U64
    repeated_content_bytes: U64
    estimated_tokens: U64
    repeated_estimated_tokens: U64
    contents_digest: Str | None = None
    repeated_contents_digest: Str | None = None


class ModelUsageSnapshot(EvidenceModel):
    """What a model call used."""

    schema: RequiredInJson[Str] = MODEL_USAGE_SNAPSHOT_SCHEMA
    call_sequence: U64
    input_snapshot_digest: Str
    estimated_prompt_tokens: U64
    reported_prompt_tokens: U64
    reported_completion_tokens: U64
    reported_total_tokens: U64
    reported_cache_read_tokens: U64 | None = None
    reported_cache_write_tokens: U64 | None = None
    tool_results: ToolResultUsage
    snapshot_digest: Str
