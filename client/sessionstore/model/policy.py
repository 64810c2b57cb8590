"""Policies and settings of a session. Durations are in milliseconds."""

from enum import StrEnum
from typing import Annotated

from pydantic import AliasChoices, Field, model_validator
from pydantic.alias_generators import to_camel

from sessionstore.model.base import EditableModel, FrozenModel, InJson, RequiredInJson
from sessionstore.model.open_value import OpenValue
from sessionstore.model.rule import require
from sessionstore.model.scalar import F32, U32, U64, Bool, Str

TOOL_PRESENTATION_PROFILE_SCHEMA = "a3s.code.tool-presentation-profile.v1"
TOOL_RESULT_TRANSFORM_POLICY_SCHEMA = "a3s.code.tool-result-transform-policy.v1"


class SessionLane(StrEnum):
    """A queue of a session."""

    CONTROL = "Control"
    QUERY = "Query"
    EXECUTE = "Execute"
    GENERATE = "Generate"


class TaskHandlerMode(StrEnum):
    """Who works on the tasks of a lane."""

    INTERNAL = "Internal"
    EXTERNAL = "External"
    HYBRID = "Hybrid"


class TimeoutAction(StrEnum):
    """What happens when nobody answers a confirmation in time."""

    REJECT = "Reject"
    AUTO_APPROVE = "AutoApprove"


class PermissionDecision(StrEnum):
    """What a permission rule decides."""

    ALLOW = "allow"
    DENY = "deny"
    ASK = "ask"


class RedactionStrategy(StrEnum):
    """What happens to sensitive text."""

    MASK = "Mask"
    REMOVE = "Remove"
    HASH = "Hash"


class ToolPresentationMode(StrEnum):
    """How tools are offered to the model."""

    ADAPTIVE = "adaptive"
    DIRECT = "direct"
    CODE = "code"
    DISABLED = "disabled"


class LaneHandlerConfig(EditableModel):
    """How the tasks of one lane are handled."""

    mode: RequiredInJson[TaskHandlerMode] = TaskHandlerMode.INTERNAL
    timeout_ms: RequiredInJson[U64] = 60_000


class RetryPolicyConfig(EditableModel, alias_generator=to_camel):
    """How failed commands are repeated; `strategy` is usually `exponential`, `fixed` or `none`."""

    strategy: Str
    max_retries: U32 = 3
    initial_delay_ms: U64 = 100
    fixed_delay_ms: U64 | None = None


class RateLimitConfig(EditableModel, alias_generator=to_camel):
    """How many commands may run; `limit_type` is usually `per_second`, `per_minute`, `per_hour` or `unlimited`."""

    limit_type: Str
    max_operations: U64 | None = None


class PriorityBoostConfig(EditableModel, alias_generator=to_camel):
    """How waiting commands gain priority; `strategy` is usually `standard`, `aggressive` or `disabled`."""

    strategy: Str
    deadline_ms: U64 | None = None


class SessionQueueConfig(EditableModel, alias_generator=to_camel):
    """The queues of a session. A key that is missing in JSON gives another concurrency than a new object has."""

    control_max_concurrency: Annotated[U64, InJson(4)] = 2
    query_max_concurrency: Annotated[U64, InJson(12)] = 4
    execute_max_concurrency: Annotated[U64, InJson(4)] = 2
    generate_max_concurrency: Annotated[U64, InJson(2)] = 1
    lane_handlers: dict[SessionLane, LaneHandlerConfig] = Field(default_factory=dict)
    enable_dlq: Bool = False
    dlq_max_size: U64 | None = None
    enable_metrics: Bool = False
    enable_alerts: Bool = False
    default_timeout_ms: U64 | None = None
    storage_path: Str | None = None
    retry_policy: RetryPolicyConfig | None = None
    rate_limit: RateLimitConfig | None = None
    priority_boost: PriorityBoostConfig | None = None
    pressure_threshold: U64 | None = None
    lane_timeouts: dict[SessionLane, U64] = Field(default_factory=dict)


class ConfirmationPolicy(EditableModel):
    """When a person must confirm; commands of `yolo_lanes` (a set, in the order it was written) never ask."""

    enabled: RequiredInJson[Bool] = False
    default_timeout_ms: RequiredInJson[U64] = 30_000
    timeout_action: RequiredInJson[TimeoutAction] = TimeoutAction.REJECT
    yolo_lanes: RequiredInJson[list[SessionLane]] = Field(default_factory=list)


class PermissionRule(EditableModel):
    """One rule in the form `Tool` or `Tool(pattern)`; JSON may also hold the bare text."""

    rule: Str

    @model_validator(mode="before")
    @classmethod
    def _accept_bare_text(cls, value: object) -> object:
        return {"rule": value} if isinstance(value, str) else value


class PermissionPolicy(EditableModel):
    """Which tools may run."""

    deny: list[PermissionRule] = Field(default_factory=list)
    allow: list[PermissionRule] = Field(default_factory=list)
    ask: list[PermissionRule] = Field(default_factory=list)
    default_decision: PermissionDecision = PermissionDecision.ASK
    enabled: Bool = True


class FeatureToggles(EditableModel):
    """The parts of the security layer."""

    output_sanitizer: RequiredInJson[Bool] = True
    taint_tracking: RequiredInJson[Bool] = True
    tool_interceptor: RequiredInJson[Bool] = True
    injection_defense: RequiredInJson[Bool] = True


class SecurityConfig(EditableModel):
    """The security layer of a session; `dangerous_commands` are regular expressions.

    The reference starts a new configuration with built-in classification rules and dangerous commands. They belong
    to the runtime and are not known here: a new object has neither.
    """

    enabled: RequiredInJson[Bool] = True
    classification_rules: RequiredInJson[list[OpenValue]] = Field(default_factory=list)
    redaction_strategy: RequiredInJson[RedactionStrategy] = RedactionStrategy.REMOVE
    network_whitelist: RequiredInJson[list[Str]] = Field(default_factory=list)
    dangerous_commands: RequiredInJson[list[Str]] = Field(default_factory=list)
    features: RequiredInJson[FeatureToggles] = Field(default_factory=FeatureToggles)


class AutoDelegationConfig(EditableModel, alias_generator=to_camel):
    """When work is delegated to subagents; `min_confidence` from 0 to 1."""

    enabled: Bool = False
    auto_parallel: Bool = Field(default=True, validation_alias=AliasChoices("autoParallel", "auto_parallel"))
    allow_manual_delegation: Bool = Field(
        default=True, validation_alias=AliasChoices("allowManualDelegation", "allow_manual_delegation")
    )
    min_confidence: F32 = 0.72
    max_tasks: U64 = 4


class ToolPresentationProfile(FrozenModel, extra="forbid"):
    """How tools are offered to the model."""

    schema: RequiredInJson[Str] = TOOL_PRESENTATION_PROFILE_SCHEMA
    mode: RequiredInJson[ToolPresentationMode] = ToolPresentationMode.ADAPTIVE


class ToolResultTransformPolicy(EditableModel, extra="forbid"):
    """How long tool results are shortened; a new object is conservative. Sizes are in bytes."""

    schema: RequiredInJson[Str] = TOOL_RESULT_TRANSFORM_POLICY_SCHEMA
    max_output_bytes: RequiredInJson[U64] = 102_400
    head_bytes: RequiredInJson[U64] = 102_400
    tail_bytes: RequiredInJson[U64] = 0
    fold_repeated_lines: RequiredInJson[Bool] = False
    repeated_line_threshold: RequiredInJson[U64] = 3
    structured_sample_items: RequiredInJson[U64] = 0

    def check(self, path: str) -> None:
        """Check that the policy is one known here. Errors: InvalidArgumentError below `path`."""
        schema_known = self.schema == TOOL_RESULT_TRANSFORM_POLICY_SCHEMA
        require(schema_known, f"{path}.schema", f"must be {TOOL_RESULT_TRANSFORM_POLICY_SCHEMA}")
