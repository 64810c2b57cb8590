"""The transport through gRPC channels, to one server or to several over the same data.

While a server is unavailable a call is repeated, at once when there is another one: a call that only reads, and one
that writes with a request id, since the servers answer its repeat as the first time. A stream is sent once; whoever
calls knows how to go on with it. Before a call the channels connect, also again after a server went away, so that a
restart of the server is no concern of the caller.

What does not fit into one message well is moved in pieces. For that, and for streams, time counts only while nothing
moves, so that a slow link is no failure.
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message
from typing_extensions import override

from sessionstore.channel import DIRECT_BYTES
from sessionstore.connection import Connection
from sessionstore.errors import (
    DeadlineExceededError,
    PayloadTooLargeError,
    SessionStoreError,
    StoreClosedError,
    StoreUnavailableError,
)
from sessionstore.failures import error_of, packed_error
from sessionstore.patience import Patience
from sessionstore.servers import Servers
from sessionstore.transport import Method, Transport
from sessionstore.wire.methods import CHECK_HEALTH, TRANSFER
from sessionstore.wire.transfer import check_size, request_parts

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)
T = TypeVar("T")
_Upload = grpc.aio.StreamUnaryCall[Any, Any] | grpc.aio.StreamStreamCall[Any, Any]

_SLOWEST_WORK = 1 << 20
"""Bytes per second: a server that stores or reads more slowly is taken for stuck."""


class ChannelTransport(Transport):
    """Carries calls through gRPC channels, which it makes at the first call."""

    name = "remote"

    def __init__(
        self,
        target: str | Sequence[str],
        timeout_seconds: float,
        connect_seconds: float,
        *,
        multiplex: bool = True,
    ) -> None:
        self.patience_seconds = timeout_seconds
        targets = [target] if isinstance(target, str) else target
        self._servers = Servers(targets, min(connect_seconds, timeout_seconds), multiplexes=multiplex)
        self._is_closed = False
        self._limits: set[asyncio.Timeout] = set()
        """Those of the calls under way."""

    @override
    async def open(self) -> None:
        await self._server()

    @override
    async def unary(self, method: Method[Q, A], request: Q) -> A:
        if request.ByteSize() > DIRECT_BYTES:
            return await self._repeated(method, partial(self._transfer, method, request, 0))
        deadline = asyncio.get_running_loop().time() + self.patience_seconds
        try:
            return await self._repeated(method, partial(self._call, method, request, deadline))
        except PayloadTooLargeError as error:
            if not method.reads:
                raise
            size = error.size
        return await self._repeated(method, partial(self._transfer, method, request, size))

    @override
    async def upload(self, method: Method[Q, A], requests: AsyncIterable[Q]) -> A:
        server = await self._server()
        async with self._limited(method, server) as limit:
            call = server.callable_of(method)()
            try:
                await self._send(method, call, requests, limit)
                response: A = await call
            finally:
                call.cancel()
        return response

    @override
    async def download(self, method: Method[Q, A], request: Q) -> AsyncIterator[A]:
        check_size(f"the request of {method.name}", request)
        call, response, server = await self._repeated(method, partial(self._begin, method, request))
        try:
            while response is not None:
                yield response
                # The limit holds while waiting for the server, not while the caller works on a response.
                async with self._limited(method, server):
                    response = await _next(call)
        finally:
            call.cancel()

    @override
    async def duplex(self, method: Method[Q, A], requests: AsyncIterable[Q]) -> AsyncIterator[A]:
        server = await self._server()
        call: grpc.aio.StreamStreamCall[Q, A] = server.callable_of(method)()
        sending = asyncio.create_task(self._feed(method, call, requests))
        try:
            while True:
                async with self._limited(method, server):
                    try:
                        response = await _next_response(call, sending)
                    except grpc.aio.AioRpcError as error:
                        raise _broken_off(method, error) from None
                if response is None:
                    return
                yield response
        finally:
            call.cancel()
            sending.cancel()
            await asyncio.wait([sending])

    @override
    async def aclose(self) -> None:
        self._is_closed = True
        for limit in self._limits:
            limit.reschedule(asyncio.get_running_loop().time())
        await self._servers.aclose()

    async def _repeated(self, method: Method[Any, Any], attempt: Callable[[Connection], Awaitable[T]]) -> T:
        """Make a call, again and again while servers are unavailable, if repeating it does no harm."""
        patience = Patience(self.patience_seconds)
        patience.renew()
        while True:
            server = await self._server()
            try:
                return await attempt(server)
            except StoreUnavailableError as error:
                if not (method.reads or method.carries_request_id):
                    raise
                if not self._servers.is_another_ready():
                    await patience.pause(error)

    async def _server(self) -> Connection:
        """Return a server that is connected. Errors: StoreUnavailableError, StoreClosedError."""
        if self._is_closed:
            raise StoreClosedError(backend=self.name)
        if server := self._servers.ready():
            return server
        async with self._limited(CHECK_HEALTH):
            return await self._servers.found()

    async def _call(self, method: Method[Q, A], request: Q, deadline: float, server: Connection) -> A:
        """Make a call whose request and response are one message each."""
        left = max(0.0, deadline - asyncio.get_running_loop().time())
        with self._failures(method, server):
            return await server.unary(method, request, left)

    async def _transfer(self, method: Method[Q, A], request: Q, expected_bytes: int, server: Connection) -> A:
        """Make a call whose request and response come in pieces; `expected_bytes` is the size of a large response."""
        async with self._limited(method, server) as limit:
            call = server.callable_of(TRANSFER)()
            try:
                await self._send(method, call, request_parts(method, request), limit, expected_bytes)
                pieces = []
                while (response := await _next(call)) is not None:
                    self._renew(limit)
                    pieces.append(response.piece)
            finally:
                call.cancel()
        return method.response.FromString(b"".join(pieces))

    async def _begin(
        self, method: Method[Q, A], request: Q, server: Connection
    ) -> tuple[grpc.aio.UnaryStreamCall[Q, A], A | None, Connection]:
        """Start a stream of responses; return it with the first one, and with the server that sends them."""
        async with self._limited(method, server):
            call = server.callable_of(method)(request)
            try:
                return call, await _next(call), server
            except BaseException:
                call.cancel()
                raise

    async def _send(
        self,
        method: Method[Any, Any],
        call: _Upload,
        requests: AsyncIterable[Message],
        limit: asyncio.Timeout,
        work_bytes: int = 0,
    ) -> None:
        """Send all requests, unless the server answers before; then give it time to work on these bytes and more."""
        async for request in requests:
            check_size(f"a request of {method.name}", request)
            if call.done():
                return
            try:
                await call.write(request)
            except grpc.aio.AioRpcError as error:
                raise _broken_off(method, error) from None
            work_bytes += request.ByteSize()
            self._renew(limit)
        await call.done_writing()
        self._renew(limit, work_bytes)

    async def _feed(
        self, method: Method[Q, A], call: grpc.aio.StreamStreamCall[Q, A], requests: AsyncIterable[Q]
    ) -> None:
        """Send all requests, until the call ends; how it ended, the one who reads the responses is told."""
        async for request in requests:
            check_size(f"a request of {method.name}", request)
            if call.done():
                return
            with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
                await call.write(request)
        if not call.done():
            await call.done_writing()

    @asynccontextmanager
    async def _limited(
        self, method: Method[Any, Any], server: Connection | None = None
    ) -> AsyncIterator[asyncio.Timeout]:
        """Wait as long as calls may take and not beyond closing; raise the errors of this package."""
        with self._failures(method, server):
            async with asyncio.timeout(None if method.is_open_ended else self.patience_seconds) as limit:
                self._limits.add(limit)
                try:
                    yield limit
                finally:
                    self._limits.discard(limit)

    @contextmanager
    def _failures(self, method: Method[Any, Any], server: Connection | None) -> Iterator[None]:
        """Raise the errors of this package."""
        target = self._servers.targets if server is None else server.target
        try:
            yield
        except TimeoutError as error:
            raise self._told(server, DeadlineExceededError(operation=method.name, target=target)) from error
        except grpc.aio.AioRpcError as error:
            raise self._told(server, error_of(method, target, error)) from error
        except (asyncio.CancelledError, grpc.aio.UsageError) as error:
            # Closing the channels cancels the calls under way, which is not a cancellation of the caller.
            if self._is_closed and not _is_cancelled(error):
                raise StoreClosedError(backend=self.name) from error
            raise

    def _told(self, server: Connection | None, failure: SessionStoreError) -> SessionStoreError:
        """Return what the caller is told of a failed call, and let a server that answers nobody rest."""
        if self._is_closed:
            return StoreClosedError(backend=self.name)
        if server is not None and isinstance(failure, StoreUnavailableError):
            server.rest()
        return failure

    def _renew(self, limit: asyncio.Timeout, work_bytes: int = 0) -> None:
        """Note that something moved: the time begins anew, with more of it when the server now has much to work on."""
        if not self._is_closed:
            seconds = self.patience_seconds + work_bytes / _SLOWEST_WORK
            limit.reschedule(asyncio.get_running_loop().time() + seconds)


def _broken_off(method: Method[Any, Any], error: grpc.aio.AioRpcError) -> grpc.aio.AioRpcError:
    """Return the error of a call that ended while it was sending.

    To grpc.aio that is INTERNAL, whatever ended the call, once a write has failed; then nothing of the server comes
    with it.
    """
    if error.code() is not grpc.StatusCode.INTERNAL or packed_error(error):
        return error
    problem = f"{method.name} broke off before all was sent"
    return grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata(), problem)


async def _next(call: grpc.aio.UnaryStreamCall[Any, A] | grpc.aio.StreamStreamCall[Any, A]) -> A | None:
    """Return the next response of a call, or None at the end."""
    response: Any = await call.read()
    return None if response is grpc.aio.EOF else response


async def _next_response(call: grpc.aio.StreamStreamCall[Any, A], sending: asyncio.Task[None]) -> A | None:
    """Return the next response, or None at the end; raise what went wrong where the requests come from."""
    reading = asyncio.ensure_future(call.read())
    try:
        while not reading.done():
            await asyncio.wait(
                {reading, sending} - {sending if sending.done() else None}, return_when="FIRST_COMPLETED"
            )
            if not reading.done() and sending.done():
                sending.result()
    finally:
        reading.cancel()
    response: Any = reading.result()
    return None if response is grpc.aio.EOF else response


def _is_cancelled(error: BaseException) -> bool:
    """Tell whether the task that runs this was cancelled, and not just what it waited for."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0
