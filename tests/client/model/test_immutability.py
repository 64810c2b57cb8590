"""Shared values never change; a session may be edited in place."""

import copy
import json
import pickle

import pytest
from pydantic import ValidationError

from sessionstore.model import (
    FrozenDict,
    FrozenList,
    LoopCheckpoint,
    Message,
    RunRecord,
    SessionData,
    SessionState,
    SubagentTaskSnapshot,
    TextBlock,
    ToolArtifact,
    ToolUseBlock,
    TraceEvent,
    VerificationReport,
    validate_json_list,
)
from sessionstore.model.base import FrozenModel

INPUT = {"a": [1, {"b": None}], "c": {"d": 1.5}}


def values_below(value):
    """Yield everything that can be reached from a model."""
    yield value
    if isinstance(value, FrozenModel):
        children = [getattr(value, name) for name in type(value).model_fields] + [value.model_extra]
    elif isinstance(value, dict):
        children = list(value.values())
    else:
        children = value if isinstance(value, list | tuple) else []
    for child in children:
        yield from values_below(child)


@pytest.fixture
def shared(document):
    """Gives one value of each shared kind, with unknown fields."""
    arrays = {"runs": RunRecord, "traces": TraceEvent, "verification": VerificationReport}
    arrays["subagent_tasks"] = SubagentTaskSnapshot
    lists = [validate_json_list(model, document(name)) for name, model in arrays.items()]
    loop = json.loads(document("loop_checkpoint")) | {"new": {"list": [1]}}
    return [value for values in lists for value in values] + [LoopCheckpoint.model_validate_json(json.dumps(loop))]


def test_nothing_that_can_be_reached_may_change(shared):
    plain = (str, int, float, bool, type(None), tuple, FrozenModel, FrozenDict, FrozenList)
    reached = [value for model in shared for value in values_below(model)]
    assert len(reached) > 1000
    assert not {type(value) for value in reached if not isinstance(value, plain)}
    assert all(type(value) is not dict and type(value) is not list for value in reached)


def test_fields_cannot_be_set_or_removed(shared):
    for model in shared:
        name = next(iter(type(model).model_fields))
        with pytest.raises(ValidationError, match="frozen"):
            setattr(model, name, getattr(model, name))
        with pytest.raises(ValidationError, match="frozen"):
            model.brand_new = 1
        with pytest.raises(ValidationError, match="frozen"):
            delattr(model, name)


def test_unknown_fields_cannot_be_added():
    with pytest.raises(TypeError, match="immutable"):
        Message.user("hello").model_extra["new"] = 1


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.__setitem__("a", 1),
        lambda value: value.__delitem__("a"),
        lambda value: value.update(a=1),
        lambda value: value.pop("a"),
        lambda value: value.popitem(),
        lambda value: value.clear(),
        lambda value: value.setdefault("z", 1),
        lambda value: value.__ior__({"z": 1}),
        lambda value: value["a"].__setitem__(0, 2),
        lambda value: value["a"].__delitem__(0),
        lambda value: value["a"].append(2),
        lambda value: value["a"].extend([2]),
        lambda value: value["a"].insert(0, 2),
        lambda value: value["a"].pop(),
        lambda value: value["a"].remove(1),
        lambda value: value["a"].clear(),
        lambda value: value["a"].sort(),
        lambda value: value["a"].reverse(),
        lambda value: value["a"].__iadd__([2]),
        lambda value: value["a"].__imul__(2),
        lambda value: value["a"][1].update(b=1),
    ],
)
def test_an_open_value_refuses_to_change(change):
    block = ToolUseBlock(id="1", name="n", input=INPUT)
    with pytest.raises(TypeError, match="immutable"):
        change(block.input)
    assert block.input == INPUT


def test_an_open_value_does_not_follow_the_object_it_was_made_from():
    original = {"a": [1]}
    block = ToolUseBlock(id="1", name="n", input=original)
    original["a"].append(2)
    assert block.input == {"a": [1]}


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_copies_are_equal_and_frozen(duplicate):
    block = ToolUseBlock(id="1", name="n", input=INPUT, new=INPUT)
    other = duplicate(block)
    assert other == block
    assert hash(other) == hash(block)
    for value in (other.input, other.input["a"], other.model_extra, other.model_extra["new"]):
        assert isinstance(value, FrozenDict | FrozenList)
    assert repr(other.input) == repr(INPUT)


def test_an_open_value_reads_like_plain_json():
    block = ToolUseBlock(id="1", name="n", input=INPUT)
    assert json.dumps(block.input) == json.dumps(INPUT)
    assert block.input | {"z": 1} == INPUT | {"z": 1}
    assert [*block.input["a"]] == INPUT["a"]


@pytest.mark.parametrize(
    "value",
    [
        (1,),
        {1},
        b"bytes",
        object(),
        SessionState.ACTIVE,
        float("nan"),
        {"a": float("inf")},
        {1: 1},
        {None: 1},
        "\ud800",
        {"\udfff": 1},
    ],
)
def test_only_json_is_an_open_value(faults, value):
    assert faults(lambda: ToolUseBlock(id="1", name="n", input=[value])) == {"input": "open_value"}
    assert faults(lambda: Message(role="", content=(), new=value)) == {"new": "open_value"}


def test_an_endless_value_is_refused(faults):
    endless = []
    endless.append(endless)
    assert faults(lambda: ToolUseBlock(id="1", name="n", input=endless)) == {"input": "open_value"}


def test_a_session_may_be_edited_in_place():
    session = SessionData(id="s")
    session.state = "Active"
    session.config.workspace = "/w"
    session.config.tool_result_transform_policy.schema = "other"
    session.messages.append(Message.user("hello"))
    session.total_usage += session.total_usage
    assert session.state is SessionState.ACTIVE
    assert SessionData.model_validate_json(session.model_dump_json()) == session


def test_lists_become_tuples():
    assert Message(role="user", content=[TextBlock(text="t")]).content == (TextBlock(text="t"),)


def test_equal_values_have_one_hash():
    artifact = ToolArtifact.from_output("bash", "out", 1)
    assert {artifact, ToolArtifact.from_output("bash", "out", 1)} == {artifact}
    assert len({Message.user("a"), Message.user("a"), Message.assistant("a")}) == 2
