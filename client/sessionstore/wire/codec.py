"""Converts between models and protobuf messages that have the same shape under the same names.

A plan tells how. Reading by plan goes through plain dictionaries with the keys of the JSON form, checked by pydantic
in one go.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message as Proto
from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from sessionstore import model
from sessionstore.errors import InvalidArgumentError
from sessionstore.wire.plan import Plan, plan_of
from sessionstore.wire.values import UNKNOWN_FIELDS, object_from_text

M = TypeVar("M", bound=BaseModel)
P = TypeVar("P", bound=Proto)

_REFUSALS = (AttributeError, KeyError, RecursionError, TypeError, ValueError)
"""What is raised over a value that a field of protobuf cannot hold."""


class Codec(Generic[M, P]):
    """Converts one model class to one message class and back.

    `apart` names the fields of the model that do not travel in the message. `read` makes models of sound messages
    faster than the plan does, and `fill` writes sound models into new messages; what they refuse, the plan converts or
    explains.
    """

    def __init__(
        self,
        model_class: type[M],
        message_class: type[P],
        apart: Iterable[str] = (),
        read: Callable[[P], M] | None = None,
        fill: Callable[[M, P], None] | None = None,
    ) -> None:
        self.model_class, self.message_class, self._apart = model_class, message_class, frozenset(apart)
        self._read, self._fill = read, fill

    def to_proto(self, value: M) -> P:
        """Return the message that carries `value`.

        Errors: InvalidArgumentError when an object that may be edited in place was given a value it cannot hold.
        """
        message = self.message_class()
        return message if self._is_filled(value, message) else self._planned(value)

    def all_to_proto(self, field: str, values: Iterable[M]) -> list[P]:
        """Return the messages that carry `values`; errors name the place in `field`."""
        sent = []
        for position, value in enumerate(values):
            try:
                sent.append(self.to_proto(value))
            except InvalidArgumentError as error:
                raise self._placed(error, field, position) from error
        return sent

    def add(self, messages: Any, value: M, field: str, position: int) -> P:  # noqa: ANN401 - of any message
        """Add the message that carries `value` to a repeated field, and return it.

        Errors: InvalidArgumentError that names `position` in `field`; then nothing was added.
        """
        message: P = messages.add()
        try:
            if not self._is_filled(value, message):
                message.CopyFrom(self._planned(value))
        except InvalidArgumentError as error:
            del messages[-1]
            raise self._placed(error, field, position) from error
        return message

    def _is_filled(self, value: M, message: P) -> bool:
        """Write a value into a new message; tell whether it is there as a whole."""
        if not isinstance(value, self.model_class):
            wanted = self.model_class.__name__
            raise InvalidArgumentError(field=wanted, problem=f"must be a {wanted}, not a {type(value).__name__}")
        if self._fill is None:
            return False
        try:
            self._fill(value, message)
        except _REFUSALS:
            # The plan knows more, or says what is wrong.
            return False
        return True

    def _planned(self, value: M) -> P:
        plan = self._plan
        try:
            return self.message_class(**plan.encode(value))
        except _REFUSALS as error:
            validate(self.model_class, value.model_dump(by_alias=True, warnings=False))
            raise InvalidArgumentError(field=self.model_class.__name__, problem=str(error)) from error

    def _placed(self, error: InvalidArgumentError, field: str, position: int) -> InvalidArgumentError:
        path = f"{field}[{position}]"
        path += "" if error.field == self.model_class.__name__ else f".{error.field}"
        return InvalidArgumentError(field=path, problem=error.problem)

    def from_proto(self, message: P, **apart: object) -> M:
        """Return the model that `message` carries, completed by the fields that travel apart from it.

        Errors: InvalidArgumentError that names the field that has no valid value.
        """
        if self._read is not None and not apart:
            try:
                return self._read(message)
            except (KeyError, ValueError):
                pass  # The plan says what is wrong.
        return validate(self.model_class, self._plan.decode(message) | apart)

    def is_sound(self, message: P) -> bool:
        """Tell whether `from_proto` surely takes `message`, by a check that makes no model."""
        try:
            self._plan.check(message)
        except (KeyError, ValueError, InvalidArgumentError):
            return False
        return True

    def to_json(self, value: M) -> bytes:
        """Return the JSON text of a model that `from_proto` or `from_json` made."""
        return value.__pydantic_serializer__.to_json(value)

    def json_of(self, message: P) -> bytes | None:
        """Return the JSON text of the model that `message` carries, made without the model.

        None when `message` would not surely come back from that text, as far as it has fields that are known.
        """
        try:
            return to_json(self._plan.show(message))
        except (KeyError, ValueError):
            return None

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
    def _plan(self) -> Plan:
        return plan_of(self.message_class.DESCRIPTOR, self.model_class, self._apart)


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
    if not message.HasField(UNKNOWN_FIELDS):
        return {}
    kept = validate(model.FrozenModel, object_from_text(message.unknown_fields_json))
    return dict(kept.__pydantic_extra__ or {})
