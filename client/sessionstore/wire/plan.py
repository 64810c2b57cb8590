"""How a model and a protobuf message become each other.

A plan is made once for each pair of a model class and a message descriptor, and then followed for every value. The
rules:

- a field has one name in both, except that a model's open value `x` is the JSON text `x_json` in protobuf;
- a message has the name of its model, an enum that of its Python enum, and a member `B` of an enum `SomeEnum` is
  `SOME_ENUM_B`;
- a tagged union is a message with one oneof, whose members are named like the tags;
- a map is a list of entries with `key` and `value`, so that its order survives;
- what a tolerant object's reader did not know is the JSON object `unknown_fields_json`.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, NamedTuple, get_origin

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, OneofDescriptor
from google.protobuf.message import Message as Proto
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from sessionstore import model
from sessionstore.errors import InvalidArgumentError
from sessionstore.wire.json_form import JsonForm, has_own_json, refuse, show_of_unknown_variant
from sessionstore.wire.soundness import (
    Part,
    Soundness,
    check_by_model,
    check_of_unknown_fields,
    check_of_unknown_variant,
)
from sessionstore.wire.values import (
    DECIMAL,
    OPEN_VALUE,
    TIMESTAMP,
    UNKNOWN_FIELDS,
    Conversion,
    Convert,
    object_from_text,
    of_each,
    unknown_fields_text,
)

_OPEN = "_json"


class _Encoder(NamedTuple):
    attribute: str
    target: str
    convert: Convert | None
    keeps_none: bool


class Plan:
    """How the fields of one model and one message become each other."""

    def __init__(self, descriptor: Descriptor, model_class: type[BaseModel], apart: frozenset[str]) -> None:
        self._encoders: list[_Encoder] = []
        self._choices: list[tuple[str, Convert]] = []
        self._decoders: dict[FieldDescriptor, tuple[str, Convert | None]] = {}
        self._zeros: dict[str, object] = {}
        self._parts: list[Part] = []
        self._choice_checks: list[Convert] = []
        self._unknown_fields = descriptor.fields_by_name.get(UNKNOWN_FIELDS)
        self._form = JsonForm(descriptor)
        self._never_sent = {name for name, info in model_class.model_fields.items() if info.exclude}
        for name, info in model_class.model_fields.items():
            if info.exclude:
                continue
            key = info.serialization_alias or info.alias or name
            if name in apart or _is_tag(descriptor, name, info.annotation):
                self._form.add_constant(key, info.get_default(call_default_factory=True))
            elif name in descriptor.oneofs_by_name:
                self._add_choice(name, key, descriptor.oneofs_by_name[name])
            else:
                self._add_field(name, key, _field(descriptor, name), info)
        unmatched = {field.name for field in descriptor.fields if field not in self._decoders} - {UNKNOWN_FIELDS}
        if unmatched:
            raise TypeError(f"{model_class.__name__} has no field for {sorted(unmatched)} of {descriptor.full_name}")
        if self._unknown_fields:
            self._form.add_unknown_fields(self._unknown_fields, model_class)
        self.show = refuse if has_own_json(model_class) else self._form.show
        """Return what the model writes as JSON, see `json_form.py`. Errors: KeyError, ValueError."""
        self.check = check_by_model(model_class, self.decode) or self._check_by_fields(model_class)
        """Refuse a message that is not surely sound, see `soundness.py`. Errors: KeyError, ValueError."""

    def encode(self, value: Any) -> dict[str, Any]:  # noqa: ANN401 - any of the models
        """Return the arguments from which protobuf makes the message."""
        result: dict[str, Any] = {}
        values = value.__dict__
        for attribute, target, convert, keeps_none in self._encoders:
            item = values[attribute]
            if item is not None or keeps_none:
                result[target] = item if convert is None else convert(item)
        for attribute, choose in self._choices:
            result.update(choose(values[attribute]))
        if self._unknown_fields and (unknown := unknown_fields_text(value)):
            result[UNKNOWN_FIELDS] = unknown
        return result

    def decode(self, message: Proto) -> dict[str, Any]:
        """Return the values of the model under their JSON names; what is not set is left out.

        Whatever an older writer did not know by name is taken as if it had known it.
        """
        result: dict[str, Any] = {}
        others = self._zeros
        for field, value in message.ListFields():
            if field is self._unknown_fields:
                others = self._zeros | self._unknown(value)
                continue
            key, convert = self._decoders[field]
            result[key] = value if convert is None else convert(value)
        return others | result

    def _check_by_fields(self, model_class: type[BaseModel]) -> Convert:
        unknown_fields = check_of_unknown_fields(model_class) if self._unknown_fields else None
        return Soundness(self._parts, self._choice_checks, unknown_fields).check

    def _unknown(self, text: str) -> dict[str, Any]:
        unknown = object_from_text(text)
        if secret := self._never_sent & unknown.keys():
            raise InvalidArgumentError(field=UNKNOWN_FIELDS, problem=f"must not hold {', '.join(sorted(secret))}")
        return unknown

    def _add_field(self, name: str, key: str, field: FieldDescriptor, info: FieldInfo) -> None:
        is_open = field.name == name + _OPEN
        if is_open:
            conversion = of_each(OPEN_VALUE) if field.is_repeated else OPEN_VALUE
        else:
            conversion = DECIMAL if _is_decimal(field, info) else _conversion(field)
        if not (field.has_presence or field.enum_type or is_open) or field.is_repeated:
            self._zeros[key] = _zero(field)
        keeps_none = is_open and not (field.has_presence or field.is_repeated)
        self._encoders.append(_Encoder(name, field.name, conversion.encode, keeps_none))
        self._decoders[field] = (key, conversion.decode)
        part = Part(field, info, conversion)
        self._parts.append(part)
        self._form.add(key, part, self._zeros.get(key))

    def _add_choice(self, name: str, key: str, oneof: OneofDescriptor) -> None:
        """Plan a field that is a text or a list: one member of the oneof is a string, the other wraps the list."""
        text, wrapper = sorted(oneof.fields, key=lambda field: field.message_type is not None)
        encode, decode, check, show = _of_message(wrapper.message_type)
        self._choices.append(
            (
                name,
                lambda value: {text.name: value} if isinstance(value, str) else {wrapper.name: (encode or list)(value)},
            )
        )
        self._decoders[text] = (key, None)
        self._decoders[wrapper] = (key, decode)
        self._form.add_choice(key, {text: None, wrapper: show})
        self._choice_checks.append(_check_of_oneof(oneof, {text.name: None, wrapper.name: check}))


@cache
def plan_of(descriptor: Descriptor, model_class: type[BaseModel], apart: frozenset[str] = frozenset()) -> Plan:
    """Return the plan of a pair. Errors: TypeError when a field of one has no partner in the other."""
    return Plan(descriptor, model_class, apart)


def _is_tag(descriptor: Descriptor, name: str, annotation: object) -> bool:
    return get_origin(annotation) is Literal and name not in descriptor.fields_by_name


def _field(descriptor: Descriptor, name: str) -> FieldDescriptor:
    fields = descriptor.fields_by_name
    field = fields.get(name) or fields.get(name + _OPEN)
    if field is None:
        raise TypeError(f"{descriptor.full_name} has no field for {name}")
    return field


def _zero(field: FieldDescriptor) -> object:
    if field.is_repeated:
        return {} if _is_map(field) else ()
    zero: object = field.default_value
    return zero


def _is_decimal(field: FieldDescriptor, info: FieldInfo) -> bool:
    return info.annotation is int and field.type == FieldDescriptor.TYPE_STRING


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and set(field.message_type.fields_by_name) == {"key", "value"}


def _conversion(field: FieldDescriptor) -> Conversion:
    """Return how the values of `field` are converted: all of them, if it is repeated."""
    if field.message_type is not None and _is_map(field):
        return _of_entries(field.message_type)
    single = _of_enum(field.enum_type) if field.enum_type else _of_message(field.message_type)
    return of_each(single) if field.is_repeated else single


def _of_message(descriptor: Descriptor | None) -> Conversion:
    if descriptor is None:
        return Conversion()
    if descriptor.full_name == Timestamp.DESCRIPTOR.full_name:
        return TIMESTAMP
    if any(
        not oneof.name.startswith("_") and len(oneof.fields) == len(descriptor.fields) for oneof in descriptor.oneofs
    ):
        return _of_union(descriptor)
    if not hasattr(model, descriptor.name):
        return _of_wrapper(descriptor)
    return _of_object(descriptor)


def _of_wrapper(descriptor: Descriptor) -> Conversion:
    """Plan a message that only tells a list from none."""
    (inner,) = descriptor.fields
    items = _conversion(inner)
    encode, decode, check, show = items.encode or list, items.decode or list, items.check, items.show or list
    return Conversion(
        lambda values: {inner.name: encode(values)},
        lambda wrapped: decode(getattr(wrapped, inner.name)),
        check and (lambda wrapped: check(getattr(wrapped, inner.name))),
        lambda wrapped: show(getattr(wrapped, inner.name)),
    )


def _of_object(descriptor: Descriptor) -> Conversion:
    plan = plan_of(descriptor, getattr(model, descriptor.name))
    return Conversion(plan.encode, plan.decode, plan.check, plan.show)


def _of_union(descriptor: Descriptor) -> Conversion:
    """Plan a tagged union; a variant that this program does not know travels whole, as JSON text."""
    (oneof,) = descriptor.oneofs
    variants = {field.name: _of_object(field.message_type) for field in oneof.fields if field.message_type is not None}
    unknown = next((field.name for field in oneof.fields if field.message_type is None), None)

    def encode(value: Any) -> dict[str, Any]:  # noqa: ANN401 - any of the variants
        variant = variants.get(value.type)
        if variant is None or variant.encode is None:
            return {str(unknown): value.model_dump_json()}
        return {value.type: variant.encode(value)}

    def decode(message: Proto) -> dict[str, Any] | None:
        tag = message.WhichOneof(oneof.name)
        if tag is None:
            return None
        variant = variants.get(tag)
        if variant is None or variant.decode is None:
            return object_from_text(getattr(message, tag))
        values: dict[str, Any] = variant.decode(getattr(message, tag))
        values["type"] = tag
        return values

    checks = {tag: variant.check for tag, variant in variants.items()}
    shows = {tag: variant.show or refuse for tag, variant in variants.items()}
    if unknown is not None:
        checks[unknown] = check_of_unknown_variant(variants)
        shows[unknown] = show_of_unknown_variant(variants)

    def show(message: Proto) -> object:
        tag = message.WhichOneof(oneof.name) or ""
        return shows[tag](getattr(message, tag))

    return Conversion(encode, decode, _check_of_oneof(oneof, checks), show)


def _check_of_oneof(oneof: OneofDescriptor, checks: Mapping[str, Convert | None]) -> Convert:
    """Return the check of a message of which one of some fields is set."""

    def check(message: Proto) -> None:
        tag = message.WhichOneof(oneof.name) or ""
        check_value = checks[tag]
        if check_value is not None:
            check_value(getattr(message, tag))

    return check


def _of_enum(descriptor: EnumDescriptor) -> Conversion:
    prefix = descriptor.values_by_number[0].name.removesuffix("UNSPECIFIED")
    numbers = {
        member: descriptor.values_by_name[prefix + member.name].number for member in getattr(model, descriptor.name)
    }
    members = {number: member for member, number in numbers.items()}
    shown = {number: member.value for number, member in members.items()}
    return Conversion(
        numbers.__getitem__, lambda number: members.get(number, number), members.__getitem__, shown.__getitem__
    )


def _of_entries(descriptor: Descriptor) -> Conversion:
    key, value = (_conversion(descriptor.fields_by_name[name]) for name in ("key", "value"))
    encode_key, encode_value = key.encode or _same, value.encode or _same
    decode_key, decode_value = key.decode or _same, value.decode or _same
    show_key, show_value = key.show or _same, value.show or _same

    def show(entries: Any) -> dict[Any, Any]:  # noqa: ANN401 - of any message
        shown = {show_key(entry.key): show_value(entry.value) for entry in entries}
        if len(shown) != len(entries):
            raise ValueError
        return shown

    return Conversion(
        lambda values: [{"key": encode_key(k), "value": encode_value(v)} for k, v in values.items()],
        lambda entries: {decode_key(entry.key): decode_value(entry.value) for entry in entries},
        show=show,
    )


def _same(value: Any) -> Any:  # noqa: ANN401 - whatever comes
    return value
