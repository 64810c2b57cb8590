"""What a service is to those who call it: a table from methods to handlers, reached in process or through a channel."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sessionstore.transport import Method

DEFAULT_NAMESPACE = "default"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a call. The namespace comes from the caller's identity and never from a request."""

    namespace: str = DEFAULT_NAMESPACE


Handler = Callable[[Any, Caller], Any]
"""Takes a request, or a stream of them, and the caller; returns the response to await, or a stream of them.

A response may be given as its serialized bytes, so that stored records pass through unparsed.
"""

HandlerTable = Mapping[Method[Any, Any], Handler]


@dataclass(frozen=True, slots=True)
class Services:
    """All services over one store, ready to be called."""

    name: str
    """The name of what keeps the data, such as `memory`."""
    handlers: HandlerTable
    open: Callable[[], Awaitable[object]]
    """Make the store ready; called once, before the first handler."""
    aclose: Callable[[], Awaitable[object]]
    """Release the store; calling twice is allowed."""
    sweep: Callable[[], Awaitable[object]]
    """Remove what nothing refers to any more."""
