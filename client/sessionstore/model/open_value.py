"""Open values: the JSON that a session carries without knowing its shape.

They are frozen, because the messages and events that hold them are shared. `FrozenDict` and `FrozenList` equal
plain dicts and lists, and read like them.
"""

import math
from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Never, cast

from pydantic import GetPydanticSchema, JsonValue
from pydantic_core import PydanticCustomError, SchemaSerializer, core_schema, from_json, to_json

MAX_DEPTH = 127
"""The deepest nesting of arrays and objects that a JSON document may have."""
_SIMPLE = frozenset({str, int, bool, type(None)})
"""What the JSON parser makes that is frozen, and surely JSON."""


class FrozenDict(dict[str, JsonValue]):
    """A dict that refuses to change."""

    __slots__ = ()
    # Pydantic writes what tells its own serializer at once, and searches long for what else it is.
    __pydantic_serializer__: ClassVar = SchemaSerializer(core_schema.dict_schema())

    def _refuse(self, *_args: object, **_kwargs: object) -> Never:
        raise TypeError("an open value is immutable: build a new one, for example from {**value}")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))

    def __copy__(self) -> "FrozenDict":
        return self

    def __deepcopy__(self, _memo: object) -> "FrozenDict":
        return self

    def __reduce__(self) -> tuple[type["FrozenDict"], tuple[dict[str, JsonValue]]]:
        return FrozenDict, (dict(self),)

    def __repr__(self) -> str:
        return dict.__repr__(self)


class FrozenList(list[JsonValue]):
    """A list that refuses to change."""

    __slots__ = ()
    __pydantic_serializer__: ClassVar = SchemaSerializer(core_schema.list_schema())

    def _refuse(self, *_args: object, **_kwargs: object) -> Never:
        raise TypeError("an open value is immutable: build a new one, for example from [*value]")

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = clear = extend = insert = pop = remove = reverse = sort = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(self))

    def __copy__(self) -> "FrozenList":
        return self

    def __deepcopy__(self, _memo: object) -> "FrozenList":
        return self

    def __reduce__(self) -> tuple[type["FrozenList"], tuple[list[JsonValue]]]:
        return FrozenList, (list(self),)


def freeze(value: object) -> JsonValue:
    """Return `value` with every object and array in it frozen.

    Errors: PydanticCustomError when it is not JSON: another type, a key that is no string, a number that is not
    finite, text that is not Unicode, or more than `MAX_DEPTH` levels.
    """
    return _freeze(value, MAX_DEPTH)


def _freeze(value: object, depth: int) -> JsonValue:
    kind = type(value)
    if kind is str:
        return _checked_text(value)  # type: ignore[arg-type]
    if value is None or kind is bool or kind is int:
        return value  # type: ignore[return-value]
    if kind is float:
        return _checked_float(value)  # type: ignore[arg-type]
    if kind is FrozenDict or kind is FrozenList:
        return value  # type: ignore[return-value]
    if not isinstance(value, dict | list):
        raise _not_json(f"a value of type {kind.__name__} is not JSON")
    if depth == 0:
        raise _too_deep()
    if isinstance(value, dict):
        return _freeze_items(value.items(), depth - 1)
    return FrozenList([_freeze(element, depth - 1) for element in value])


def _freeze_items(items: Iterable[tuple[object, object]], depth: int) -> FrozenDict:
    return FrozenDict({_checked_key(key): _freeze(element, depth) for key, element in items})


def _checked_key(key: object) -> str:
    if type(key) is not str:
        raise _not_json(f"a key of type {type(key).__name__} is not JSON, keys are strings")
    return _checked_text(key)


def _checked_text(text: str) -> str:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise _not_json("the text holds an unpaired surrogate, which is not Unicode") from None
    return text


def _checked_float(number: float) -> float:
    if not math.isfinite(number):
        raise _not_json("the number is not finite, which JSON cannot say")
    return number


def frozen_from_json(text: str) -> JsonValue:
    """Return the value that a JSON text says, frozen, with no more checks than JSON leaves to be made.

    Errors: ValueError when it is not JSON, a number is beyond all bounds, or it has more than `MAX_DEPTH` levels.
    """
    return _frozen(from_json(text, allow_inf_nan=False), MAX_DEPTH)


def _frozen(value: Any, depth: int) -> JsonValue:  # noqa: ANN401 - what the JSON parser made
    kind = type(value)
    if kind is float:
        return _checked_float(value)
    if kind is not dict and kind is not list:
        return cast("JsonValue", value)
    if depth == 0:
        raise _too_deep()
    if kind is list:
        return FrozenList([each if type(each) in _SIMPLE else _frozen(each, depth - 1) for each in value])
    for key, each in value.items():
        if type(each) not in _SIMPLE:
            value[key] = _frozen(each, depth - 1)
    return FrozenDict(value)


def json_from_frozen(value: object) -> str:
    """Return the JSON text of an open value, or of an object of them.

    Errors: ValueError when it is not JSON, RecursionError when it is nested beyond all bounds.
    """
    return to_json(value).decode()


def _too_deep() -> PydanticCustomError:
    return _not_json(f"the value is nested deeper than {MAX_DEPTH} levels")


def _not_json(problem: str) -> PydanticCustomError:
    return PydanticCustomError("open_value", "{problem}", {"problem": problem})


OpenValue = Annotated[
    JsonValue, GetPydanticSchema(lambda _source, _handler: core_schema.no_info_plain_validator_function(freeze))
]
"""Any JSON value, frozen."""
