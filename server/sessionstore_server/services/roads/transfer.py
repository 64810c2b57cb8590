"""Calls whose request or answer is too large for one message: both come in pieces."""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import Any

from google.protobuf.message import Message

from sessionstore.channel import MAX_MESSAGE_BYTES
from sessionstore.errors import InvalidArgumentError, PayloadTooLargeError
from sessionstore.transport import Kind, Method
from sessionstore.v1 import transfer_pb2 as pb
from sessionstore.wire.methods import TRANSFER
from sessionstore.wire.transfer import response_parts
from sessionstore_server.services.handlers import Caller, HandlerTable, parsed_request
from sessionstore_server.services.roads.budget import Budget

COLLECTED_BYTES = 1 << 30
"""How much of requests is collected at the same time; a call beyond that waits, unless it is the only one."""


def with_transfer(handlers: HandlerTable, collected_bytes: int = COLLECTED_BYTES) -> HandlerTable:
    """Return the same handlers, and the one that carries the unary calls among them in pieces."""
    return {**handlers, TRANSFER: _Transfers(handlers, collected_bytes).transfer}


class _Transfers:
    def __init__(self, handlers: HandlerTable, collected_bytes: int) -> None:
        self._handlers = handlers
        self._methods = {method.path: method for method in handlers if method.kind is Kind.UNARY}
        self._budget = Budget(collected_bytes)

    async def transfer(
        self, requests: AsyncIterable[pb.TransferRequest], caller: Caller
    ) -> AsyncIterator[pb.TransferResponse]:
        """Make one call with the request that the pieces are, and send its response in pieces.

        Errors: InvalidArgumentError, as soon as the first message is here, when that names no unary method.
        """
        method, response = await self._answered(aiter(requests), caller)
        for part in response_parts(method, response):
            yield part

    async def _answered(
        self, requests: AsyncIterator[pb.TransferRequest], caller: Caller
    ) -> tuple[Method[Any, Any], Message | bytes]:
        request = await anext(requests, pb.TransferRequest())
        method = self._methods.get(request.method)
        if method is None:
            raise InvalidArgumentError(field="method", problem=f"{request.method!r} is no unary method of this server")
        with self._budget.share() as take:
            serialized = await _collected(request, requests, take)
            return method, await self._handlers[method](parsed_request(method, serialized), caller)


async def _collected(
    first: pb.TransferRequest, others: AsyncIterator[pb.TransferRequest], take: Callable[[int], Awaitable[None]]
) -> bytes:
    """Return the serialized request, now that all pieces are here; `take` waits until there is room for a piece."""
    serialized = bytearray()
    request: pb.TransferRequest | None = first
    while request is not None:
        await take(len(request.piece))
        serialized += request.piece
        if len(serialized) > MAX_MESSAGE_BYTES:
            raise PayloadTooLargeError(subject="the request", size=len(serialized), limit=MAX_MESSAGE_BYTES)
        request = await anext(others, None)
    return bytes(serialized)
