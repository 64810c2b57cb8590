"""The remote store: the adapter over one gRPC channel.

While the server is unavailable a call is repeated: one that only reads, and one that writes with a request id, since
the server answers its repeat as the first time. A stream is sent once; whoever calls knows how to go on with it. Before
a call the channel connects, also again after the server went away, so that a restart of the server is no concern of the
caller.

What does not fit into one message well is moved in pieces. For that, and for streams, time counts only while nothing
moves, so that a slow link is no failure.
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, Self, TypeVar

import grpc
from google.protobuf.message import Message
from typing_extensions import override

from sessionstore.adapter import ServiceAdapter
from sessionstore.channel import ANSWER_LIMIT_KEY, DIRECT_BYTES
from sessionstore.connection import Connection
from sessionstore.errors import (
    DeadlineExceededError,
    InternalError,
    InvalidArgumentError,
    PayloadTooLargeError,
    SessionStoreError,
    StoreClosedError,
    StoreUnavailableError,
    UnsupportedOperationError,
)
from sessionstore.patience import Patience
from sessionstore.transport import Method, Transport
from sessionstore.wire.methods import CHECK_HEALTH, TRANSFER
from sessionstore.wire.status import DETAILS_KEY, from_trailer
from sessionstore.wire.transfer import check_size, request_parts

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)
T = TypeVar("T")
_Upload = grpc.aio.StreamUnaryCall[Any, Any] | grpc.aio.StreamStreamCall[Any, Any]

DEFAULT_TIMEOUT_SECONDS = 30.0
DEFAULT_CONNECT_SECONDS = 5.0
_PATIENCE_SECONDS = 0.5
_SLOWEST_WORK = 1 << 20
"""Bytes per second: a server that stores or reads more slowly is taken for stuck."""
_ANSWER_LIMIT = ((ANSWER_LIMIT_KEY, str(DIRECT_BYTES)),)


class RemoteSessionStore(ServiceAdapter):
    """A store on a server at `target`, such as `localhost:50051`.

    A call takes at most `timeout_seconds`, of which finding the server takes at most `connect_seconds`; a large one, or
    a stream, may take longer while it moves.
    """

    def __init__(
        self,
        target: str,
        *,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        connect_seconds: float = DEFAULT_CONNECT_SECONDS,
    ) -> None:
        super().__init__(ChannelTransport(target, timeout_seconds, connect_seconds))

    @override
    @classmethod
    def from_url(cls, url: str, *, create: bool = True) -> Self:
        target = url.removeprefix("grpc://")
        host, _, port = target.rpartition(":")
        if not (url.startswith("grpc://") and host and port.isdigit()):
            raise InvalidArgumentError(field="url", problem=f"{url!r} must have the form grpc://HOST:PORT")
        return cls(target)


class ChannelTransport(Transport):
    """Carries calls through a gRPC channel, which it makes at the first call."""

    name = "remote"

    def __init__(self, target: str, timeout_seconds: float, connect_seconds: float) -> None:
        self.patience_seconds = timeout_seconds
        self._target = target
        self._connection = Connection(target, min(connect_seconds, timeout_seconds))
        self._is_closed = False
        self._limits: set[asyncio.Timeout] = set()
        """Those of the calls under way."""

    @override
    async def open(self) -> None:
        async with self._limited(CHECK_HEALTH):
            await self._callable(CHECK_HEALTH)

    @override
    async def unary(self, method: Method[Q, A], request: Q) -> A:
        if request.ByteSize() > DIRECT_BYTES:
            return await self._repeated(method, partial(self._transfer, method, request))
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
        async with self._limited(method) as limit:
            call = (await self._callable(method))()
            try:
                await self._send(method, call, requests, limit)
                response: A = await call
            finally:
                call.cancel()
        return response

    @override
    async def download(self, method: Method[Q, A], request: Q) -> AsyncIterator[A]:
        check_size(f"the request of {method.name}", request)
        call, response = await self._repeated(method, partial(self._begin, method, request))
        try:
            while response is not None:
                yield response
                # The limit holds while waiting for the server, not while the caller works on a response.
                async with self._limited(method):
                    response = await _next(call)
        finally:
            call.cancel()

    @override
    async def duplex(self, method: Method[Q, A], requests: AsyncIterable[Q]) -> AsyncIterator[A]:
        async with self._limited(method):
            call: grpc.aio.StreamStreamCall[Q, A] = (await self._callable(method))()
        sending = asyncio.create_task(self._feed(method, call, requests))
        try:
            while True:
                async with self._limited(method):
                    try:
                        response = await _next_response(call, sending)
                    except grpc.aio.AioRpcError as error:
                        raise self._broken_off(method, error) from error
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
        await self._connection.aclose()

    async def _repeated(self, method: Method[Any, Any], attempt: Callable[[], Awaitable[T]]) -> T:
        """Make a call, again and again while the server is unavailable, if repeating it does no harm."""
        patience = Patience(self.patience_seconds if method.reads or method.carries_request_id else 0.0)
        patience.renew()
        while True:
            await self.open()
            try:
                return await attempt()
            except StoreUnavailableError as error:
                await patience.pause(error)

    async def _call(self, method: Method[Q, A], request: Q, deadline: float) -> A:
        """Make a call whose request and response are one message each."""
        left = max(0.0, deadline - asyncio.get_running_loop().time())
        async with self._limited(method, left):
            call = await self._callable(method)
            response: A = await call(request, timeout=left, metadata=_ANSWER_LIMIT)
        return response

    async def _transfer(self, method: Method[Q, A], request: Q, expected_bytes: int = 0) -> A:
        """Make a call whose request and response come in pieces; `expected_bytes` is the size of a large response."""
        async with self._limited(method) as limit:
            call = (await self._callable(TRANSFER))()
            try:
                await self._send(method, call, request_parts(method, request), limit, expected_bytes)
                pieces = []
                while (response := await _next(call)) is not None:
                    self._renew(limit)
                    pieces.append(response.piece)
            finally:
                call.cancel()
        return method.response.FromString(b"".join(pieces))

    async def _begin(self, method: Method[Q, A], request: Q) -> tuple[grpc.aio.UnaryStreamCall[Q, A], A | None]:
        """Start a stream of responses; return it with the first one."""
        async with self._limited(method):
            call = (await self._callable(method))(request)
            try:
                return call, await _next(call)
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
                raise self._broken_off(method, error) from error
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

    def _broken_off(self, method: Method[Any, Any], error: grpc.aio.AioRpcError) -> SessionStoreError:
        """Return the error of a call that ended while it was sending.

        To grpc.aio that is INTERNAL, whatever ended the call, once a write has failed; then nothing of the server comes
        with it.
        """
        if error.code() is not grpc.StatusCode.INTERNAL or _packed(error):
            return self._error(method, error)
        return StoreUnavailableError(target=self._target, problem=f"{method.name} broke off before all was sent")

    async def _callable(self, method: Method[Any, Any]) -> Callable[..., Any]:
        """Return what makes the call, over a connection."""
        if self._is_closed:
            raise StoreClosedError(backend=self.name)
        return await self._connection.callable_of(method)

    @asynccontextmanager
    async def _limited(self, method: Method[Any, Any], seconds: float | None = None) -> AsyncIterator[asyncio.Timeout]:
        """Wait so long (None: as long as calls may take) and not beyond closing; raise the errors of this package."""
        wait = None if method.is_open_ended else (self.patience_seconds if seconds is None else seconds)
        try:
            # The server's answer that time is up comes first, unless it hangs or the connection is stuck.
            async with asyncio.timeout(None if wait is None else wait + _PATIENCE_SECONDS) as limit:
                self._limits.add(limit)
                try:
                    yield limit
                finally:
                    self._limits.discard(limit)
        except TimeoutError as error:
            if self._is_closed:
                raise StoreClosedError(backend=self.name) from error
            raise DeadlineExceededError(operation=method.name, target=self._target) from error
        except grpc.aio.AioRpcError as error:
            raise self._error(method, error) from error
        except (asyncio.CancelledError, grpc.aio.UsageError) as error:
            # Closing the channel cancels the calls under way, which is not a cancellation of the caller.
            if self._is_closed and not _is_cancelled(error):
                raise StoreClosedError(backend=self.name) from error
            raise

    def _renew(self, limit: asyncio.Timeout, work_bytes: int = 0) -> None:
        """Note that something moved: the time begins anew, with more of it when the server now has much to work on."""
        if not self._is_closed:
            seconds = self.patience_seconds + work_bytes / _SLOWEST_WORK
            limit.reschedule(asyncio.get_running_loop().time() + seconds)

    def _error(self, method: Method[Any, Any], error: grpc.aio.AioRpcError) -> SessionStoreError:
        """Return the error that the server packed, or the one that the status code alone tells of."""
        if packed := _packed(error):
            return packed
        problem = error.details() or error.code().name
        match error.code():
            case grpc.StatusCode.DEADLINE_EXCEEDED:
                return DeadlineExceededError(operation=method.name, target=self._target)
            case grpc.StatusCode.UNAVAILABLE:
                return StoreUnavailableError(target=self._target, problem=problem)
            case grpc.StatusCode.UNIMPLEMENTED:
                return UnsupportedOperationError(operation=method.name, backend=self._target)
        return InternalError(operation=method.name, problem=f"{error.code().name}: {problem}")


def _packed(error: grpc.aio.AioRpcError) -> SessionStoreError | None:
    """Return the error that the server packed, or None."""
    details = (value for key, value in error.trailing_metadata() or () if key == DETAILS_KEY)
    return next((from_trailer(value) for value in details if isinstance(value, bytes)), None)


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
