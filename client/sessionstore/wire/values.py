"""Values that have another form in protobuf than in a model."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import BaseModel
from pydantic_core import from_json

from sessionstore.model.open_value import json_from_frozen
from sessionstore.wire.json_text import sound_json, written_json

Convert = Callable[[Any], Any]

UNKNOWN_FIELDS = "unknown_fields_json"
"""The field with what the writer of a message knew, and its reader may not."""
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799
"""Of the calendar, the years 1 to 9999, in Unix time."""
_SECOND_NANOS = 1_000_000_000
_DIGITS = re.compile(r"[0-9]{1,39}")


class Conversion(NamedTuple):
    """How one value becomes its protobuf form and back; None where both are the same."""

    encode: Convert | None = None
    decode: Convert | None = None
    check: Convert | None = None
    """Refuse a protobuf form of which no value can be made, see `soundness.py`; None: there is none."""
    show: Convert | None = None
    """Return what the JSON of a model has for a protobuf form, see `json_form.py`; None: the same."""


def of_each(single: Conversion) -> Conversion:
    """Return how the values of a repeated field are converted, of which `single` converts one."""
    encode, decode, check, show = single
    # A slice is a list, which is gone through in a third of the time that a field of protobuf takes.
    return Conversion(
        encode and (lambda values: list(map(encode, values))),
        decode and (lambda values: list(map(decode, values[:]))),
        check and (lambda values: list(map(check, values[:]))),
        (lambda values: list(map(show, values[:]))) if show else list,
    )


def unknown_fields_text(value: BaseModel) -> str | None:
    """Return the fields that the class of `value` does not know, as the text of a JSON object."""
    return _to_text(value.__pydantic_extra__) if value.__pydantic_extra__ else None


def _to_text(value: object) -> str:
    return value.model_dump_json() if isinstance(value, BaseModel) else json_from_frozen(value)


class _InvalidJsonText:
    """Stands for text that is not JSON. No field takes it, so that pydantic refuses it and names its place."""


def _from_text(text: str) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError:
        return _InvalidJsonText()


def object_from_text(text: str) -> dict[str, Any]:
    """Return the JSON object in `text`, or one of unknown fields that no model takes."""
    value = _from_text(text)
    return value if isinstance(value, dict) else {UNKNOWN_FIELDS: _InvalidJsonText()}


def _timestamp_from_text(text: str) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromJsonString(text)
    return timestamp


def _text_from_timestamp(timestamp: Timestamp) -> str | None:
    """Return RFC 3339 text, or None, which no field takes, for a moment beyond the calendar."""
    try:
        return timestamp.ToJsonString()
    except ValueError:
        return None


def _check_moment(timestamp: Timestamp) -> None:
    if not (_FIRST_SECOND <= timestamp.seconds <= _LAST_SECOND and 0 <= timestamp.nanos < _SECOND_NANOS):
        raise ValueError


def _show_moment(timestamp: Timestamp) -> str:
    _check_moment(timestamp)
    return timestamp.ToJsonString()


OPEN_VALUE = Conversion(_to_text, _from_text, sound_json, written_json)
DECIMAL = Conversion(str, lambda digits: int(digits) if _DIGITS.fullmatch(digits) else digits)
TIMESTAMP = Conversion(_timestamp_from_text, _text_from_timestamp, _check_moment, _show_moment)
