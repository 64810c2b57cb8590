"""What the calls of the adapter have in common: requests made of arguments, with a request id for each write."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from secrets import token_hex
from typing import Any, TypeVar

from google.protobuf.message import Message as Proto

from sessionstore.conversations import Conversations
from sessionstore.errors import StoreUnavailableError
from sessionstore.pages import MAX_PAGE_SIZE
from sessionstore.patience import Patience
from sessionstore.transport import Method, Transport
from sessionstore.wire.requests import build

Q = TypeVar("Q", bound=Proto)
A = TypeVar("A", bound=Proto)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Conditions:
    """On what a write depends."""

    expected_revision: int | None = None
    lease_epoch: int | None = None


def identity(conditions: Conditions) -> dict[str, object]:
    """Return the fields that every write has: what it depends on, and an id of its own."""
    fields: dict[str, object] = {"expected_revision": conditions.expected_revision, "request_id": new_request_id()}
    if conditions.lease_epoch is not None:
        fields["lease_epoch"] = conditions.lease_epoch
    return fields


def new_request_id() -> str:
    """Return an id that no other request has."""
    return token_hex(16)


class Calls:
    """Calls the services through `transport`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._conversations = Conversations()

    async def _save_for(self, method: Method[Any, Any], conditions: Conditions, **values: object) -> int:
        revision: int = (await self._write(method, conditions, **values)).revision
        return revision

    async def _write(self, method: Method[Q, A], conditions: Conditions, **values: object) -> A:
        return await self._transport.unary(method, build(method.request, **identity(conditions), **values))

    async def _read(self, method: Method[Q, A], **values: object) -> A:
        return await self._transport.unary(method, build(method.request, **values))

    async def _repeated(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call of many messages, again and again when the connection is lost; repeating it must do no harm."""
        await self._transport.open()
        patience = Patience(self._transport.patience_seconds)
        patience.renew()
        while True:
            try:
                return await call()
            except StoreUnavailableError as error:
                await patience.pause(error)

    async def _pages(self, method: Method[Any, A], **values: object) -> AsyncIterator[A]:
        request = build(method.request, page_size=MAX_PAGE_SIZE, **values)
        while True:
            page: Any = await self._transport.unary(method, request)
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token
