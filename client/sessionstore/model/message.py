"""Messages of a conversation, and the tokens they cost."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag

from sessionstore.model.base import FrozenModel, OmitEmpty, OmitNone, RequiredInJson
from sessionstore.model.open_value import OpenValue
from sessionstore.model.scalar import U64, U64_MAX, Bool, Str


class TranscriptVisibility(StrEnum):
    """Who is shown a message: people who use the product, or only those who look at the wire."""

    PRODUCT = "product"
    WIRE = "wire"


class ToolResultTrust(StrEnum):
    """How far the content of a tool result may be trusted."""

    TRUSTED = "trusted"
    WORKSPACE_DATA = "workspace_data"
    EXTERNAL = "external"


class ImageSource(FrozenModel):
    """The bytes of an image: how they are encoded (`base64`), their media type, and the padded base64 text."""

    type: Str
    media_type: Str
    data: Str


class TextBlock(FrozenModel):
    """Plain text."""

    type: Literal["text"] = "text"
    text: Str


class ImageBlock(FrozenModel):
    """An image."""

    type: Literal["image"] = "image"
    source: ImageSource


class ToolUseBlock(FrozenModel):
    """A call of a tool that the assistant asks for."""

    type: Literal["tool_use"] = "tool_use"
    id: Str
    name: Str
    input: OpenValue


ToolResultContent = Annotated[TextBlock | ImageBlock, Field(discriminator="type")]
"""A part of a tool result."""


def _form_of_content(value: object) -> str:
    return "text" if isinstance(value, str) else "blocks"


class ToolResultBlock(FrozenModel):
    """The outcome of a tool call; `tool_use_id` is the id of the call."""

    type: Literal["tool_result"] = "tool_result"
    tool_use_id: Str
    content: Annotated[
        Annotated[Str, Tag("text")] | Annotated[tuple[ToolResultContent, ...], Tag("blocks")],
        Discriminator(_form_of_content),
    ]
    is_error: Bool | None = None
    trust: Annotated[ToolResultTrust, Field(exclude_if=lambda trust: trust is ToolResultTrust.WORKSPACE_DATA)] = (
        ToolResultTrust.WORKSPACE_DATA
    )
    redaction_reviewed: OmitEmpty[Bool] = False


ContentBlock = Annotated[TextBlock | ImageBlock | ToolUseBlock | ToolResultBlock, Field(discriminator="type")]
"""One piece of a message."""


class Message(FrozenModel):
    """One entry of a conversation. Tool results travel in messages of the role `user`."""

    role: Str
    content: tuple[ContentBlock, ...]
    reasoning_content: OmitNone[Str] = None
    transcript_text: OmitNone[Str] = None
    """The wording for people, when `content` holds more than they should read."""
    transcript_visibility: Annotated[
        TranscriptVisibility, Field(exclude_if=lambda visibility: visibility is TranscriptVisibility.PRODUCT)
    ] = TranscriptVisibility.PRODUCT

    @classmethod
    def user(cls, text: str) -> Self:
        """Build a message of the user from plain text."""
        return cls(role="user", content=(TextBlock(text=text),))

    @classmethod
    def assistant(cls, text: str) -> Self:
        """Build a message of the assistant from plain text."""
        return cls(role="assistant", content=(TextBlock(text=text),))


class TokenUsage(FrozenModel):
    """Numbers of tokens that one call or a whole session used; None where the provider does not count."""

    prompt_tokens: RequiredInJson[U64] = 0
    completion_tokens: RequiredInJson[U64] = 0
    total_tokens: RequiredInJson[U64] = 0
    cache_read_tokens: U64 | None = None
    cache_write_tokens: U64 | None = None

    def __add__(self, other: "TokenUsage") -> "TokenUsage":
        """Add two usages; a sum beyond 64 bits stays at the largest number."""
        return TokenUsage(
            prompt_tokens=_saturated(self.prompt_tokens + other.prompt_tokens),
            completion_tokens=_saturated(self.completion_tokens + other.completion_tokens),
            total_tokens=_saturated(self.total_tokens + other.total_tokens),
            cache_read_tokens=_add_optional(self.cache_read_tokens, other.cache_read_tokens),
            cache_write_tokens=_add_optional(self.cache_write_tokens, other.cache_write_tokens),
        )


def _saturated(number: int) -> int:
    return min(number, U64_MAX)


def _add_optional(left: int | None, right: int | None) -> int | None:
    if left is None and right is None:
        return None
    return _saturated((left or 0) + (right or 0))


class LlmResponseMeta(FrozenModel):
    """What a model provider said about one response. Durations are in milliseconds."""

    provider: OmitNone[Str] = None
    request_model: OmitNone[Str] = None
    request_url: OmitNone[Str] = None
    response_id: OmitNone[Str] = None
    response_model: OmitNone[Str] = None
    response_object: OmitNone[Str] = None
    first_token_ms: OmitNone[U64] = None
    duration_ms: OmitNone[U64] = None
