"""What is left to check of a message, beyond what protobuf ensures of any.

A server has to know that a model can be made of what it stores, and has no use for the model. A check costs a fraction
of making one. It raises KeyError or ValueError for what is not surely sound; the model then tells whether it is, and
why not. The rules are those of the model's fields: their validators are asked wherever nothing simpler is known to be
the same.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple, get_args

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message as Proto
from pydantic import AliasChoices, BaseModel, Discriminator, Tag, TypeAdapter
from pydantic.fields import FieldInfo

from sessionstore.model.base import InJson
from sessionstore.model.open_value import OpenValue
from sessionstore.model.scalar import F32, F64, I32, I64, U32, U64, Bool, Str, Timestamp
from sessionstore.wire.json_text import sound_json
from sessionstore.wire.values import UNKNOWN_FIELDS, Conversion, Convert

ENSURED = {
    FieldDescriptor.TYPE_STRING: (Str,),
    FieldDescriptor.TYPE_BOOL: (Bool,),
    FieldDescriptor.TYPE_UINT32: (U32, U64),
    FieldDescriptor.TYPE_UINT64: (U64,),
    FieldDescriptor.TYPE_INT32: (I32, I64),
    FieldDescriptor.TYPE_INT64: (I64,),
}
"""The types that take whatever a field of protobuf can hold."""
_FINITE = {FieldDescriptor.TYPE_FLOAT: (F32, F64), FieldDescriptor.TYPE_DOUBLE: (F64,)}
"""The types that take whatever is finite."""
CONVERTED = (OpenValue, Timestamp)
"""The types of which their conversion checks all there is."""
_MARKS = (InJson, Discriminator, Tag)
"""What may be said of a field without making a rule for its values."""


class Part(NamedTuple):
    """A field of a message, the field of the model that it is, and how they become each other."""

    field: FieldDescriptor
    info: FieldInfo
    conversion: Conversion


class Soundness:
    """The checks of one message."""

    def __init__(self, parts: Iterable[Part], choices: Sequence[Convert], unknown_fields: Convert | None) -> None:
        self._whole = [*choices]
        self._optional: list[tuple[str, Convert]] = []
        self._nonzero: list[tuple[str, Convert]] = []
        self._others: list[tuple[str, Convert]] = []
        if unknown_fields:
            self._optional.append((UNKNOWN_FIELDS, unknown_fields))
        for part in parts:
            self._add(part)

    def check(self, message: Proto) -> None:
        """Refuse a message that is not surely sound. Errors: KeyError, ValueError."""
        for check in self._whole:
            check(message)
        for name, check in self._optional:
            if message.HasField(name):
                check(getattr(message, name))
        for name, check in self._nonzero:
            if value := getattr(message, name):
                check(value)
        for name, check in self._others:
            check(getattr(message, name))

    def _add(self, part: Part) -> None:
        field, info, _ = part
        if field.has_presence and info.is_required():
            self._whole.append(_presence(field.name))
        check = _check_of(part)
        if check:
            self._checks_of(field, info).append((field.name, check))

    def _checks_of(self, field: FieldDescriptor, info: FieldInfo) -> list[tuple[str, Convert]]:
        if field.has_presence:
            return self._optional
        # Zero is an enum that is not set, and an empty list breaks no rule of what is in it.
        may_be_zero = field.is_repeated or (field.enum_type and not info.is_required())
        return self._nonzero if may_be_zero and not _rules(info) else self._others


def check_by_model(model_class: type[BaseModel], decode: Convert) -> Convert | None:
    """Return the check by a model that has rules beyond those of its fields; None: it has none."""
    if not has_rules(model_class):
        return None
    validate = model_class.__pydantic_validator__.validate_python
    return lambda message: validate(decode(message), by_alias=True, by_name=False)


def has_rules(model_class: type[BaseModel]) -> bool:
    """Tell whether a model has rules, beyond those of its fields, for what it is made of."""
    rules = model_class.__pydantic_decorators__
    return bool(rules.validators or rules.field_validators or rules.root_validators or rules.model_validators)


def check_of_unknown_fields(model_class: type[BaseModel]) -> Convert:
    """Return the check of the JSON of unknown fields: an object in which no field is known."""
    names = frozenset(names_of(model_class))

    def check(text: str) -> None:
        unknown = sound_json(text)
        if not isinstance(unknown, dict) or not names.isdisjoint(unknown):
            raise ValueError(UNKNOWN_FIELDS)

    return check


def check_of_unknown_variant(known: Collection[str]) -> Convert:
    """Return the check of the JSON of a variant that this program does not know: an object that tells its type."""

    def check(text: str) -> None:
        variant = sound_json(text)
        if not isinstance(variant, dict) or not isinstance(variant.get("type"), str) or variant["type"] in known:
            raise ValueError("type")

    return check


def _check_of(part: Part) -> Convert | None:
    field, info, (_, decode, check, _) = part
    if decode is None:
        return _check_of_scalar(field, info)
    if check and (is_structure(field, info) or has_type(info, CONVERTED)):
        return check
    ask = validator_of(info)
    return lambda value: ask(decode(value))


def _check_of_scalar(field: FieldDescriptor, info: FieldInfo) -> Convert | None:
    if has_type(info, ENSURED.get(field.type, ())):
        return None
    is_finite = not field.is_repeated and has_type(info, _FINITE.get(field.type, ()))
    return _check_finite if is_finite else validator_of(info)


def is_structure(field: FieldDescriptor, info: FieldInfo) -> bool:
    """Tell whether a field has enums or other messages, and no rules of its own."""
    return field.type != FieldDescriptor.TYPE_STRING and not _rules(info)


def has_type(info: FieldInfo, kinds: tuple[Any, ...]) -> bool:
    """Tell whether a field is one of these types, or optional, or a list of them, and has no more rules."""
    return (info.annotation, _rules(info)) in _forms(kinds)


def _rules(info: FieldInfo) -> list[object]:
    """Return the rules of a field, and of what is in its lists, unions and maps."""
    inner = map(FieldInfo.from_annotation, get_args(info.annotation))
    own = [mark for mark in info.metadata if not isinstance(mark, _MARKS)]
    return [*own, *(rule for each in inner for rule in _rules(each))]


@cache
def _forms(kinds: tuple[Any, ...]) -> list[tuple[object, list[object]]]:
    infos = [FieldInfo.from_annotation(form) for kind in kinds for form in _alone_or_many(kind)]
    return [(info.annotation, _rules(info)) for info in infos]


def _alone_or_many(kind: Any) -> tuple[Any, ...]:  # noqa: ANN401 - any type
    return kind, kind | None, list[kind], tuple[kind, ...]


def _presence(name: str) -> Convert:
    def check(message: Proto) -> None:
        if not message.HasField(name):
            raise ValueError(name)

    return check


def _check_finite(number: float) -> None:
    if not math.isfinite(number):
        raise ValueError


def validator_of(info: FieldInfo) -> Convert:
    """Return what makes a value of a field, or refuses to. Errors: ValueError."""
    validate = TypeAdapter(info.rebuild_annotation()).validator.validate_python
    return lambda value: validate(value, by_alias=True, by_name=False)


def names_of(model_class: type[BaseModel]) -> Iterator[str]:
    """Yield every name that a field has anywhere."""
    for name, info in model_class.model_fields.items():
        choices = info.validation_alias
        yield from (name, info.alias or name, info.serialization_alias or name)
        yield from map(str, choices.choices if isinstance(choices, AliasChoices) else [choices or name])
