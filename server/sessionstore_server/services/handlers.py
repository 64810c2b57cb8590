"""What a service is to those who call it: a table from methods to handlers, reached in process or through a channel."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from google.protobuf.message import DecodeError, Message

from sessionstore.channel import MAX_MESSAGE_BYTES
from sessionstore.errors import InvalidArgumentError
from sessionstore.transport import Method
from sessionstore.wire.transfer import check_size

Q = TypeVar("Q", bound=Message)

DEFAULT_NAMESPACE = "default"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a call. The namespace comes from the caller's identity and never from a request."""

    namespace: str = DEFAULT_NAMESPACE
    draining: asyncio.Event | None = None
    """Set when the server ends; a call that has no end of its own should then come to one."""


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


def parsed_request(method: Method[Q, Any], serialized: bytes) -> Q:
    """Return the request that these bytes are. Errors: InvalidArgumentError when they are none."""
    try:
        return method.request.FromString(serialized)
    except DecodeError as error:
        raise InvalidArgumentError(field=method.request.__name__, problem="is not a serialized message") from error


def serialized_response(method: Method[Any, Any], response: Message | bytes, limit: int = MAX_MESSAGE_BYTES) -> bytes:
    """Return the bytes of a response. Errors: PayloadTooLargeError when they are more than `limit`."""
    serialized = response if isinstance(response, bytes) else response.SerializeToString()
    check_size(f"the response of {method.name}", serialized, limit)
    return serialized
