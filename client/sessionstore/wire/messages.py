"""Reads and writes messages in straight lines, because long conversations are made of thousands of them.

The outcome is that of the plan in `codec.py`. What a message can have wrong on its way in, beyond what protobuf
ensures, is an enum or a oneof that is not set or not known, a missing part, and text that is not JSON; a model, what
was put into it without checks. There is no reason given, since the plan then names the field.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sessionstore.model import (
    ContentBlock,
    FrozenDict,
    ImageBlock,
    ImageSource,
    Message,
    TextBlock,
    ToolResultBlock,
    ToolResultTrust,
    ToolUseBlock,
    TranscriptVisibility,
)
from sessionstore.model.base import FrozenModel, make_frozen
from sessionstore.model.open_value import frozen_from_json, json_from_frozen
from sessionstore.v1 import message_pb2 as pb

_NOTHING = FrozenDict()
_VISIBILITY_NUMBERS = {
    TranscriptVisibility.PRODUCT: pb.TRANSCRIPT_VISIBILITY_PRODUCT,
    TranscriptVisibility.WIRE: pb.TRANSCRIPT_VISIBILITY_WIRE,
}
_VISIBILITY = {number: visibility for visibility, number in _VISIBILITY_NUMBERS.items()} | {
    pb.TRANSCRIPT_VISIBILITY_UNSPECIFIED: TranscriptVisibility.PRODUCT
}
_TRUST_NUMBERS = {
    ToolResultTrust.TRUSTED: pb.TOOL_RESULT_TRUST_TRUSTED,
    ToolResultTrust.WORKSPACE_DATA: pb.TOOL_RESULT_TRUST_WORKSPACE_DATA,
    ToolResultTrust.EXTERNAL: pb.TOOL_RESULT_TRUST_EXTERNAL,
}
_TRUST = {number: trust for trust, number in _TRUST_NUMBERS.items()} | {
    pb.TOOL_RESULT_TRUST_UNSPECIFIED: ToolResultTrust.WORKSPACE_DATA
}

# Taken from the classes, because a message that is asked for a method looks for a field of that name first.
_which_block = pb.ContentBlock.WhichOneof
_which_content = pb.ToolResultBlock.WhichOneof
_has_in_message = pb.Message.HasField
_has_in_text = pb.TextBlock.HasField
_has_in_use = pb.ToolUseBlock.HasField
_has_in_result = pb.ToolResultBlock.HasField


def read_message(message: pb.Message) -> Message:
    """Return the model that `message` carries. Errors: KeyError or ValueError when it is not sound."""
    values: dict[str, object] = {
        "role": message.role,
        # A slice is a list, which is gone through in a third of the time that the field itself takes.
        "content": tuple([_READERS[_which_block(block, "block")](block) for block in message.content[:]]),
        "reasoning_content": message.reasoning_content if _has_in_message(message, "reasoning_content") else None,
        "transcript_text": message.transcript_text if _has_in_message(message, "transcript_text") else None,
        "transcript_visibility": _VISIBILITY[message.transcript_visibility],
    }
    unknown = _unknown(message, values) if _has_in_message(message, "unknown_fields_json") else _NOTHING
    return make_frozen(Message, values, unknown)


def _read_text(holder: pb.ContentBlock | pb.ToolResultContent) -> TextBlock:
    block = holder.text
    values: dict[str, object] = {"type": "text", "text": block.text}
    unknown = _unknown(block, values) if _has_in_text(block, "unknown_fields_json") else _NOTHING
    return make_frozen(TextBlock, values, unknown)


def _read_tool_use(holder: pb.ContentBlock) -> ToolUseBlock:
    block = holder.tool_use
    tool_input = frozen_from_json(block.input_json)
    values: dict[str, object] = {"type": "tool_use", "id": block.id, "name": block.name, "input": tool_input}
    unknown = _unknown(block, values) if _has_in_use(block, "unknown_fields_json") else _NOTHING
    return make_frozen(ToolUseBlock, values, unknown)


def _read_tool_result(holder: pb.ContentBlock) -> ToolResultBlock:
    block = holder.tool_result
    values: dict[str, object] = {
        "type": "tool_result",
        "tool_use_id": block.tool_use_id,
        "content": block.text_content if _which_content(block, "content") == "text_content" else _contents(block),
        "is_error": block.is_error if _has_in_result(block, "is_error") else None,
        "trust": _TRUST[block.trust],
        "redaction_reviewed": block.redaction_reviewed,
    }
    unknown = _unknown(block, values) if _has_in_result(block, "unknown_fields_json") else _NOTHING
    return make_frozen(ToolResultBlock, values, unknown)


def _contents(block: pb.ToolResultBlock) -> tuple[ContentBlock, ...]:
    if not block.HasField("block_contents"):
        raise ValueError
    return tuple([_READERS[part.WhichOneof("block")](part) for part in block.block_contents.contents])


def _read_image(holder: pb.ContentBlock | pb.ToolResultContent) -> ImageBlock:
    block = holder.image
    if not block.HasField("source"):
        raise ValueError
    source = block.source
    values: dict[str, object] = {"type": source.type, "media_type": source.media_type, "data": source.data}
    unknown = _unknown(source, values) if source.HasField("unknown_fields_json") else _NOTHING
    values = {"type": "image", "source": make_frozen(ImageSource, values, unknown)}
    unknown = _unknown(block, values) if block.HasField("unknown_fields_json") else _NOTHING
    return make_frozen(ImageBlock, values, unknown)


_READERS: Mapping[str | None, Callable[[Any], ContentBlock]] = {
    "text": _read_text,
    "image": _read_image,
    "tool_use": _read_tool_use,
    "tool_result": _read_tool_result,
}


def _unknown(message: Any, values: Mapping[str, object]) -> FrozenDict:  # noqa: ANN401 - any of the messages
    unknown = frozen_from_json(message.unknown_fields_json)
    if not isinstance(unknown, FrozenDict) or not unknown.keys().isdisjoint(values):
        raise ValueError
    return unknown


def fill_message(message: Message, written: pb.Message) -> None:
    """Write `message` into a new message. Errors: AttributeError, KeyError, TypeError or ValueError."""
    written.role = message.role
    written.transcript_visibility = _VISIBILITY_NUMBERS[message.transcript_visibility]
    if message.reasoning_content is not None:
        written.reasoning_content = message.reasoning_content
    if message.transcript_text is not None:
        written.transcript_text = message.transcript_text
    _write_blocks(message.content, written.content.add)
    _write_unknown(message, written)


def _write_blocks(blocks: Iterable[ContentBlock], add: Callable[[], Any]) -> None:
    for block in blocks:
        _WRITERS[type(block)](block, add())


def _write_text(block: TextBlock, holder: pb.ContentBlock | pb.ToolResultContent) -> None:
    written = holder.text
    written.text = block.text
    _write_unknown(block, written)


def _write_tool_use(block: ToolUseBlock, holder: pb.ContentBlock) -> None:
    written = holder.tool_use
    written.id, written.name = block.id, block.name
    written.input_json = json_from_frozen(block.input)
    _write_unknown(block, written)


def _write_tool_result(block: ToolResultBlock, holder: pb.ContentBlock) -> None:
    written = holder.tool_result
    written.tool_use_id = block.tool_use_id
    if isinstance(block.content, str):
        written.text_content = block.content
    else:
        written.block_contents.SetInParent()
        _write_blocks(block.content, written.block_contents.contents.add)
    if block.is_error is not None:
        written.is_error = block.is_error
    written.trust, written.redaction_reviewed = _TRUST_NUMBERS[block.trust], block.redaction_reviewed
    _write_unknown(block, written)


def _write_image(block: ImageBlock, holder: pb.ContentBlock | pb.ToolResultContent) -> None:
    source, written = block.source, holder.image.source
    written.type, written.media_type, written.data = source.type, source.media_type, source.data
    _write_unknown(source, written)
    _write_unknown(block, holder.image)


_WRITERS: Mapping[type[ContentBlock], Callable[[Any, Any], None]] = {
    TextBlock: _write_text,
    ImageBlock: _write_image,
    ToolUseBlock: _write_tool_use,
    ToolResultBlock: _write_tool_result,
}


def _write_unknown(value: FrozenModel, written: Any) -> None:  # noqa: ANN401 - any of the messages
    if value.__pydantic_extra__:
        written.unknown_fields_json = json_from_frozen(value.__pydantic_extra__)
