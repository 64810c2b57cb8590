"""Large messages as pieces, as `TransferService` carries them."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from google.protobuf.message import Message

from sessionstore.channel import MAX_MESSAGE_BYTES
from sessionstore.errors import PayloadTooLargeError
from sessionstore.transport import Method
from sessionstore.v1 import transfer_pb2 as pb

PIECE_BYTES = 1 << 20
"""The size of all pieces but the last."""


async def request_parts(method: Method[Any, Any], request: Message) -> AsyncIterator[pb.TransferRequest]:
    """Return the messages that carry a request: first the name of its method, then the pieces."""
    yield pb.TransferRequest(method=method.path)
    check_size(f"the request of {method.name}", request)
    for piece in _pieces(request.SerializeToString()):
        yield pb.TransferRequest(piece=piece)


def response_parts(method: Method[Any, Any], response: Message | bytes) -> Iterator[pb.TransferResponse]:
    """Return the messages that carry a response, of which there may be none."""
    check_size(f"the response of {method.name}", response)
    for piece in _pieces(response if isinstance(response, bytes) else response.SerializeToString()):
        yield pb.TransferResponse(piece=piece)


def check_size(subject: str, message: Message | bytes, limit: int = MAX_MESSAGE_BYTES) -> None:
    """Refuse a message that is larger than `limit`. Errors: PayloadTooLargeError."""
    size = len(message) if isinstance(message, bytes) else message.ByteSize()
    if size > limit:
        raise PayloadTooLargeError(subject=subject, size=size, limit=limit)


def _pieces(serialized: bytes) -> Iterator[bytes]:
    return (serialized[start : start + PIECE_BYTES] for start in range(0, len(serialized), PIECE_BYTES))
