"""Which sessions a list shows and in which order: the same for stores that have an index and for those that look."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from sessionstore.errors import InvalidArgumentError
from sessionstore.model import SessionState, SessionSummary
from sessionstore.pages import PagePosition
from sessionstore.store.values import SessionFilter, SessionOrder

MAX_TEXT_BYTES = 512
"""The longest text that lists know, in bytes of UTF-8."""

_TEXTS = ("model_name", "parent_id", "tenant_id", "principal", "agent_template_id")
_NUMBERS = ("created_at", "updated_at", "message_count")
_AT_LEAST = {"created_from": "created_at", "updated_from": "updated_at"}
_BELOW = {"created_before": "created_at", "updated_before": "updated_at"}


def attributes(summary: Mapping[str, Any]) -> dict[str, str | int]:
    """Return by what a session is selected and ordered, given the fields of its summary.

    A text that is too long or holds NUL selects nothing, so it is missing; of a name the beginning counts.
    """
    texts = {name: text for name in _TEXTS if _is_short(text := summary.get(name))}
    numbers = {name: summary[name] for name in _NUMBERS}
    return {"name": _beginning(summary["name"]), "state": summary["state"].value, **texts, **numbers}


@dataclass(frozen=True, slots=True)
class Selection:
    """A filter, taken apart by what it asks of the attributes."""

    equal: Mapping[str, str]
    prefix: Mapping[str, str]
    at_least: Mapping[str, int]
    below: Mapping[str, int]

    @classmethod
    def of(cls, filter_: SessionFilter | None) -> Self:
        """Take a filter apart. Errors: InvalidArgumentError that names a bad value, such as `filter.created_from`."""
        asked = filter_ or SessionFilter()
        prefix = _text("name_prefix", asked.name_prefix)
        return cls(
            equal={
                **{name: _text(name, value) for name in _TEXTS if (value := getattr(asked, name)) is not None},
                **({} if asked.state is None else {"state": _state(asked.state)}),
            },
            prefix={"name": prefix} if prefix else {},
            at_least=_bounds(asked, _AT_LEAST),
            below=_bounds(asked, _BELOW),
        )

    def matches(self, summary: SessionSummary) -> bool:
        """Tell whether all that is asked for holds."""
        known: dict[str, Any] = attributes(vars(summary))
        return (
            all(known.get(name) == value for name, value in self.equal.items())
            and all(known[name].startswith(value) for name, value in self.prefix.items())
            and all(known[name] >= value for name, value in self.at_least.items())
            and all(known[name] < value for name, value in self.below.items())
        )


def place(order_by: SessionOrder, summary: SessionSummary) -> PagePosition:
    """Return where a session stands in a list."""
    if order_by is SessionOrder.ID:
        return PagePosition(summary.id)
    return PagePosition(summary.id, attributes(vars(summary))[order_by.value])


def sort_key(position: PagePosition) -> tuple[Any, str]:
    """Return what compares as places in one list do. Python compares text by code point, as UTF-8 is by bytes."""
    return position.value, position.id


def _bounds(asked: SessionFilter, attribute_of: Mapping[str, str]) -> dict[str, int]:
    return {
        attribute: _seconds(name, value)
        for name, attribute in attribute_of.items()
        if (value := getattr(asked, name)) is not None
    }


def _state(state: object) -> str:
    if not isinstance(state, SessionState):
        raise InvalidArgumentError("filter.state", f"is {state!r}: give a SessionState")
    return state.value


def _seconds(name: str, seconds: object) -> int:
    if not isinstance(seconds, int) or not -(1 << 63) <= seconds < 1 << 63:
        raise InvalidArgumentError(f"filter.{name}", f"is {seconds!r}: give Unix seconds, a whole number of 64 bits")
    return seconds


def _text(name: str, text: object) -> str:
    if not isinstance(text, str) or not _is_short(text):
        problem = f"must be text of at most {MAX_TEXT_BYTES} bytes of UTF-8 without NUL"
        raise InvalidArgumentError(f"filter.{name}", problem)
    return text


def _is_short(text: str | None) -> bool:
    """Tell whether lists know this text as it is; a lone surrogate is not text."""
    if text is None or "\0" in text:
        return False
    try:
        return len(text.encode()) <= MAX_TEXT_BYTES
    except UnicodeEncodeError:
        return False


def _beginning(name: str) -> str:
    return name.partition("\0")[0].encode()[:MAX_TEXT_BYTES].decode(errors="ignore")
