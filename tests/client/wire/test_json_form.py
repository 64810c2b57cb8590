"""What is shown of a message is, to the letter, what its model writes, or nothing."""

from typing import Annotated, Self

import pytest
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator, Field, field_serializer, model_validator
from tests.client.wire.test_codec_completeness import MODELLED, codec_of, filled_messages
from tests.client.wire.test_soundness import RECORDS, spoiled

from sessionstore import InvalidArgumentError
from sessionstore.model import (
    ArtifactManifest,
    ContextUsage,
    Model,
    SessionConfig,
    SessionQueueConfig,
    ToolArtifact,
    ToolUseBlock,
)
from sessionstore.model.open_value import OpenValue
from sessionstore.model.scalar import Str
from sessionstore.testing import strategies
from sessionstore.v1 import artifact_pb2 as pb
from sessionstore.v1 import policy_pb2, run_pb2, session_pb2, trace_pb2
from sessionstore.v1.message_pb2 import ToolUseBlock as ToolUse
from sessionstore.wire import records
from sessionstore.wire.codec import Codec

FLAT = [records.SESSION_SUMMARY, records.MESSAGE, records.TRACE_EVENT, records.RUN_EVENT]
"""The records without parts of which only the model can tell what it writes."""


def trace_event(**fields: object) -> trace_pb2.TraceEvent:
    return trace_pb2.TraceEvent(schema="s", kind="TRACE_EVENT_KIND_TOOL_EXECUTION", **fields)


def run_event(unknown_json: str) -> run_pb2.RunEventRecord:
    return run_pb2.RunEventRecord(event={"unknown_json": unknown_json})


def config(unknown_fields_json: str) -> session_pb2.SessionConfig:
    config = next(filled_messages(session_pb2.SessionConfig.DESCRIPTOR))
    config.ClearField("permission_policy")
    config.ClearField("queue_config")
    config.unknown_fields_json = unknown_fields_json
    return config


def queue_config(handlers_of_one_lane: int) -> policy_pb2.SessionQueueConfig:
    config = next(filled_messages(policy_pb2.SessionQueueConfig.DESCRIPTOR))
    config.ClearField("lane_timeouts")
    config.lane_handlers.extend([config.lane_handlers[0]] * (handlers_of_one_lane - 1))
    return config


@pytest.mark.parametrize("descriptor", MODELLED, ids=lambda descriptor: descriptor.name)
def test_every_structure(descriptor: Descriptor) -> None:
    for message in filled_messages(descriptor):
        assert codec_of(descriptor).json_of(message) in (None, written(codec_of(descriptor), message))


@pytest.mark.parametrize("codec", RECORDS, ids=lambda codec: codec.model_class.__name__)
def test_what_would_not_come_back_is_not_shown(codec: Codec) -> None:
    for message in filled_messages(codec.message_class.DESCRIPTOR):
        for _ in spoiled(message):
            assert codec.json_of(message) in (None, written(codec, message)), message


@pytest.mark.parametrize("codec", FLAT, ids=lambda codec: codec.model_class.__name__)
def test_what_comes_back_is_shown(codec: Codec) -> None:
    for message in filled_messages(codec.message_class.DESCRIPTOR):
        assert codec.json_of(message)
        for _ in spoiled(message):
            assert codec.json_of(message) == written(codec, message), message


@pytest.mark.parametrize("codec", RECORDS, ids=lambda codec: codec.model_class.__name__)
@given(data=st.data())
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_a_model_holds(codec: Codec, data: st.DataObject) -> None:
    value = data.draw(strategies.models(codec.model_class))
    message = codec.to_proto(value)
    assert codec.json_of(message) in (None, written(codec, message))


@given(st.floats(width=32), st.floats())
def test_every_float(single: float, double: float) -> None:
    for codec, message in (
        (Codec(ContextUsage, session_pb2.ContextUsage), session_pb2.ContextUsage(max_tokens=1, percent=single)),
        (records.SESSION_SUMMARY, session_pb2.SessionSummary(state="SESSION_STATE_ACTIVE", total_cost=double)),
    ):
        assert codec.json_of(message) == written(codec, message)


@pytest.mark.parametrize(
    ("codec", "shown", "lost"),
    [
        (records.TRACE_EVENT, trace_event(details_json="[null]"), trace_event(details_json="null")),
        (records.RUN_EVENT, run_event('{"type":"of.later","a":1}'), run_event('{"a":1,"type":"of.later"}')),
        (Codec(SessionConfig, session_pb2.SessionConfig), config('{"hook":1}'), config('{"hook_engine":1}')),
        (Codec(SessionQueueConfig, policy_pb2.SessionQueueConfig), queue_config(1), queue_config(2)),
    ],
)
def test_what_the_model_takes_and_writes_in_another_way(codec: Codec, shown: Message, lost: Message) -> None:
    assert codec.json_of(shown) == written(codec, shown) is not None
    assert codec.from_proto(lost)
    assert codec.json_of(lost) is None


class Shouting(ToolArtifact):
    tool_name: Annotated[Str, AfterValidator(str.upper)]


class Hiding(ToolArtifact):
    tool_name: Annotated[Str, Field(exclude_if=lambda name: name == "bash")]


class HidingOne(ArtifactManifest):
    artifacts: Annotated[tuple[ToolArtifact, ...], Field(exclude_if=lambda artifacts: len(artifacts) == 1)]


class LazyUse(ToolUseBlock):
    input: OpenValue = None


class Checked(ToolArtifact):
    @model_validator(mode="after")
    def _check(self) -> Self:
        return self


class Quoted(ToolArtifact):
    @field_serializer("tool_name")
    def _quote(self, name: str) -> str:
        return f"'{name}'"


BASH, CAT = pb.ToolArtifact(tool_name="bash"), pb.ToolArtifact(tool_name="CAT")


@pytest.mark.parametrize(
    ("model_class", "shown", "not_shown"),
    [
        (Shouting, [CAT], [BASH]),
        (Hiding, [BASH, CAT], []),
        (HidingOne, [pb.ArtifactManifest(artifacts=[BASH] * count) for count in range(3)], []),
        (LazyUse, [ToolUse(input_json="null")], [ToolUse()]),
        (Checked, [], [BASH]),
        (Quoted, [], [BASH]),
    ],
)
def test_rules_that_are_not_known_here(
    model_class: type[Model], shown: list[Message], not_shown: list[Message]
) -> None:
    codec = Codec(model_class, type((shown or not_shown)[0]))
    assert [codec.json_of(message) for message in shown] == [written(codec, message) for message in shown]
    assert [codec.json_of(message) for message in not_shown] == [None] * len(not_shown)


def written(codec: Codec, message: Message) -> bytes | None:
    """Return what the model writes, None if `message` is not what comes back from it."""
    try:
        value = codec.from_proto(message)
    except InvalidArgumentError:
        return None
    comes_back = codec.to_proto(value).SerializeToString() == message.SerializeToString()
    return codec.to_json(value) if comes_back else None
