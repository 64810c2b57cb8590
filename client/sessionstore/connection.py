"""The connection to a server: one gRPC channel, made at the first call, that connects again when it was lost."""

import asyncio
from collections.abc import Callable
from typing import Any

import grpc

from sessionstore.channel import CLIENT_OPTIONS
from sessionstore.errors import StoreUnavailableError
from sessionstore.transport import Kind, Method

_MAKERS = {
    Kind.UNARY: "unary_unary",
    Kind.UPLOAD: "stream_unary",
    Kind.DOWNLOAD: "unary_stream",
    Kind.DUPLEX: "stream_stream",
}


class Connection:
    """A connection to `target`; finding the server takes at most `connect_seconds`."""

    def __init__(self, target: str, connect_seconds: float) -> None:
        self.target = target
        self._connect_seconds = connect_seconds
        self._channel: grpc.aio.Channel | None = None
        self._callables: dict[str, Callable[..., Any]] = {}

    async def callable_of(self, method: Method[Any, Any]) -> Callable[..., Any]:
        """Return what makes the call, now that there is a connection. Errors: StoreUnavailableError."""
        channel = await self.ready()
        if method.path not in self._callables:
            self._callables[method.path] = _make(channel, method)
        return self._callables[method.path]

    async def ready(self) -> grpc.aio.Channel:
        """Wait until there is a connection, which there nearly always is. Errors: StoreUnavailableError."""
        if self._channel is None:
            self._channel = grpc.aio.insecure_channel(self.target, CLIENT_OPTIONS)
        if self._channel.get_state(try_to_connect=True) is grpc.ChannelConnectivity.READY:
            return self._channel
        try:
            async with asyncio.timeout(self._connect_seconds):
                await self._channel.channel_ready()
        except TimeoutError as error:
            problem = (
                f"no server was found there within {self._connect_seconds:g} s; start one with `sessionstore serve`"
            )
            raise StoreUnavailableError(target=self.target, problem=problem) from error
        return self._channel

    async def aclose(self) -> None:
        """Close the channel, and with it all calls under way."""
        if self._channel is not None:
            await self._channel.close()


def _make(channel: grpc.aio.Channel, method: Method[Any, Any]) -> Callable[..., Any]:
    make: Any = getattr(channel, _MAKERS[method.kind])
    made: Callable[..., Any] = make(method.path, method.request.SerializeToString, method.response.FromString)
    return made
