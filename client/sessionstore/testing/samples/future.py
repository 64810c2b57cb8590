"""What a newer program would write: fields that this one does not know, wherever they may stand."""

from typing import TypeVar, cast

from sessionstore.model import Model

T = TypeVar("T")

FUTURE_FIELD = "future"


def with_unknown_fields(value: T) -> T:
    """Return a copy in which every tolerant object, at any depth, has a field that nobody knows."""
    return cast("T", _extend(value))


def _extend(value: object) -> object:
    if isinstance(value, Model):
        return _extend_model(value)
    if isinstance(value, list | tuple):
        return type(value)(map(_extend, value))
    if isinstance(value, dict):
        return {key: _extend(item) for key, item in value.items()}
    return value


def _extend_model(value: Model) -> Model:
    fields: dict[str, object] = {name: _extend(getattr(value, name)) for name in type(value).model_fields}
    if value.model_config["extra"] == "allow":
        fields |= {
            **(value.__pydantic_extra__ or {}),
            FUTURE_FIELD: {"z": 2**64 - 1, "a": [None, -0.0, type(value).__name__]},
        }
    return type(value).model_validate(fields)
