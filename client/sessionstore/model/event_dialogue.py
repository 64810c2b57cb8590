"""Run events of the dialogue: turns, text, tools, questions, context."""

from typing import Literal

from sessionstore.model.base import FrozenModel, OmitNone
from sessionstore.model.message import LlmResponseMeta, TokenUsage
from sessionstore.model.open_value import OpenValue
from sessionstore.model.scalar import F32, I32, U64, Bool, Str
from sessionstore.model.tool_error import ToolErrorKind
from sessionstore.model.verification import VerificationSummary


class AgentStartEvent(FrozenModel):
    """The agent began to work on a prompt."""

    type: Literal["agent_start"] = "agent_start"
    prompt: Str


class AgentModeChangedEvent(FrozenModel):
    """Another agent or mode took over."""

    type: Literal["agent_mode_changed"] = "agent_mode_changed"
    mode: Str
    agent: Str
    description: Str


class TurnStartEvent(FrozenModel):
    """A turn began."""

    type: Literal["turn_start"] = "turn_start"
    turn: U64


class TextDeltaEvent(FrozenModel):
    """The model wrote more text."""

    type: Literal["text_delta"] = "text_delta"
    text: Str


class ReasoningDeltaEvent(FrozenModel):
    """The model thought more text."""

    type: Literal["reasoning_delta"] = "reasoning_delta"
    text: Str


class ToolStartEvent(FrozenModel):
    """The model began to call a tool."""

    type: Literal["tool_start"] = "tool_start"
    id: Str
    name: Str


class ToolInputDeltaEvent(FrozenModel):
    """The model wrote more of a tool's input."""

    type: Literal["tool_input_delta"] = "tool_input_delta"
    id: OmitNone[Str] = None
    delta: Str


class ToolExecutionStartEvent(FrozenModel):
    """A tool began to run."""

    type: Literal["tool_execution_start"] = "tool_execution_start"
    id: Str
    name: Str
    args: OpenValue


class ToolEndEvent(FrozenModel):
    """A tool ended."""

    type: Literal["tool_end"] = "tool_end"
    id: Str
    name: Str
    args: OmitNone[OpenValue] = None
    output: Str
    exit_code: I32
    metadata: OmitNone[OpenValue] = None
    error_kind: OmitNone[ToolErrorKind] = None


class ToolOutputDeltaEvent(FrozenModel):
    """A running tool wrote more output."""

    type: Literal["tool_output_delta"] = "tool_output_delta"
    id: Str
    name: Str
    delta: Str


class TurnEndEvent(FrozenModel):
    """A turn ended."""

    type: Literal["turn_end"] = "turn_end"
    turn: U64
    usage: TokenUsage


class AgentEndEvent(FrozenModel):
    """The agent finished its work."""

    type: Literal["agent_end"] = "agent_end"
    text: Str
    usage: TokenUsage
    verification_summary: VerificationSummary
    meta: OmitNone[LlmResponseMeta] = None


class ErrorEvent(FrozenModel):
    """The work failed."""

    type: Literal["error"] = "error"
    message: Str


class ConfirmationRequiredEvent(FrozenModel):
    """A person must confirm a tool call."""

    type: Literal["confirmation_required"] = "confirmation_required"
    tool_id: Str
    tool_name: Str
    args: OpenValue
    timeout_ms: U64


class ConfirmationReceivedEvent(FrozenModel):
    """A person answered."""

    type: Literal["confirmation_received"] = "confirmation_received"
    tool_id: Str
    approved: Bool
    reason: Str | None = None


class ConfirmationTimeoutEvent(FrozenModel):
    """Nobody answered in time; the action is usually `rejected` or `auto_approved`."""

    type: Literal["confirmation_timeout"] = "confirmation_timeout"
    tool_id: Str
    action_taken: Str


class UserQuestionEvent(FrozenModel):
    """The agent asks the user."""

    type: Literal["user_question"] = "user_question"
    question_id: Str
    question: Str
    options: tuple[Str, ...]
    allow_free_text: Bool = False


class PermissionDeniedEvent(FrozenModel):
    """A rule forbade a tool call."""

    type: Literal["permission_denied"] = "permission_denied"
    tool_id: Str
    tool_name: Str
    args: OpenValue
    reason: Str


class ContextResolvingEvent(FrozenModel):
    """Context is being gathered."""

    type: Literal["context_resolving"] = "context_resolving"
    providers: tuple[Str, ...]


class ContextResolvedEvent(FrozenModel):
    """Context was gathered."""

    type: Literal["context_resolved"] = "context_resolved"
    total_items: U64
    total_tokens: U64


class ContextCompactedEvent(FrozenModel):
    """The conversation was shortened; `percent_before` from 0 to 1."""

    type: Literal["context_compacted"] = "context_compacted"
    session_id: Str
    before_messages: U64
    after_messages: U64
    percent_before: F32
    summary: OmitNone[Str] = None
