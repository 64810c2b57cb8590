"""The remote store: the adapter over one gRPC channel.

Every call has a deadline. While the server is unavailable a call is repeated within that: one that only reads, and one
that writes with a request id, since the server answers its repeat as the first time. A snapshot is sent once. Before
a call the channel connects, also again after the server went away, so that a restart of the server is no concern of
the caller.
"""

import asyncio
import json
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Self, TypeVar

import grpc
from google.protobuf.message import Message
from typing_extensions import override

from sessionstore.adapter import ServiceAdapter
from sessionstore.channel import CLIENT_OPTIONS, MAX_MESSAGE_BYTES
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
from sessionstore.transport import Method, Transport
from sessionstore.v1.artifact_pb2_grpc import ArtifactServiceStub
from sessionstore.v1.checkpoint_pb2_grpc import CheckpointServiceStub
from sessionstore.v1.run_pb2_grpc import RunServiceStub
from sessionstore.v1.session_pb2_grpc import SessionServiceStub
from sessionstore.v1.snapshot_pb2_grpc import SnapshotServiceStub
from sessionstore.v1.subagent_pb2_grpc import SubagentServiceStub
from sessionstore.v1.system_pb2_grpc import SystemServiceStub
from sessionstore.v1.trace_pb2_grpc import TraceServiceStub
from sessionstore.v1.verification_pb2_grpc import VerificationServiceStub
from sessionstore.wire.methods import ALL_METHODS
from sessionstore.wire.status import DETAILS_KEY, from_trailer

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)

DEFAULT_TIMEOUT_SECONDS = 30.0
DEFAULT_CONNECT_SECONDS = 5.0
_PATIENCE_SECONDS = 0.5

_STUBS: dict[str, Any] = {
    "sessionstore.v1.ArtifactService": ArtifactServiceStub,
    "sessionstore.v1.CheckpointService": CheckpointServiceStub,
    "sessionstore.v1.RunService": RunServiceStub,
    "sessionstore.v1.SessionService": SessionServiceStub,
    "sessionstore.v1.SnapshotService": SnapshotServiceStub,
    "sessionstore.v1.SubagentService": SubagentServiceStub,
    "sessionstore.v1.SystemService": SystemServiceStub,
    "sessionstore.v1.TraceService": TraceServiceStub,
    "sessionstore.v1.VerificationService": VerificationServiceStub,
}
_RETRY_POLICY = {
    "maxAttempts": 5,
    "initialBackoff": "0.1s",
    "maxBackoff": "1s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}
_SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [
                {"service": method.service, "method": method.name}
                for method in ALL_METHODS
                if method.reads or method.carries_request_id
            ],
            "retryPolicy": _RETRY_POLICY,
        }
    ]
}


class RemoteSessionStore(ServiceAdapter):
    """A store on a server at `target`, such as `localhost:50051`.

    A call takes at most `timeout_seconds`, of which finding the server takes at most `connect_seconds`.
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
        self._target, self._timeout, self._connect_seconds = target, timeout_seconds, connect_seconds
        self._channel: grpc.aio.Channel | None = None
        self._stubs: dict[str, Any] = {}
        self._is_closed = False
        self._limits: set[asyncio.Timeout] = set()
        """Those of the calls under way."""

    @override
    async def unary(self, method: Method[Q, A], request: Q) -> A:
        self._check_size(method, request)
        async with self._limited(method, self._deadline()) as deadline:
            callable_ = await self._callable(method, deadline)
            response: A = await callable_(request)
        return response

    @override
    async def upload(self, method: Method[Q, A], requests: AsyncIterable[Q]) -> A:
        async with self._limited(method, self._deadline()) as deadline:
            call = (await self._callable(method, deadline))()
            try:
                await self._send(method, call, requests)
                response: A = await call
            finally:
                call.cancel()
        return response

    @override
    async def download(self, method: Method[Q, A], request: Q) -> AsyncIterator[A]:
        self._check_size(method, request)
        async with self._limited(method, self._deadline()) as deadline:
            responses = aiter((await self._callable(method, deadline))(request))
        while True:
            # The limit holds while waiting for the server, not while the caller works on a response.
            async with self._limited(method, deadline):
                response: A | None = await anext(responses, None)
            if response is None:
                return
            yield response

    @override
    async def aclose(self) -> None:
        self._is_closed = True
        for limit in self._limits:
            limit.reschedule(asyncio.get_running_loop().time())
        if self._channel is not None:
            await self._channel.close()

    async def _send(
        self, method: Method[Q, Any], call: grpc.aio.StreamUnaryCall[Q, Any], requests: AsyncIterable[Q]
    ) -> None:
        """Send all requests, unless the server answers before."""
        async for request in requests:
            self._check_size(method, request)
            if call.done():
                return
            try:
                await call.write(request)
            except grpc.aio.AioRpcError as error:
                raise self._broken_off(method, call, error) from error
        await call.done_writing()

    def _broken_off(
        self, method: Method[Any, Any], call: grpc.aio.StreamUnaryCall[Any, Any], error: grpc.aio.AioRpcError
    ) -> SessionStoreError:
        """Return the error of a write that failed. To grpc.aio that is INTERNAL, whatever ended the call."""
        if error.code() is not grpc.StatusCode.INTERNAL:
            return self._error(method, error)
        if call.time_remaining() == 0:
            return DeadlineExceededError(operation=method.name, target=self._target)
        return StoreUnavailableError(target=self._target, problem=f"{method.name} broke off before all was sent")

    def _deadline(self) -> float:
        return asyncio.get_running_loop().time() + self._timeout

    async def _callable(self, method: Method[Any, Any], deadline: float) -> Callable[..., Any]:
        """Return what makes the call, over a connection, within what is left until the deadline."""
        if self._is_closed:
            raise StoreClosedError(backend=self.name)
        if self._channel is None:
            options = [*CLIENT_OPTIONS, ("grpc.service_config", json.dumps(_SERVICE_CONFIG))]
            self._channel = grpc.aio.insecure_channel(self._target, options)
            self._stubs = {name: stub(self._channel) for name, stub in _STUBS.items()}
        await self._connect(self._channel)
        call = getattr(self._stubs[method.service], method.name)
        return partial(call, timeout=max(0.0, deadline - asyncio.get_running_loop().time()))

    async def _connect(self, channel: grpc.aio.Channel) -> None:
        """Wait until the channel has a connection, which it nearly always has."""
        if channel.get_state(try_to_connect=True) is grpc.ChannelConnectivity.READY:
            return
        try:
            async with asyncio.timeout(min(self._connect_seconds, self._timeout)):
                await channel.channel_ready()
        except TimeoutError as error:
            problem = (
                f"no server was found there within {self._connect_seconds:g} s; start one with `sessionstore serve`"
            )
            raise StoreUnavailableError(target=self._target, problem=problem) from error

    def _check_size(self, method: Method[Any, Any], request: Message) -> None:
        size = request.ByteSize()
        if size > MAX_MESSAGE_BYTES:
            raise PayloadTooLargeError(subject=f"the request of {method.name}", size=size, limit=MAX_MESSAGE_BYTES)

    @asynccontextmanager
    async def _limited(self, method: Method[Any, Any], deadline: float) -> AsyncIterator[float]:
        """Wait until the deadline and not beyond closing; raise the errors of this package."""
        try:
            # The server's answer that time is up comes first, unless it hangs or the connection is stuck.
            async with asyncio.timeout_at(deadline + _PATIENCE_SECONDS) as limit:
                self._limits.add(limit)
                try:
                    yield deadline
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

    def _error(self, method: Method[Any, Any], error: grpc.aio.AioRpcError) -> SessionStoreError:
        """Return the error that the server packed, or the one that the status code alone tells of."""
        for key, value in error.trailing_metadata():
            if key == DETAILS_KEY and isinstance(value, bytes) and (packed := from_trailer(value)):
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


def _is_cancelled(error: BaseException) -> bool:
    """Tell whether the task that runs this was cancelled, and not just what it waited for."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0
