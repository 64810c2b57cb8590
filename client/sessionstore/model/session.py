"""One conversation with its configuration and counters."""

from enum import StrEnum
from time import time
from typing import ClassVar

from pydantic import AliasChoices, Field

from sessionstore.model.base import EditableModel, OmitEmpty, OmitNone, RequiredInJson
from sessionstore.model.binding import CognitivePackageBinding, DurableMemoryBinding, ImmutableContentAdapterBinding
from sessionstore.model.message import Message, TokenUsage
from sessionstore.model.policy import (
    AutoDelegationConfig,
    ConfirmationPolicy,
    PermissionPolicy,
    SecurityConfig,
    SessionQueueConfig,
    ToolPresentationProfile,
    ToolResultTransformPolicy,
)
from sessionstore.model.scalar import F32, F64, I64, U32, U64, Bool, Str, Timestamp
from sessionstore.model.task import Task

DEFAULT_AUTO_COMPACT_THRESHOLD = 0.8
"""The share of the context, from 0 to 1, at which a session is compacted."""

DEFAULT_MAX_CONTEXT_TOKENS = 200_000


class SessionState(StrEnum):
    """Where a session stands."""

    UNKNOWN = "Unknown"
    ACTIVE = "Active"
    PAUSED = "Paused"
    COMPLETED = "Completed"
    ERROR = "Error"


class StorageBackend(StrEnum):
    """Where the runtime that wrote a session kept it."""

    MEMORY = "memory"
    FILE = "file"
    CUSTOM = "custom"


class PlanningMode(StrEnum):
    """Whether an agent plans before it acts."""

    AUTO = "Auto"
    DISABLED = "Disabled"
    ENABLED = "Enabled"


class ContextUsage(EditableModel):
    """How full the context of the model is; `percent` from 0 to 1."""

    used_tokens: RequiredInJson[U64] = 0
    max_tokens: RequiredInJson[U64] = DEFAULT_MAX_CONTEXT_TOKENS
    percent: RequiredInJson[F32] = 0.0
    turns: RequiredInJson[U64] = 0


class LlmConfigData(EditableModel):
    """Which model a session talks to. The API key is taken from JSON and stays in memory: it is never written."""

    provider: Str
    model: Str
    api_key: Str | None = Field(default=None, exclude=True, repr=False)
    base_url: Str | None = None


class LlmCostRecord(EditableModel):
    """What one call of a model cost."""

    model: Str
    provider: Str
    prompt_tokens: U64
    completion_tokens: U64
    total_tokens: U64
    cost_usd: F64 | None = None
    timestamp: Timestamp
    session_id: Str | None = None


class SessionConfig(EditableModel):
    """The settings of a session. The runtime's `hook_engine` is none of them."""

    ignored_json_keys: ClassVar[frozenset[str]] = frozenset({"hook_engine"})

    name: RequiredInJson[Str] = ""
    workspace: RequiredInJson[Str] = ""
    system_prompt: Str | None = None
    max_context_length: RequiredInJson[U32] = 0
    auto_compact: RequiredInJson[Bool] = False
    auto_compact_threshold: F32 = DEFAULT_AUTO_COMPACT_THRESHOLD
    storage_type: StorageBackend = StorageBackend.FILE
    queue_config: OmitNone[SessionQueueConfig] = None
    confirmation_policy: OmitNone[ConfirmationPolicy] = None
    permission_policy: OmitNone[PermissionPolicy] = None
    enforce_active_skill_tool_restrictions: OmitEmpty[Bool] = False
    max_parallel_tasks: OmitNone[U64] = None
    auto_delegation: OmitNone[AutoDelegationConfig] = None
    parent_id: OmitNone[Str] = None
    security_config: OmitNone[SecurityConfig] = None
    planning_mode: PlanningMode = PlanningMode.AUTO
    goal_tracking: Bool = False
    tool_presentation_profile: ToolPresentationProfile = Field(default_factory=ToolPresentationProfile)
    tool_result_transform_policy: ToolResultTransformPolicy = Field(default_factory=ToolResultTransformPolicy)


def _now() -> int:
    return int(time())


class SessionData(EditableModel):
    """One conversation. Costs are in US dollars, times in seconds since the epoch.

    In Python only `id` is needed, it is also the key under which stores keep the session.
    """

    unique_json_keys: ClassVar[bool] = False

    id: Str
    config: RequiredInJson[SessionConfig] = Field(default_factory=SessionConfig)
    state: RequiredInJson[SessionState] = SessionState.UNKNOWN
    messages: RequiredInJson[list[Message]] = Field(default_factory=list)
    context_usage: RequiredInJson[ContextUsage] = Field(default_factory=ContextUsage)
    total_usage: RequiredInJson[TokenUsage] = Field(default_factory=TokenUsage)
    total_cost: F64 = 0.0
    model_name: OmitNone[Str] = None
    cost_records: list[LlmCostRecord] = Field(default_factory=list)
    tool_names: RequiredInJson[list[Str]] = Field(default_factory=list)
    thinking_enabled: RequiredInJson[Bool] = False
    thinking_budget: U64 | None = None
    created_at: RequiredInJson[I64] = Field(default_factory=_now)
    updated_at: RequiredInJson[I64] = Field(default_factory=_now)
    llm_config: OmitNone[LlmConfigData] = None
    tasks: list[Task] = Field(default_factory=list, validation_alias=AliasChoices("tasks", "todos"))
    parent_id: OmitNone[Str] = None
    tenant_id: OmitNone[Str] = None
    principal: OmitNone[Str] = None
    agent_template_id: OmitNone[Str] = None
    correlation_id: OmitNone[Str] = None
    durable_memory_binding: OmitNone[DurableMemoryBinding] = None
    cognitive_package_binding: OmitNone[CognitivePackageBinding] = None
    immutable_content_adapter_binding: OmitNone[ImmutableContentAdapterBinding] = None
