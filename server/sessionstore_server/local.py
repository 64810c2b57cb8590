"""The transport in process: a call is a plain call of its handler."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from enum import Enum
from typing import Any, TypeVar

from google.protobuf.message import Message
from typing_extensions import override

from sessionstore.errors import StoreClosedError
from sessionstore.transport import Method, Transport
from sessionstore_server.services.handlers import Caller, Services

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)


class _State(Enum):
    NEW = "new"
    """Not used yet; the first call opens it."""
    OPEN = "open"
    CLOSED = "closed"


class LocalTransport(Transport):
    """Carries calls to `services` in this process, and owns them."""

    patience_seconds = 0.0

    def __init__(self, services: Services) -> None:
        self.services = services
        self._caller = Caller()
        self._state = _State.NEW
        self._lock = asyncio.Lock()

    @override
    @property
    def name(self) -> str:
        return self.services.name

    @override
    async def open(self) -> None:
        if self._state is _State.OPEN:
            return
        async with self._lock:
            if self._state is _State.CLOSED:
                raise StoreClosedError(backend=self.name)
            if self._state is _State.NEW:
                await self.services.open()
                self._state = _State.OPEN

    @override
    async def unary(self, method: Method[Q, A], request: Q) -> A:
        await self.open()
        response: A | bytes = await self.services.handlers[method](request, self._caller)
        return _message(method, response)

    @override
    async def upload(self, method: Method[Q, A], requests: AsyncIterable[Q]) -> A:
        await self.open()
        response: A | bytes = await self.services.handlers[method](requests, self._caller)
        return _message(method, response)

    @override
    async def download(self, method: Method[Q, A], request: Q) -> AsyncIterator[A]:
        await self.open()
        async for response in self.services.handlers[method](request, self._caller):
            yield _message(method, response)

    @override
    async def duplex(self, method: Method[Q, A], requests: AsyncIterable[Q]) -> AsyncIterator[A]:
        await self.open()
        async for response in self.services.handlers[method](requests, self._caller):
            yield _message(method, response)

    @override
    async def aclose(self) -> None:
        async with self._lock:
            was_open, self._state = self._state is _State.OPEN, _State.CLOSED
            if was_open:
                await self.services.aclose()


def _message(method: Method[Any, A], response: A | bytes) -> A:
    return method.response.FromString(response) if isinstance(response, bytes) else response
