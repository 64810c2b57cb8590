"""Reads messages in straight lines, because long conversations are made of thousands of them.

The outcome is that of the plan in `codec.py`. What a message can have wrong here, beyond what protobuf ensures, is an
enum or a oneof that is not set or not known, a missing part, and text that is not JSON: a KeyError or ValueError, and
no reason given, since the plan then names the field.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

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
from sessionstore.model.open_value import frozen_from_json
from sessionstore.v1 import message_pb2 as pb

F = TypeVar("F", bound=FrozenModel)

_NOTHING = FrozenDict()
_VISIBILITY = {
    pb.TRANSCRIPT_VISIBILITY_UNSPECIFIED: TranscriptVisibility.PRODUCT,
    pb.TRANSCRIPT_VISIBILITY_PRODUCT: TranscriptVisibility.PRODUCT,
    pb.TRANSCRIPT_VISIBILITY_WIRE: TranscriptVisibility.WIRE,
}
_TRUST = {
    pb.TOOL_RESULT_TRUST_UNSPECIFIED: ToolResultTrust.WORKSPACE_DATA,
    pb.TOOL_RESULT_TRUST_TRUSTED: ToolResultTrust.TRUSTED,
    pb.TOOL_RESULT_TRUST_WORKSPACE_DATA: ToolResultTrust.WORKSPACE_DATA,
    pb.TOOL_RESULT_TRUST_EXTERNAL: ToolResultTrust.EXTERNAL,
}


def read_message(message: pb.Message) -> Message:
    """Return the model that `message` carries. Errors: KeyError or ValueError when it is not sound."""
    values: dict[str, object] = {
        "role": message.role,
        "content": _blocks(message.content),
        "reasoning_content": message.reasoning_content if message.HasField("reasoning_content") else None,
        "transcript_text": message.transcript_text if message.HasField("transcript_text") else None,
        "transcript_visibility": _VISIBILITY[message.transcript_visibility],
    }
    return _made(Message, message, values)


def _blocks(blocks: Sequence[pb.ContentBlock] | Sequence[pb.ToolResultContent]) -> tuple[ContentBlock, ...]:
    # A slice is a list, which is gone through in a third of the time that the field itself takes.
    return tuple([_block(block) for block in blocks[:]])


def _block(block: pb.ContentBlock | pb.ToolResultContent) -> ContentBlock:
    tag = block.WhichOneof("block")
    return _BLOCKS[tag](getattr(block, tag or ""))


def _text(block: pb.TextBlock) -> TextBlock:
    return _made(TextBlock, block, {"type": "text", "text": block.text})


def _image(block: pb.ImageBlock) -> ImageBlock:
    if not block.HasField("source"):
        raise ValueError
    source = block.source
    values: dict[str, object] = {"type": source.type, "media_type": source.media_type, "data": source.data}
    return _made(ImageBlock, block, {"type": "image", "source": _made(ImageSource, source, values)})


def _tool_use(block: pb.ToolUseBlock) -> ToolUseBlock:
    tool_input = frozen_from_json(block.input_json)
    return _made(ToolUseBlock, block, {"type": "tool_use", "id": block.id, "name": block.name, "input": tool_input})


def _tool_result(block: pb.ToolResultBlock) -> ToolResultBlock:
    values: dict[str, object] = {
        "type": "tool_result",
        "tool_use_id": block.tool_use_id,
        "content": block.text_content if block.WhichOneof("content") == "text_content" else _contents(block),
        "is_error": block.is_error if block.HasField("is_error") else None,
        "trust": _TRUST[block.trust],
        "redaction_reviewed": block.redaction_reviewed,
    }
    return _made(ToolResultBlock, block, values)


def _contents(block: pb.ToolResultBlock) -> tuple[ContentBlock, ...]:
    if not block.HasField("block_contents"):
        raise ValueError
    return _blocks(block.block_contents.contents)


_BLOCKS: Mapping[str | None, Callable[[Any], ContentBlock]] = {
    "text": _text,
    "image": _image,
    "tool_use": _tool_use,
    "tool_result": _tool_result,
}


def _made(model_class: type[F], message: Any, values: dict[str, object]) -> F:  # noqa: ANN401 - any of the messages
    if not message.HasField("unknown_fields_json"):
        return make_frozen(model_class, values, _NOTHING)
    unknown = frozen_from_json(message.unknown_fields_json)
    if not isinstance(unknown, FrozenDict) or not unknown.keys().isdisjoint(values):
        raise ValueError
    return make_frozen(model_class, values, unknown)
