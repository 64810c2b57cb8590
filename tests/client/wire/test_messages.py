"""Messages are read and written as by the plan of the codec, only faster; what is wrong with one, the plan says."""

import copy
import json
import pickle
from pathlib import Path

import pytest
from hypothesis import given

from sessionstore import InvalidArgumentError, Message
from sessionstore.model import FrozenDict, FrozenList, TextBlock, ToolUseBlock
from sessionstore.model.open_value import MAX_DEPTH
from sessionstore.testing import load_recorded
from sessionstore.testing.strategies import models
from sessionstore.v1 import message_pb2 as pb
from sessionstore.wire import records
from sessionstore.wire.codec import Codec
from sessionstore.wire.messages import fill_message, read_message

RECORDED = Path(__file__).parents[2] / "samples" / "recorded.jsonl"
BY_PLAN = Codec(Message, pb.Message)
UNKNOWN = '{"later":{"list":[1,[2.5],{"a":null}]},"flag":true}'
IMAGE = {"source": {"type": "base64", "media_type": "image/png", "data": "", "unknown_fields_json": UNKNOWN}}
BLOCKS = {
    "text": {"text": {"text": "", "unknown_fields_json": UNKNOWN}},
    "image": {"image": IMAGE | {"unknown_fields_json": "{}"}},
    "call": {"tool_use": {"id": "1", "name": "bash", "input_json": UNKNOWN, "unknown_fields_json": UNKNOWN}},
    "call with a plain input": {"tool_use": {"id": "1", "name": "bash", "input_json": "-0.0"}},
    "result": {"tool_result": {"tool_use_id": "1", "text_content": ""}},
    "result of all": {
        "tool_result": {
            "tool_use_id": "1",
            "block_contents": {"contents": [{"text": {"text": "é"}}, {"image": IMAGE}]},
            "is_error": False,
            "trust": pb.TOOL_RESULT_TRUST_EXTERNAL,
            "redaction_reviewed": True,
            "unknown_fields_json": UNKNOWN,
        }
    },
    "result of nothing": {"tool_result": {"tool_use_id": "1", "block_contents": {}}},
}
UNSOUND = {
    "an unset block": {},
    "an image without source": {"image": {}},
    "a result without content": {"tool_result": {"tool_use_id": "1"}},
    "an unknown trust": {"tool_result": {"text_content": "", "trust": 99}},
    "a number beyond all bounds": {"tool_use": {"input_json": "[-1e999]"}},
    "no JSON": {"tool_use": {"input_json": ""}},
    "unknown fields that are no object": {"text": {"unknown_fields_json": "[]"}},
}


def message_of(block: object, **fields: object) -> pb.Message:
    return pb.Message(role="user", content=[{"text": {"text": "first"}}, block], **fields)


def nested(levels: int) -> pb.Message:
    return message_of({"tool_use": {"input_json": "[" * levels + "]" * levels}})


def assert_read_as_by_plan(message: pb.Message) -> None:
    read, planned = read_message(message), BY_PLAN.from_proto(message)
    assert read == planned
    assert repr(read) == repr(planned)
    assert read.model_dump_json() == planned.model_dump_json()


def assert_written_as_by_plan(message: Message) -> None:
    written = pb.Message()
    fill_message(message, written)
    assert written == BY_PLAN.to_proto(message)


@given(models(Message))
def test_any_message_is_written_as_by_plan(message: Message) -> None:
    assert_written_as_by_plan(message)


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
def test_every_block_is_written_as_by_plan(block: object) -> None:
    assert_written_as_by_plan(BY_PLAN.from_proto(message_of(block)))


def test_recorded_messages_are_written_as_by_plan() -> None:
    for snapshot in load_recorded(RECORDED):
        for message in snapshot.session.messages:
            assert_written_as_by_plan(message)


class LoudText(TextBlock):
    """A text of a program's own class."""


def test_a_block_of_a_class_of_its_own_is_left_to_the_plan() -> None:
    message = Message(role="user", content=(LoudText(text="a", later=1),))
    with pytest.raises(KeyError):
        fill_message(message, pb.Message())
    assert records.MESSAGE.to_proto(message) == BY_PLAN.to_proto(message)


UNCHECKED = {
    "role": {"role": 1},
    "transcript_text": {"transcript_text": "\ud800"},
    "content[0].tool_use.input": {
        "content": (ToolUseBlock.model_construct(type="tool_use", id="", name="", input=object()),)
    },
}


@pytest.mark.parametrize("field", UNCHECKED)
def test_the_plan_explains_what_cannot_be_written(field: str) -> None:
    message = Message.user("").model_copy(update=UNCHECKED[field])
    with pytest.raises(InvalidArgumentError) as raised:
        records.MESSAGE.to_proto(message)
    assert raised.value.field == field


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
def test_every_block(block: object) -> None:
    assert_read_as_by_plan(message_of(block))


@pytest.mark.parametrize("visibility", pb.TranscriptVisibility.values())
def test_every_field(visibility: pb.TranscriptVisibility) -> None:
    texts = {"reasoning_content": "", "transcript_text": "shown"}
    assert_read_as_by_plan(message_of({"text": {}}, **texts, transcript_visibility=visibility))
    assert_read_as_by_plan(pb.Message(unknown_fields_json=UNKNOWN, transcript_visibility=visibility))


def test_recorded_messages() -> None:
    messages = [message for snapshot in load_recorded(RECORDED) for message in snapshot.session.messages]
    assert len(messages) >= 20
    for message in messages:
        assert_read_as_by_plan(records.MESSAGE.to_proto(message))


@pytest.mark.parametrize("block", UNSOUND.values(), ids=UNSOUND)
def test_what_is_not_sound_is_left_to_the_plan(block: object) -> None:
    message = message_of(block)
    with pytest.raises((KeyError, ValueError)):
        read_message(message)
    with pytest.raises(InvalidArgumentError, match=r"^content\[1\]"):
        records.MESSAGE.from_proto(message)


def test_the_deepest_value() -> None:
    assert_read_as_by_plan(nested(MAX_DEPTH))
    with pytest.raises(InvalidArgumentError, match=r"^content\[1\]\.tool_use\.input: .*deeper than 127"):
        records.MESSAGE.from_proto(nested(MAX_DEPTH + 1))


def test_a_field_that_an_older_program_did_not_know_is_taken_by_name() -> None:
    made = records.MESSAGE.from_proto(pb.Message(role="user", unknown_fields_json='{"transcript_text":"a","b":1}'))
    assert (made.transcript_text, made.model_extra) == ("a", {"b": 1})


def test_all_open_values_are_frozen() -> None:
    read = read_message(message_of(BLOCKS["call"], unknown_fields_json=UNKNOWN))
    call = read.content[1]
    assert isinstance(call, ToolUseBlock)
    for value in (read.model_extra, call.model_extra, call.input):
        assert value == json.loads(UNKNOWN)
        reached = (value, value["later"], value["later"]["list"], value["later"]["list"][1], value["later"]["list"][2])
        assert [type(each) for each in reached] == [FrozenDict, FrozenDict, FrozenList, FrozenList, FrozenDict]


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_copies_are_equal(duplicate) -> None:
    read = read_message(message_of(BLOCKS["call"], unknown_fields_json=UNKNOWN))
    other = duplicate(read)
    assert other == read
    assert hash(other) == hash(read)
    assert other.model_dump_json() == read.model_dump_json()


def test_what_counts_as_set_in_a_copy_is_its_own() -> None:
    read, other = read_message(pb.Message(role="user")), read_message(pb.Message(role="user"))
    for duplicate in (read.model_copy(update={"role": "assistant"}), copy.copy(read), copy.deepcopy(read)):
        duplicate.model_fields_set.clear()
    assert read.model_fields_set == other.model_fields_set == {*Message.model_fields}
