"""A bare gRPC server, the yardstick: bytes in, bytes out, nothing kept. `python -m bench.echo_server` runs it.

A request begins with four bytes that tell how large its answer is to be.
"""

import asyncio
from collections.abc import AsyncIterator
from functools import cache
from typing import Any

import grpc

from sessionstore.channel import SERVER_OPTIONS

CALL = "/bench.Echo/Call"
STREAM = "/bench.Echo/Stream"
SIZE_BYTES = 4


@cache
def _answer(header: bytes) -> bytes:
    return bytes(int.from_bytes(header, "big"))


async def _call(request: bytes, _: Any) -> bytes:
    return _answer(request[:SIZE_BYTES])


async def _stream(requests: AsyncIterator[bytes], _: Any) -> AsyncIterator[bytes]:
    async for request in requests:
        yield _answer(request[:SIZE_BYTES])


class _Handlers(grpc.GenericRpcHandler):
    def service(self, details: grpc.HandlerCallDetails) -> Any:
        if details.method == CALL:
            return grpc.unary_unary_rpc_method_handler(_call)
        return grpc.stream_stream_rpc_method_handler(_stream) if details.method == STREAM else None


async def main() -> None:
    """Serve until the process is ended."""
    server = grpc.aio.server(options=SERVER_OPTIONS)
    server.add_generic_rpc_handlers((_Handlers(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main())
