"""The seam between the adapter and the services: how a request reaches them, in process or through a channel.

A transport carries protobuf messages and raises errors of `sessionstore.errors`. It opens itself at the first call.
"""

from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from enum import Enum
from typing import Generic, Protocol, TypeVar

from google.protobuf.message import Message

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)


class Kind(Enum):
    """Who sends more than one message."""

    UNARY = "unary"
    UPLOAD = "upload"
    """A stream of requests, one response."""
    DOWNLOAD = "download"
    """One request, a stream of responses."""
    DUPLEX = "duplex"
    """A stream of requests and a stream of responses, side by side."""


@dataclass(frozen=True)
class Method(Generic[Q, A]):
    """One RPC of the services."""

    service: str
    """The full name of the service, such as `sessionstore.v1.SessionService`."""
    name: str
    request: type[Q]
    response: type[A]
    kind: Kind = Kind.UNARY
    reads: bool = False
    """The call changes nothing."""
    is_open_ended: bool = False
    """The call lasts as long as the caller likes, so it has no deadline."""

    @property
    def path(self) -> str:
        """The name on the wire."""
        return f"/{self.service}/{self.name}"

    @property
    def carries_request_id(self) -> bool:
        """Whether a repeat of a request has no effect of its own, because the request says which one it is."""
        return self.kind is Kind.UNARY and "request_id" in self.request.DESCRIPTOR.fields_by_name


class Transport(Protocol):
    """Carries calls to the services."""

    patience_seconds: float
    """For how long to go on when the connection is lost and nothing moves; 0: there is none to lose."""

    @property
    def name(self) -> str:
        """What the transport leads to, such as `memory` or `remote`."""
        ...

    async def open(self) -> None:
        """Make sure that the services can be reached, which every call does too. Errors: StoreUnavailableError."""
        ...

    async def unary(self, method: Method[Q, A], request: Q) -> A:
        """Send one request and return its response."""
        ...

    async def upload(self, method: Method[Q, A], requests: AsyncIterable[Q]) -> A:
        """Send a stream of requests and return the response."""
        ...

    def download(self, method: Method[Q, A], request: Q) -> AsyncIterator[A]:
        """Send one request and iterate over the responses."""
        ...

    def duplex(self, method: Method[Q, A], requests: AsyncIterable[Q]) -> AsyncIterator[A]:
        """Send a stream of requests and iterate over the responses meanwhile."""
        ...

    async def aclose(self) -> None:
        """Release everything; closing twice is allowed. Any later call is a StoreClosedError."""
        ...
