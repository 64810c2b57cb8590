"""Looks whether a JSON text is one that an open value can be made of, without making it."""

from math import isfinite
from typing import Any

from pydantic_core import from_json, to_json

from sessionstore.model.open_value import MAX_DEPTH

_SIMPLE = frozenset({str, int, bool, type(None)})
"""What the JSON parser makes that needs no look."""


def sound_json(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return what a JSON text says, in plain lists and dicts, half as dear as an open value.

    Errors: ValueError when no open value can be made of it, see `frozen_from_json`.
    """
    value = from_json(text, allow_inf_nan=False)
    _look_into([value], MAX_DEPTH + 1)
    return value


def written_json(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return what a JSON text says, as `sound_json`, if an open value made of it is written as the same text.

    Errors: ValueError.
    """
    if text.count("[") + text.count("{") > MAX_DEPTH:
        sound_json(text)
    value = from_json(text, allow_inf_nan=False)
    if to_json(value) != text.encode():
        raise ValueError
    return value


def _look_into(values: Any, depth: int) -> None:  # noqa: ANN401 - a list, or the values of a dict
    if depth == 0:
        raise ValueError
    for value in values:
        kind = type(value)
        if kind is dict:
            _look_into(value.values(), depth - 1)
        elif kind is list:
            _look_into(value, depth - 1)
        elif kind is float and not isfinite(value):
            raise ValueError
