"""Why a tool failed, for programs that react to it."""

from typing import Annotated, Literal

from pydantic import Field

from sessionstore.model.base import FrozenModel
from sessionstore.model.scalar import U64, Bool, Str


class ToolVersionConflict(FrozenModel):
    """What was to be changed is not at the expected version."""

    type: Literal["version_conflict"] = "version_conflict"
    path: Str
    expected: Str
    actual: Str | None = None


class ToolRemoteGitConflict(FrozenModel):
    """A remote git repository refused a change."""

    type: Literal["remote_git_conflict"] = "remote_git_conflict"
    code: Str
    message: Str


class ToolNotFound(FrozenModel):
    """What was asked for does not exist."""

    type: Literal["not_found"] = "not_found"
    path: Str


class ToolInvalidArgument(FrozenModel):
    """The tool was called with arguments that it does not take."""

    type: Literal["invalid_argument"] = "invalid_argument"
    message: Str


class ToolHookDenied(FrozenModel):
    """A hook refused the call."""

    type: Literal["hook_denied"] = "hook_denied"
    reason: Str
    retryable: Bool
    retry_after_ms: U64 | None = None


class ToolUnsupported(FrozenModel):
    """The tool cannot do this here."""

    type: Literal["unsupported"] = "unsupported"
    message: Str


class ToolTimeout(FrozenModel):
    """The operation took too long."""

    type: Literal["timeout"] = "timeout"
    op: Str
    duration_ms: U64


class ToolTransport(FrozenModel):
    """The connection to whatever does the work failed."""

    type: Literal["transport"] = "transport"
    op: Str


class ToolCancelled(FrozenModel):
    """The operation was cancelled."""

    type: Literal["cancelled"] = "cancelled"
    op: Str


class ToolPartialFailure(FrozenModel):
    """Some parts of the work failed."""

    type: Literal["partial_failure"] = "partial_failure"
    failed: U64
    total: U64


class ToolRateLimited(FrozenModel):
    """The tool was called too often."""

    type: Literal["rate_limited"] = "rate_limited"
    retry_after_ms: U64 | None = None


ToolErrorKind = Annotated[
    ToolVersionConflict
    | ToolRemoteGitConflict
    | ToolNotFound
    | ToolInvalidArgument
    | ToolHookDenied
    | ToolUnsupported
    | ToolTimeout
    | ToolTransport
    | ToolCancelled
    | ToolPartialFailure
    | ToolRateLimited,
    Field(discriminator="type"),
]
"""Why a tool failed."""
