"""Calls whose request or answer is too large for one message: both come in pieces."""

from collections.abc import AsyncIterable, AsyncIterator

from sessionstore.channel import MAX_MESSAGE_BYTES
from sessionstore.errors import InvalidArgumentError, PayloadTooLargeError
from sessionstore.transport import Kind
from sessionstore.v1 import transfer_pb2 as pb
from sessionstore.wire.methods import TRANSFER
from sessionstore.wire.transfer import response_parts
from sessionstore_server.services.handlers import Caller, HandlerTable, parsed_request


def with_transfer(handlers: HandlerTable) -> HandlerTable:
    """Return the same handlers, and the one that carries the unary calls among them in pieces."""
    return {**handlers, TRANSFER: _Transfers(handlers).transfer}


class _Transfers:
    def __init__(self, handlers: HandlerTable) -> None:
        self._handlers = handlers
        self._methods = {method.path: method for method in handlers if method.kind is Kind.UNARY}

    async def transfer(
        self, requests: AsyncIterable[pb.TransferRequest], caller: Caller
    ) -> AsyncIterator[pb.TransferResponse]:
        """Make one call with the request that the pieces are, and send its response in pieces."""
        path, serialized = await _received(requests)
        method = self._methods.get(path)
        if method is None:
            raise InvalidArgumentError(field="method", problem=f"{path!r} is no unary method of this server")
        request = parsed_request(method, serialized)
        for part in response_parts(method, await self._handlers[method](request, caller)):
            yield part


async def _received(requests: AsyncIterable[pb.TransferRequest]) -> tuple[str, bytes]:
    """Return the name of the method and the serialized request, now that all pieces are here."""
    path = ""
    serialized = bytearray()
    async for request in requests:
        path = path or request.method
        serialized += request.piece
        if len(serialized) > MAX_MESSAGE_BYTES:
            raise PayloadTooLargeError(subject="the request", size=len(serialized), limit=MAX_MESSAGE_BYTES)
    return path, bytes(serialized)
