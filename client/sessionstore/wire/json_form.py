"""The JSON that a model writes, made of the protobuf message without the model.

A server that keeps records as JSON text has no other use for their models. The values that a model would write take
less time than the model, and making them proves that the message comes back from them: a message that does not surely
come back is refused with a KeyError or a ValueError, or holds a value that no JSON can be written of. So is one with
rules that are not known here. The model then tells.
"""

import math
from collections.abc import Collection, Mapping
from operator import not_
from typing import Any, Never, get_args

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message as Proto
from google.protobuf.message_factory import GetMessageClass
from pydantic import BaseModel

from sessionstore.model.base import Model, OmitNone
from sessionstore.model.scalar import F32, F64, round_to_f32
from sessionstore.wire.json_text import written_json
from sessionstore.wire.soundness import (
    CONVERTED,
    ENSURED,
    Part,
    has_rules,
    has_type,
    is_structure,
    names_of,
    validator_of,
)
from sessionstore.wire.values import OPEN_VALUE, UNKNOWN_FIELDS, Convert

_OMIT_NONE = get_args(OmitNone)[1].exclude_if
_OMITTED = object()
"""Stands for a value that a model leaves out of JSON."""
_LOST = object()
"""Stands for a value that would come back as another one. No JSON can be written of it."""


class JsonForm:
    """The JSON values of the messages of one class, as those of one model."""

    def __init__(self, descriptor: Descriptor) -> None:
        # Taken from the class, because a message that is asked for a method looks for a field of that name first.
        self._set_fields = GetMessageClass(descriptor).ListFields
        self._unset: dict[str, object] = {}
        """What each key stands for when its field is not set, in the order of the model."""
        self._shows: dict[FieldDescriptor, tuple[str, Convert | None]] = {}
        self._omittable: list[str] = []

    def show(self, message: Proto) -> dict[str, Any]:
        """Return the values under their JSON names. Errors: KeyError, ValueError."""
        values = self._unset.copy()
        unknown: dict[str, Any] = {}
        for field, value in self._set_fields(message):
            key, show = self._shows[field]
            if show is None:
                values[key] = value
            elif key == UNKNOWN_FIELDS:
                unknown = show(value)
            else:
                values[key] = show(value)
        for key in self._omittable:
            if values[key] is _OMITTED:
                del values[key]
        return values | unknown if unknown else values

    def add_constant(self, key: str, value: object) -> None:
        """Add a key that the message has no field for."""
        self._unset[key] = value

    def add(self, key: str, part: Part, zero: object) -> None:
        """Add the key of a field; `zero` is its value when it is not set, None if it has none then."""
        show = _show_of(part)
        self._shows[part.field] = key, show
        self._unset[key] = _unset_none(part) if zero is None else _unset_zero(zero, show)
        if part.info.exclude_if:
            self._omittable.append(key)

    def add_choice(self, key: str, shows: Mapping[FieldDescriptor, Convert | None]) -> None:
        """Add the key of several fields, one of which has to be set."""
        self._shows.update((field, (key, show)) for field, show in shows.items())
        self._unset[key] = _LOST

    def add_unknown_fields(self, field: FieldDescriptor, model_class: type[BaseModel]) -> None:
        """Add the field of all keys that the model does not know."""
        self._shows[field] = UNKNOWN_FIELDS, _show_of_unknown_fields(model_class)


def has_own_json(model_class: type[BaseModel]) -> bool:
    """Tell whether a model has rules, beyond those of its fields, for what it reads or writes."""
    rules = model_class.__pydantic_decorators__
    return has_rules(model_class) or bool(rules.field_serializers or rules.model_serializers or rules.computed_fields)


def refuse(_value: object) -> Never:
    """Leave a value to the model. Errors: ValueError."""
    raise ValueError


def show_of_unknown_variant(known: Collection[str]) -> Convert:
    """Return how the JSON text of a variant that this program does not know is shown, of which the type comes first."""

    def show(text: str) -> dict[str, Any]:
        variant = written_json(text)
        if not isinstance(variant, dict) or next(iter(variant), None) != "type":
            raise ValueError("type")
        if not isinstance(variant["type"], str) or variant["type"] in known:
            raise ValueError("type")
        return variant

    return show


def _show_of_unknown_fields(model_class: type[BaseModel]) -> Convert:
    ignored = model_class.ignored_json_keys if issubclass(model_class, Model) else ()
    names = frozenset([*names_of(model_class), *ignored])

    def show(text: str) -> dict[str, Any]:
        unknown = written_json(text)
        if not unknown or not isinstance(unknown, dict) or not names.isdisjoint(unknown):
            raise ValueError(UNKNOWN_FIELDS)
        return unknown

    return show


def _show_of(part: Part) -> Convert | None:
    """Return how the values of a field are shown; None: as they are."""
    show, is_omitted = _show_of_kept(part), part.info.exclude_if
    if is_omitted is None or is_omitted is _OMIT_NONE:
        return show
    model_value = _model_value(part, is_omitted)
    return lambda value: _OMITTED if is_omitted(model_value(value)) else show(value) if show else value


def _model_value(part: Part, is_omitted: Convert) -> Convert:
    """Return what makes the value that the rule of a field is to be asked about."""
    field, _, conversion = part
    if is_omitted is not_ and (field.is_repeated or not field.message_type):
        return _same
    if field.enum_type and not field.is_repeated and conversion.decode:
        return conversion.decode
    return _asked(part)


def _show_of_kept(part: Part) -> Convert | None:
    """Return how the values are shown that the model does not leave out."""
    field, info, conversion = part
    if conversion.show and (is_structure(field, info) or has_type(info, CONVERTED)):
        return _show_set if conversion is OPEN_VALUE and field.has_presence else conversion.show
    if has_type(info, ENSURED.get(field.type, ())):
        return conversion.show
    if not field.is_repeated and has_type(info, (F32, F64)):
        return _show_single if has_type(info, (F32,)) else _show_double
    return _show_by_validator(part)


def _show_set(text: str) -> object:
    """Return an open value that is told from none by being set. Errors: ValueError when it is null."""
    value = written_json(text)
    if value is None:
        raise ValueError(text)
    return value


def _show_double(number: float) -> float:
    if not math.isfinite(number):
        raise ValueError
    return number


def _show_single(number: float) -> float:
    return round_to_f32(_show_double(number))


def _show_by_validator(part: Part) -> Convert:
    """Return what asks the model for its value, and refuses one that is not the same in protobuf."""
    encode, asked = part.conversion.encode or _same, _asked(part)
    # Lists are of several classes, of which none equals the others.
    comparable: Convert = list if part.field.is_repeated else _same

    def show(value: Any) -> object:  # noqa: ANN401 - of any field
        shown = asked(value)
        if comparable(encode(shown)) != comparable(value):
            raise ValueError
        return shown

    return show


def _asked(part: Part) -> Convert:
    decode, validate = part.conversion.decode or _same, validator_of(part.info)
    return lambda value: validate(decode(value))


def _unset_zero(zero: object, show: Convert | None) -> object:
    try:
        return show(zero) if show else zero
    except (KeyError, ValueError):
        return _LOST


def _unset_none(part: Part) -> object:
    field, info, _ = part
    if info.default is not None or not (field.has_presence or field.enum_type):
        return _LOST
    return _OMITTED if info.exclude_if and info.exclude_if(None) else None


def _same(value: Any) -> Any:  # noqa: ANN401 - of any field
    return value
