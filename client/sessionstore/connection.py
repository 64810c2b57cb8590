"""The connection to one server: a gRPC channel, made at the first call, that connects again when it was lost."""

import asyncio
import math
from collections.abc import Callable
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from sessionstore.channel import ANSWER_LIMIT_KEY, CLIENT_OPTIONS, DIRECT_BYTES, MULTIPLEXED_BYTES
from sessionstore.multiplexing import Multiplexer
from sessionstore.transport import Method
from sessionstore.v1.artifact_pb2_grpc import ArtifactServiceStub
from sessionstore.v1.checkpoint_pb2_grpc import CheckpointServiceStub
from sessionstore.v1.commit_pb2_grpc import CommitServiceStub
from sessionstore.v1.history_pb2_grpc import HistoryServiceStub
from sessionstore.v1.lease_pb2_grpc import LeaseServiceStub
from sessionstore.v1.multiplex_pb2_grpc import MultiplexServiceStub
from sessionstore.v1.run_pb2_grpc import RunServiceStub
from sessionstore.v1.session_pb2_grpc import SessionServiceStub
from sessionstore.v1.snapshot_pb2_grpc import SnapshotServiceStub
from sessionstore.v1.subagent_pb2_grpc import SubagentServiceStub
from sessionstore.v1.system_pb2_grpc import SystemServiceStub
from sessionstore.v1.trace_pb2_grpc import TraceServiceStub
from sessionstore.v1.transfer_pb2_grpc import TransferServiceStub
from sessionstore.v1.verification_pb2_grpc import VerificationServiceStub
from sessionstore.v1.watch_pb2_grpc import WatchServiceStub
from sessionstore.wire.methods import MULTIPLEX

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)

STUBS: dict[str, Callable[[grpc.aio.Channel], Any]] = {
    "sessionstore.v1.ArtifactService": ArtifactServiceStub,
    "sessionstore.v1.CheckpointService": CheckpointServiceStub,
    "sessionstore.v1.CommitService": CommitServiceStub,
    "sessionstore.v1.HistoryService": HistoryServiceStub,
    "sessionstore.v1.LeaseService": LeaseServiceStub,
    "sessionstore.v1.MultiplexService": MultiplexServiceStub,
    "sessionstore.v1.RunService": RunServiceStub,
    "sessionstore.v1.SessionService": SessionServiceStub,
    "sessionstore.v1.SnapshotService": SnapshotServiceStub,
    "sessionstore.v1.SubagentService": SubagentServiceStub,
    "sessionstore.v1.SystemService": SystemServiceStub,
    "sessionstore.v1.TraceService": TraceServiceStub,
    "sessionstore.v1.TransferService": TransferServiceStub,
    "sessionstore.v1.VerificationService": VerificationServiceStub,
    "sessionstore.v1.WatchService": WatchServiceStub,
}
"""The generated stub of each service."""
REST_SECONDS = 1.0
_ANSWER_LIMIT = ((ANSWER_LIMIT_KEY, str(DIRECT_BYTES)),)


class Connection:
    """A connection to `target`, which carries small unary calls over one stream if it `multiplexes`."""

    def __init__(self, target: str, *, multiplexes: bool) -> None:
        self.target = target
        self._multiplexer = Multiplexer(lambda: self.callable_of(MULTIPLEX)()) if multiplexes else None
        self._channel: grpc.aio.Channel | None = None
        self._stubs: dict[str, Any] = {}
        self._rests_until = -math.inf

    def is_ready(self) -> bool:
        """Tell whether it is connected; if not, it begins to connect."""
        return self._opened().get_state(try_to_connect=True) is grpc.ChannelConnectivity.READY

    async def connect(self) -> None:
        """Wait until it is connected."""
        await self._opened().channel_ready()

    def rest(self) -> None:
        """Note that the server answered nobody, so that for a moment others are asked if there are any."""
        self._rests_until = asyncio.get_running_loop().time() + REST_SECONDS

    def is_resting(self) -> bool:
        """Tell whether the server answered nobody just now."""
        return asyncio.get_running_loop().time() < self._rests_until

    def callable_of(self, method: Method[Any, Any]) -> Callable[..., Any]:
        """Return what makes the call."""
        stub = self._stubs.get(method.service)
        if stub is None:
            stub = self._stubs[method.service] = STUBS[method.service](self._opened())
        made: Callable[..., Any] = getattr(stub, method.name)
        return made

    async def unary(self, method: Method[Q, A], request: Q, seconds: float) -> A:
        """Make a call whose request and response are one message each, and tell the server how long it may take.

        Errors: grpc.aio.AioRpcError, the same whether the call goes by itself or not.
        """
        multiplexer = self._multiplexer
        if multiplexer is not None and request.ByteSize() <= MULTIPLEXED_BYTES:
            try:
                serialized = request.SerializeToString()
                return method.response.FromString(
                    await multiplexer.call(method.path, serialized, seconds, DIRECT_BYTES)
                )
            except grpc.aio.AioRpcError:
                if multiplexer.is_offered:
                    raise
                self._multiplexer = None
        response: A = await self.callable_of(method)(request, timeout=seconds, metadata=_ANSWER_LIMIT)
        return response

    async def aclose(self) -> None:
        """Close the channel, and with it all calls under way."""
        if self._multiplexer is not None:
            await self._multiplexer.aclose()
        if self._channel is not None:
            await self._channel.close()

    def _opened(self) -> grpc.aio.Channel:
        if self._channel is None:
            self._channel = grpc.aio.insecure_channel(self.target, CLIENT_OPTIONS)
        return self._channel
