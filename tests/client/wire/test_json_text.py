"""A JSON text is sound exactly when an open value can be made of it; there is one text that this value writes."""

import pytest
from hypothesis import given
from pydantic import JsonValue
from pydantic_core import to_json

from sessionstore.model.open_value import MAX_DEPTH, frozen_from_json
from sessionstore.testing.fidelity import any_value
from sessionstore.testing.strategies import open_values
from sessionstore.wire.json_text import sound_json, written_json

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
    assert sound_json(text) == written_json(text) == frozen_from_json(text) == value


@pytest.mark.parametrize("text", [*DEEPEST, f"[{','.join(['[]'] * 2 * MAX_DEPTH)}]"])
def test_the_deepest_values_and_many_flat_ones(text: str) -> None:
    assert sound_json(text) == written_json(text) == frozen_from_json(text)


@pytest.mark.parametrize("text", UNSOUND)
def test_what_no_open_value_can_be_made_of(text: str) -> None:
    for read in (sound_json, written_json, frozen_from_json):
        with pytest.raises(ValueError):  # noqa: PT011 - that of the parser or of this package
            read(text)


@pytest.mark.parametrize(
    "text",
    [" 1", "1e0", "1.00", "-0", '"\\u0041"', '{"a":1,"a":1}', '{"a": 1}', "[1,2 ]", "1E5", "1e5", "0.10", '"\\/"'],
)
def test_what_an_open_value_writes_in_another_way(text: str) -> None:
    sound_json(text)
    with pytest.raises(ValueError):  # noqa: PT011 - that of this package
        written_json(text)
