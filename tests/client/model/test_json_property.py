"""Whatever the models can hold comes back from JSON as it was."""

import json
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator, BeforeValidator, GetPydanticSchema, TypeAdapter

from sessionstore.model import (
    ArtifactManifest,
    LoopCheckpoint,
    RunEventPage,
    RunRecord,
    SessionData,
    SessionPage,
    SessionSnapshot,
    SubagentTaskSnapshot,
    TraceEvent,
    UnknownEvent,
    VerificationReport,
    WorkflowCheckpoint,
)
from sessionstore.model.base import Model
from sessionstore.model.event import KNOWN_EVENT_TYPES
from sessionstore.model.scalar import round_to_f32

TEXT = st.text(max_size=4)
FLOAT = st.floats(allow_nan=False, allow_infinity=False)
SINGLE = st.floats(allow_nan=False, allow_infinity=False, width=32).map(round_to_f32)
MOMENT = st.sampled_from(["2026-01-31T08:15:00Z", "1969-12-31T23:59:59.999999999Z", "9999-12-31T00:00:00.000001Z"])
OPEN = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOAT | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
UNKNOWN = st.dictionaries(TEXT.map("new_{}".format), OPEN, max_size=1)
SPECIAL = {GetPydanticSchema: OPEN, AfterValidator: SINGLE, BeforeValidator: MOMENT}


def json_of(hint, marks=()):
    """Return a strategy for the JSON values of a type."""
    if get_origin(hint) is Annotated:
        inner, *own = get_args(hint)
        return json_of(inner, (*own, *marks))
    special = [SPECIAL[type(mark)] for mark in marks if type(mark) in SPECIAL]
    return special[0] if special else json_of_plain(hint, marks)


def json_of_plain(hint, marks):
    if isinstance(hint, type) and issubclass(hint, Model):
        return json_of_model(hint)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return st.sampled_from([member.value for member in hint])
    if hint is int:
        return integers(marks)
    scalars = {str: TEXT, bool: st.booleans(), float: FLOAT, NoneType: st.none()}
    return scalars[hint] if hint in scalars else json_of_container(hint)


def json_of_container(hint):
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return st.one_of([json_of(argument) for argument in arguments])
    if origin is Literal:
        return st.just(arguments[0])
    if origin is dict:
        return st.dictionaries(json_of(arguments[0]), json_of(arguments[1]), max_size=2)
    return st.lists(json_of(arguments[0]), max_size=2)


def integers(marks):
    limits = {type(limit).__name__: limit for mark in marks for limit in getattr(mark, "metadata", ())}
    return st.integers(limits["Ge"].ge, limits["Le"].le)


@cache
def json_of_model(model):
    """Return a strategy for objects in the order and with the omissions that the model writes."""
    if model is UnknownEvent:
        types = TEXT.filter(lambda text: text not in KNOWN_EVENT_TYPES)
        return st.builds(lambda kind, rest: {"type": kind, **rest}, types, UNKNOWN)
    hints = get_type_hints(model, include_extras=True)
    fields = {name: field for name, field in model.model_fields.items() if not field.exclude}
    strategies = {name: json_of(hints[name]) for name in fields}
    unknown = UNKNOWN if model.model_config["extra"] == "allow" else st.just({})
    return st.builds(lambda values, rest: written(model, values) | rest, st.fixed_dictionaries(strategies), unknown)


def written(model, values):
    """Return the values in order under their JSON names, without those that the model leaves out."""
    return {
        field.serialization_alias or name: values[name]
        for name, field in model.model_fields.items()
        if name in values and not is_left_out(model, name, values[name])
    }


def is_left_out(model, name, value):
    rule = model.model_fields[name].exclude_if
    return rule is not None and rule(adapter(model, name).validate_python(value))


@cache
def adapter(model, name):
    return TypeAdapter(get_type_hints(model, include_extras=True)[name])


@pytest.mark.parametrize(
    "model",
    [
        ArtifactManifest,
        LoopCheckpoint,
        RunEventPage,
        RunRecord,
        SessionData,
        SessionPage,
        SessionSnapshot,
        SubagentTaskSnapshot,
        TraceEvent,
        VerificationReport,
        WorkflowCheckpoint,
    ],
)
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_json_comes_back(model, data):
    text = json.dumps(data.draw(json_of_model(model)), ensure_ascii=False)
    value = model.model_validate_json(text)
    back = value.model_dump_json()
    # Comparing texts and not trees tells 1 from 1.0 and from true, and one order of keys from another.
    assert json.dumps(json.loads(back), ensure_ascii=False) == text
    assert model.model_validate_json(back) == value
    assert json.loads(value.model_dump_json(indent=2)) == json.loads(back)
