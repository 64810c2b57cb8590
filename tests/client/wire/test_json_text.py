"""A JSON text is sound exactly when an open value can be made of it."""

import pytest
from hypothesis import given
from pydantic import JsonValue
from pydantic_core import to_json

from sessionstore.model.open_value import MAX_DEPTH, frozen_from_json
from sessionstore.testing.fidelity import any_value
from sessionstore.testing.strategies import open_values
from sessionstore.wire.json_text import sound_json

UNSOUND = [
    "",
    "{",
    "NaN",
    "[Infinity]",
    "1e999",
    '{"a":[{"b":-1e999}]}',
    '["\\ud800"]',
    "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
    '{"a":' * (MAX_DEPTH + 1) + "1" + "}" * (MAX_DEPTH + 1),
]
DEEPEST = ["[" * MAX_DEPTH + "]" * MAX_DEPTH, '{"a":' * MAX_DEPTH + "1" + "}" * MAX_DEPTH]


@any_value
@given(open_values())
def test_what_open_values_can_be_made_of(value: JsonValue) -> None:
    text = to_json(value).decode()
    assert sound_json(text) == frozen_from_json(text) == value


@pytest.mark.parametrize("text", DEEPEST)
def test_the_deepest_values(text: str) -> None:
    assert sound_json(text) == frozen_from_json(text)


@pytest.mark.parametrize("text", UNSOUND)
def test_what_no_open_value_can_be_made_of(text: str) -> None:
    for read in (sound_json, frozen_from_json):
        with pytest.raises(ValueError):  # noqa: PT011 - that of the parser or of this package
            read(text)
