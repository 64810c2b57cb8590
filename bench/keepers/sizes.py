"""How large our calls are."""

from typing import Any, NamedTuple

from bench.echo_server import SIZE_BYTES


class Sizes(NamedTuple):
    """Of a request and its answer, in bytes."""

    request: int
    answer: int

    @property
    def content(self) -> bytes:
        """What to send to the echo server."""
        return self.answer.to_bytes(SIZE_BYTES, "big").ljust(self.request, b".")


class SizingTransport:
    """Notes the sizes of the latest call that passes through to `transport`."""

    sizes = Sizes(0, 0)

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    async def unary(self, method: Any, request: Any) -> Any:
        answer = await self._transport.unary(method, request)
        self.sizes = Sizes(request.ByteSize(), answer.ByteSize())
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
