"""Builds requests of what callers passed in."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from sessionstore.errors import InvalidArgumentError

P = ParamSpec("P")
R = TypeVar("R")


def build(message_class: Callable[P, R], *args: P.args, **values: P.kwargs) -> R:
    """Return a message with the given fields.

    Errors: InvalidArgumentError that names a field that cannot hold its value.
    """
    try:
        return message_class(*args, **values)
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(field=_faulty_field(message_class, values), problem=str(error)) from error


def _faulty_field(message_class: Callable[..., Any], values: dict[str, Any]) -> str:
    for name, value in values.items():
        try:
            message_class(**{name: value})
        except (TypeError, ValueError):
            return name
    return getattr(message_class, "__name__", "request")
