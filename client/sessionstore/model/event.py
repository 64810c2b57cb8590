"""Run events: the evidence of what a run was bound to, events of types unknown today, and the union of all."""

from typing import Annotated, Literal, get_args

from pydantic import Discriminator, Field, Tag, field_validator

from sessionstore.model.base import FrozenModel
from sessionstore.model.binding import CognitivePackageBinding
from sessionstore.model.event_dialogue import (
    AgentEndEvent,
    AgentModeChangedEvent,
    AgentStartEvent,
    ConfirmationReceivedEvent,
    ConfirmationRequiredEvent,
    ConfirmationTimeoutEvent,
    ContextCompactedEvent,
    ContextResolvedEvent,
    ContextResolvingEvent,
    ErrorEvent,
    PermissionDeniedEvent,
    ReasoningDeltaEvent,
    TextDeltaEvent,
    ToolEndEvent,
    ToolExecutionStartEvent,
    ToolInputDeltaEvent,
    ToolOutputDeltaEvent,
    ToolStartEvent,
    TurnEndEvent,
    TurnStartEvent,
    UserQuestionEvent,
)
from sessionstore.model.event_work import (
    BudgetThresholdHitEvent,
    CommandDeadLetteredEvent,
    CommandRetryEvent,
    ExternalTaskCompletedEvent,
    ExternalTaskPendingEvent,
    GoalAchievedEvent,
    GoalExtractedEvent,
    GoalProgressEvent,
    MemoriesSearchedEvent,
    MemoryClearedEvent,
    MemoryRecalledEvent,
    MemoryStoredEvent,
    PassivationRequestedEvent,
    PeerInvocationEvent,
    PersistenceFailedEvent,
    PlanningEndEvent,
    PlanningStartEvent,
    QueueAlertEvent,
    RunControlAppliedEvent,
    StepEndEvent,
    StepStartEvent,
    SubagentEndEvent,
    SubagentProgressEvent,
    SubagentStartEvent,
    TaskUpdatedEvent,
)
from sessionstore.model.evidence import (
    ModelInputSnapshot,
    ModelPresentationSnapshot,
    ModelUsageSnapshot,
    RunCapabilitySnapshot,
    ToolRequestSnapshot,
)
from sessionstore.model.scalar import U64, Str


class ToolRequestBoundEvent(FrozenModel):
    """What a tool was asked, as evidence."""

    type: Literal["tool_request_bound"] = "tool_request_bound"
    tool_id: Str
    tool_name: Str
    snapshot: ToolRequestSnapshot


class RunCapabilityBoundEvent(FrozenModel):
    """What the run can do, as evidence."""

    type: Literal["run_capability_bound"] = "run_capability_bound"
    call_sequence: U64
    snapshot: RunCapabilitySnapshot


class ModelPresentationBoundEvent(FrozenModel):
    """Which tools the model was offered, as evidence."""

    type: Literal["model_presentation_bound"] = "model_presentation_bound"
    snapshot: ModelPresentationSnapshot


class ModelInputBoundEvent(FrozenModel):
    """What the model was given, as evidence."""

    type: Literal["model_input_bound"] = "model_input_bound"
    snapshot: ModelInputSnapshot


class ModelUsageBoundEvent(FrozenModel):
    """What the model used, as evidence."""

    type: Literal["model_usage_bound"] = "model_usage_bound"
    snapshot: ModelUsageSnapshot


class CognitiveContextBoundEvent(FrozenModel):
    """The cognitive package of the run."""

    type: Literal["cognitive_context_bound"] = "cognitive_context_bound"
    binding: CognitivePackageBinding


class UnknownEvent(FrozenModel):
    """An event of a type that this program does not know; its other keys are kept as they are."""

    type: Str

    @field_validator("type")
    @classmethod
    def _refuse_known_types(cls, value: str) -> str:
        if value in KNOWN_EVENT_TYPES:
            raise ValueError(f"the type {value} is known: use its own class")
        return value


KnownEvent = Annotated[
    AgentStartEvent
    | AgentModeChangedEvent
    | TurnStartEvent
    | TextDeltaEvent
    | ReasoningDeltaEvent
    | ToolStartEvent
    | ToolInputDeltaEvent
    | ToolRequestBoundEvent
    | ToolExecutionStartEvent
    | ToolEndEvent
    | ToolOutputDeltaEvent
    | TurnEndEvent
    | AgentEndEvent
    | ErrorEvent
    | ConfirmationRequiredEvent
    | ConfirmationReceivedEvent
    | ConfirmationTimeoutEvent
    | UserQuestionEvent
    | ExternalTaskPendingEvent
    | ExternalTaskCompletedEvent
    | PermissionDeniedEvent
    | ContextResolvingEvent
    | ContextResolvedEvent
    | RunCapabilityBoundEvent
    | ModelPresentationBoundEvent
    | ModelInputBoundEvent
    | ModelUsageBoundEvent
    | CognitiveContextBoundEvent
    | CommandDeadLetteredEvent
    | CommandRetryEvent
    | QueueAlertEvent
    | TaskUpdatedEvent
    | MemoryStoredEvent
    | MemoryRecalledEvent
    | MemoriesSearchedEvent
    | MemoryClearedEvent
    | SubagentStartEvent
    | SubagentProgressEvent
    | SubagentEndEvent
    | PlanningStartEvent
    | PlanningEndEvent
    | StepStartEvent
    | StepEndEvent
    | GoalExtractedEvent
    | GoalProgressEvent
    | GoalAchievedEvent
    | ContextCompactedEvent
    | RunControlAppliedEvent
    | PersistenceFailedEvent
    | BudgetThresholdHitEvent
    | PassivationRequestedEvent
    | PeerInvocationEvent,
    Field(discriminator="type"),
]

KNOWN_EVENT_TYPES = frozenset(kind.model_fields["type"].default for kind in get_args(get_args(KnownEvent)[0]))


def _familiarity(value: object) -> str | None:
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    if not isinstance(kind, str):
        return None
    return "known" if kind in KNOWN_EVENT_TYPES else "unknown"


AgentEvent = Annotated[
    Annotated[KnownEvent, Tag("known")] | Annotated[UnknownEvent, Tag("unknown")],
    Discriminator(
        _familiarity, custom_error_type="event_type_missing", custom_error_message="An event needs a text as its type"
    ),
]
"""One event of a run, told apart by its `type`."""
