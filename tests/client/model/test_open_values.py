"""Open values are written as the plain values that they equal."""

from hypothesis import given
from pydantic import JsonValue
from pydantic_core import to_json

from sessionstore.model.open_value import freeze, frozen_from_json, json_from_frozen
from sessionstore.testing.strategies import open_values


@given(open_values())
def test_a_frozen_value_is_written_like_a_plain_one(value: JsonValue) -> None:
    text = to_json(value).decode()
    assert json_from_frozen(freeze(value)) == text
    assert json_from_frozen({"in a plain dict": [freeze(value)]}) == f'{{"in a plain dict":[{text}]}}'


@given(open_values())
def test_a_frozen_value_comes_back(value: JsonValue) -> None:
    frozen = freeze(value)
    assert repr(frozen_from_json(json_from_frozen(frozen))) == repr(frozen)
