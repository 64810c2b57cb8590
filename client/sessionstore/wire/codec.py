"""Converts between models and protobuf messages that have the same shape under the same names.

A plan is made once for each pair of a model class and a message descriptor, and then followed for every value. The
rules:

- a field has one name in both, except that a model's open value `x` is the JSON text `x_json` in protobuf;
- a message has the name of its model, an enum that of its Python enum, and a member `B` of an enum `SomeEnum` is
  `SOME_ENUM_B`;
- a tagged union is a message with one oneof, whose members are named like the tags;
- a map is a list of entries with `key` and `value`, so that its order survives;
- what a tolerant object's reader did not know is the JSON object `unknown_fields_json`.

Reading goes through plain dictionaries with the keys of the JSON form, checked by pydantic in one go.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache, cached_property
from typing import Any, Generic, Literal, NamedTuple, TypeVar, get_origin

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, OneofDescriptor
from google.protobuf.message import Message as Proto
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json, to_json

from sessionstore import model
from sessionstore.errors import InvalidArgumentError

M = TypeVar("M", bound=BaseModel)
P = TypeVar("P", bound=Proto)
Convert = Callable[[Any], Any]

_UNKNOWN_FIELDS = "unknown_fields_json"
_OPEN = "_json"
_DIGITS = re.compile(r"[0-9]{1,39}")


class Codec(Generic[M, P]):
    """Converts one model class to one message class and back.

    `apart` names the fields of the model that do not travel in the message.
    """

    def __init__(self, model_class: type[M], message_class: type[P], apart: Iterable[str] = ()) -> None:
        self.model_class, self.message_class, self._apart = model_class, message_class, frozenset(apart)

    def to_proto(self, value: M) -> P:
        """Return the message that carries `value`.

        Errors: InvalidArgumentError when an object that may be edited in place was given a value it cannot hold.
        """
        plan = self._plan
        if not isinstance(value, self.model_class):
            wanted = self.model_class.__name__
            raise InvalidArgumentError(field=wanted, problem=f"must be a {wanted}, not a {type(value).__name__}")
        try:
            return self.message_class(**plan.encode(value))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            validate(self.model_class, value.model_dump(by_alias=True, warnings=False))
            raise InvalidArgumentError(field=self.model_class.__name__, problem=str(error)) from error

    def all_to_proto(self, field: str, values: Iterable[M], first: int = 0) -> list[P]:
        """Return the messages that carry `values`; errors name the place in `field`, where these begin at `first`."""
        messages: list[P] = []
        for value in values:
            try:
                messages.append(self.to_proto(value))
            except InvalidArgumentError as error:
                path = f"{field}[{first + len(messages)}]"
                path += "" if error.field == self.model_class.__name__ else f".{error.field}"
                raise InvalidArgumentError(field=path, problem=error.problem) from error
        return messages

    def from_proto(self, message: P, **apart: object) -> M:
        """Return the model that `message` carries, completed by the fields that travel apart from it.

        Errors: InvalidArgumentError that names the field that has no valid value.
        """
        return validate(self.model_class, self._plan.decode(message) | apart)

    def to_json(self, value: M) -> bytes:
        """Return the JSON text of a model that `from_proto` or `from_json` made."""
        return value.__pydantic_serializer__.to_json(value)

    def from_json(self, text: bytes) -> M:
        """Return the model whose JSON is `text`, as the model writes it.

        Errors: InvalidArgumentError that names the field that has no valid value.
        """
        try:
            made: M = self.model_class.__pydantic_validator__.validate_json(text, by_alias=True, by_name=False)
        except ValidationError as error:
            raise invalid_argument(error) from error
        return made

    @cached_property
    def _plan(self) -> "_Plan":
        return _plan(self.message_class.DESCRIPTOR, self.model_class, self._apart)


def validate(model_class: type[M], values: Mapping[str, object]) -> M:
    """Make a model of values under their JSON names.

    Errors: InvalidArgumentError that names the first field that has no valid value.
    """
    try:
        made: M = model_class.__pydantic_validator__.validate_python(values, by_alias=True, by_name=False)
    except ValidationError as error:
        raise invalid_argument(error) from error
    return made


def invalid_argument(error: ValidationError) -> InvalidArgumentError:
    """Return the first fault that pydantic found, as an error of this package."""
    fault = error.errors(include_input=False, include_url=False)[0]
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault["loc"])
    return InvalidArgumentError(field=path.removeprefix(".") or error.title, problem=fault["msg"])


def unknown_fields(message: Any) -> dict[str, Any]:  # noqa: ANN401 - any message that has the field
    """Return the fields that the writer of `message` did not know. Errors: InvalidArgumentError when they are none."""
    if not message.HasField(_UNKNOWN_FIELDS):
        return {}
    kept = validate(model.FrozenModel, _object_from_text(message.unknown_fields_json))
    return dict(kept.__pydantic_extra__ or {})


def unknown_fields_text(value: BaseModel) -> str | None:
    """Return the fields that the class of `value` does not know, as the text of a JSON object."""
    return _to_text(value.__pydantic_extra__) if value.__pydantic_extra__ else None


class _Conversion(NamedTuple):
    """How one value becomes its protobuf form and back; None where both are the same."""

    encode: Convert | None = None
    decode: Convert | None = None


class _Encoder(NamedTuple):
    attribute: str
    target: str
    convert: Convert | None
    keeps_none: bool


class _Plan:
    """How the fields of one model and one message become each other."""

    def __init__(self, descriptor: Descriptor, model_class: type[BaseModel], apart: frozenset[str]) -> None:
        self._encoders: list[_Encoder] = []
        self._choices: list[tuple[str, Convert]] = []
        self._decoders: dict[FieldDescriptor, tuple[str, Convert | None]] = {}
        self._zeros: dict[str, object] = {}
        self._unknown_fields = descriptor.fields_by_name.get(_UNKNOWN_FIELDS)
        self._never_sent = {name for name, info in model_class.model_fields.items() if info.exclude}
        for name, info in model_class.model_fields.items():
            if name in apart or info.exclude or _is_tag(descriptor, name, info.annotation):
                continue
            key = info.serialization_alias or info.alias or name
            if name in descriptor.oneofs_by_name:
                self._add_choice(name, key, descriptor.oneofs_by_name[name])
            else:
                self._add_field(name, key, _field(descriptor, name), info.annotation is int)
        unmatched = {field.name for field in descriptor.fields if field not in self._decoders} - {_UNKNOWN_FIELDS}
        if unmatched:
            raise TypeError(f"{model_class.__name__} has no field for {sorted(unmatched)} of {descriptor.full_name}")

    def encode(self, value: Any) -> dict[str, Any]:  # noqa: ANN401 - any of the models
        """Return the arguments from which protobuf makes the message."""
        result: dict[str, Any] = {}
        for attribute, target, convert, keeps_none in self._encoders:
            item = getattr(value, attribute)
            if item is not None or keeps_none:
                result[target] = item if convert is None else convert(item)
        for attribute, choose in self._choices:
            result.update(choose(getattr(value, attribute)))
        if self._unknown_fields and (unknown := unknown_fields_text(value)):
            result[_UNKNOWN_FIELDS] = unknown
        return result

    def decode(self, message: Proto) -> dict[str, Any]:
        """Return the values of the model under their JSON names; what is not set is left out.

        Whatever an older writer did not know by name is taken as if it had known it.
        """
        result: dict[str, Any] = {}
        unknown: dict[str, Any] = {}
        for field, value in message.ListFields():
            if field is self._unknown_fields:
                unknown = self._unknown(value)
                continue
            key, convert = self._decoders[field]
            result[key] = value if convert is None else convert(value)
        return self._zeros | unknown | result

    def _unknown(self, text: str) -> dict[str, Any]:
        unknown = _object_from_text(text)
        if secret := self._never_sent & unknown.keys():
            raise InvalidArgumentError(field=_UNKNOWN_FIELDS, problem=f"must not hold {', '.join(sorted(secret))}")
        return unknown

    def _add_field(self, name: str, key: str, field: FieldDescriptor, is_integer: bool) -> None:
        is_open = field.name == name + _OPEN
        if is_open:
            conversion = _of_each(_OPEN_VALUE) if field.is_repeated else _OPEN_VALUE
        else:
            conversion = _DECIMAL if _is_decimal(field, is_integer) else _conversion(field)
        if not (field.has_presence or field.enum_type or is_open) or field.is_repeated:
            self._zeros[key] = _zero(field)
        keeps_none = is_open and not (field.has_presence or field.is_repeated)
        self._encoders.append(_Encoder(name, field.name, conversion.encode, keeps_none))
        self._decoders[field] = (key, conversion.decode)

    def _add_choice(self, name: str, key: str, oneof: OneofDescriptor) -> None:
        """Plan a field that is a text or a list: one member of the oneof is a string, the other wraps the list."""
        text, wrapper = sorted(oneof.fields, key=lambda field: field.message_type is not None)
        encode, decode = _of_message(wrapper.message_type)
        self._choices.append(
            (
                name,
                lambda value: {text.name: value} if isinstance(value, str) else {wrapper.name: (encode or list)(value)},
            )
        )
        self._decoders[text] = (key, None)
        self._decoders[wrapper] = (key, decode)


@cache
def _plan(descriptor: Descriptor, model_class: type[BaseModel], apart: frozenset[str] = frozenset()) -> _Plan:
    return _Plan(descriptor, model_class, apart)


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


def _is_decimal(field: FieldDescriptor, is_integer: bool) -> bool:
    return is_integer and field.type == FieldDescriptor.TYPE_STRING


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and set(field.message_type.fields_by_name) == {"key", "value"}


def _conversion(field: FieldDescriptor) -> _Conversion:
    """Return how the values of `field` are converted: all of them, if it is repeated."""
    if field.message_type is not None and _is_map(field):
        return _of_entries(field.message_type)
    single = _of_enum(field.enum_type) if field.enum_type else _of_message(field.message_type)
    return _of_each(single) if field.is_repeated else single


def _of_message(descriptor: Descriptor | None) -> _Conversion:
    if descriptor is None:
        return _Conversion()
    if descriptor.full_name == Timestamp.DESCRIPTOR.full_name:
        return _TIMESTAMP
    if any(
        not oneof.name.startswith("_") and len(oneof.fields) == len(descriptor.fields) for oneof in descriptor.oneofs
    ):
        return _of_union(descriptor)
    if not hasattr(model, descriptor.name):
        return _of_wrapper(descriptor)
    return _of_object(descriptor)


def _of_wrapper(descriptor: Descriptor) -> _Conversion:
    """Plan a message that only tells a list from none."""
    (inner,) = descriptor.fields
    items = _conversion(inner)
    encode, decode = items.encode or list, items.decode or list
    return _Conversion(
        lambda values: {inner.name: encode(values)}, lambda wrapped: decode(getattr(wrapped, inner.name))
    )


def _of_object(descriptor: Descriptor) -> _Conversion:
    plan = _plan(descriptor, getattr(model, descriptor.name))
    return _Conversion(plan.encode, plan.decode)


def _of_union(descriptor: Descriptor) -> _Conversion:
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
            return _object_from_text(getattr(message, tag))
        values: dict[str, Any] = variant.decode(getattr(message, tag))
        return values | {"type": tag}

    return _Conversion(encode, decode)


def _of_enum(descriptor: EnumDescriptor) -> _Conversion:
    prefix = descriptor.values_by_number[0].name.removesuffix("UNSPECIFIED")
    numbers = {
        member: descriptor.values_by_name[prefix + member.name].number for member in getattr(model, descriptor.name)
    }
    members = {number: member for member, number in numbers.items()}
    return _Conversion(numbers.__getitem__, lambda number: members.get(number, number))


def _of_each(single: _Conversion) -> _Conversion:
    encode, decode = single
    return _Conversion(
        encode and (lambda values: [encode(value) for value in values]),
        decode and (lambda values: [decode(value) for value in values]),
    )


def _of_entries(descriptor: Descriptor) -> _Conversion:
    key, value = (_conversion(descriptor.fields_by_name[name]) for name in ("key", "value"))
    same: Convert = _same
    encode_key, encode_value = key.encode or same, value.encode or same
    decode_key, decode_value = key.decode or same, value.decode or same
    return _Conversion(
        lambda values: [{"key": encode_key(k), "value": encode_value(v)} for k, v in values.items()],
        lambda entries: {decode_key(entry.key): decode_value(entry.value) for entry in entries},
    )


def _same(value: Any) -> Any:  # noqa: ANN401 - whatever comes
    return value


def _to_text(value: object) -> str:
    return value.model_dump_json() if isinstance(value, BaseModel) else to_json(value).decode()


class _InvalidJsonText:
    """Stands for text that is not JSON. No field takes it, so that pydantic refuses it and names its place."""


def _from_text(text: str) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError:
        return _InvalidJsonText()


def _object_from_text(text: str) -> dict[str, Any]:
    value = _from_text(text)
    return value if isinstance(value, dict) else {_UNKNOWN_FIELDS: _InvalidJsonText()}


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


_OPEN_VALUE = _Conversion(_to_text, _from_text)
_DECIMAL = _Conversion(str, lambda digits: int(digits) if _DIGITS.fullmatch(digits) else digits)
_TIMESTAMP = _Conversion(_timestamp_from_text, _text_from_timestamp)
