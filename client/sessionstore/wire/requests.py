"""Builds requests of what callers passed in."""

from collections.abc import Callable
from typing import Any, TypeVar

from google.protobuf.message import Message

from sessionstore.errors import InvalidArgumentError

R = TypeVar("R", bound=Message)


def build(message_class: type[R], **values: Any) -> R:  # noqa: ANN401 - what the fields hold
    """Return a message with the given fields, those without None.

    Errors: InvalidArgumentError that names a field that cannot hold its value.
    """
    try:
        return message_class(**values)
    except (TypeError, ValueError) as error:
        raise _fault(message_class, values) from error


def _fault(message_class: Callable[..., Any], values: dict[str, Any]) -> InvalidArgumentError:
    for name, value in values.items():
        try:
            message_class(**{name: value})
        except UnicodeEncodeError:
            return InvalidArgumentError(field=name, problem="holds a lone surrogate: send well-formed Unicode text")
        except (TypeError, ValueError) as error:
            return InvalidArgumentError(field=name, problem=f"cannot be a {type(value).__name__} like this: {error}")
    return InvalidArgumentError(field=str(message_class), problem="the fields do not fit together")
