"""Unary calls over one long-lived stream, where each costs a fraction of a call of its own.

What waits is sent together, and answers come in any order. Each call ends as it would by itself, also when the stream
breaks; the next one opens it again.
"""

import asyncio
from collections.abc import Callable
from itertools import count
from typing import Any

import grpc
from google.rpc import status_pb2
from grpc.aio import AioRpcError, Metadata

from sessionstore.channel import FRAME_BYTES, LONGEST_WAIT_SECONDS
from sessionstore.v1 import multiplex_pb2 as pb
from sessionstore.wire.status import DETAILS_KEY

Stream = grpc.aio.StreamStreamCall[pb.MultiplexRequest, pb.MultiplexResponse]

_CODES = {code.value[0]: code for code in grpc.StatusCode}


class Multiplexer:
    """Makes calls over a stream that `open_stream` opens."""

    def __init__(self, open_stream: Callable[[], Stream]) -> None:
        self._open_stream = open_stream
        self._lane: _Lane | None = None

    @property
    def is_offered(self) -> bool:
        """Whether the server knows such streams, as far as known."""
        return self._lane is None or self._lane.end is not grpc.StatusCode.UNIMPLEMENTED

    async def call(self, path: str, request: bytes, timeout_seconds: float, max_response_bytes: int) -> bytes:
        """Make a call and return its serialized response.

        Errors: AioRpcError, that of the call, or that of the stream; DEADLINE_EXCEEDED when the time is up.
        """
        if self._lane is None or self._lane.end is not None:
            self._lane = _Lane(self._open_stream())
        return await self._lane.call(path, request, timeout_seconds, max_response_bytes)

    async def aclose(self) -> None:
        """End the stream, and with it all calls under way."""
        lane, self._lane = self._lane, None
        if lane is not None:
            await lane.aclose()


class _Lane:
    """One stream, from its opening to its end."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._ids = count(1)
        self._answers: dict[int, asyncio.Future[bytes]] = {}
        self._waiting: dict[int, pb.MultiplexCall] = {}
        self._waiting_since = 0.0
        self._cancelled: list[int] = []
        self._changed = asyncio.Event()
        self._is_cut = False
        self._tasks = [asyncio.create_task(self._send()), asyncio.create_task(self._receive())]
        self.end: grpc.StatusCode | None = None
        """With which status the stream ended; None while it lasts."""

    async def call(self, path: str, request: bytes, timeout_seconds: float, max_response_bytes: int) -> bytes:
        id_ = next(self._ids)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bytes] = loop.create_future()
        self._answers[id_] = answer
        if not self._waiting:
            self._waiting_since = loop.time()
        self._waiting[id_] = pb.MultiplexCall(
            id=id_,
            method=path,
            request=request,
            timeout_ms=max(1, int(timeout_seconds * 1000)),
            max_response_bytes=max_response_bytes,
        )
        self._changed.set()
        limit = loop.call_later(timeout_seconds, _expire, answer)
        try:
            response = await answer
            if self._waiting and loop.time() - self._waiting_since > LONGEST_WAIT_SECONDS:
                # What waits is sent before the caller goes on, so that client and server work at the same time.
                await asyncio.sleep(0)
            return response
        finally:
            limit.cancel()
            if self._answers.pop(id_, None) is not None:
                self._give_up(id_)
            # An error remembers this frame, and the answer the error; the ring would keep the connection.
            del answer

    async def aclose(self) -> None:
        self._break(grpc.StatusCode.UNAVAILABLE, "the connection was closed")
        self._stream.cancel()
        await asyncio.wait(self._tasks)
        # Their ends remember where they came from, which would keep the stream and with it the connection.
        self._tasks.clear()

    def _give_up(self, id_: int) -> None:
        """Send no call whose answer nobody waits for, or tell the server so."""
        if self._waiting.pop(id_, None) is None:
            self._cancelled.append(id_)
            self._changed.set()

    async def _send(self) -> None:
        while self.end is None:
            await self._changed.wait()
            self._changed.clear()
            while (self._waiting or self._cancelled) and self.end is None:
                cancelled, self._cancelled = self._cancelled, []
                try:
                    await self._stream.write(pb.MultiplexRequest(calls=self._frame(), cancelled=cancelled))
                except (AioRpcError, asyncio.InvalidStateError):
                    # How the stream ended, the one who receives is told.
                    self._is_cut = True
                    return

    def _frame(self) -> list[pb.MultiplexCall]:
        """Take the calls of one frame from those that wait."""
        calls, size = [], 0
        for call in self._waiting.values():
            calls.append(call)
            size += len(call.request)
            if size > FRAME_BYTES:
                break
        for call in calls:
            del self._waiting[call.id]
        return calls

    async def _receive(self) -> None:
        try:
            while (response := await self._next()) is not None:
                for answer in response.answers:
                    self._resolve(answer)
            self._break(grpc.StatusCode.UNAVAILABLE, "the server ended the stream")
        except AioRpcError as error:
            self._break(self._code_of(error), error.details(), error.trailing_metadata())

    async def _next(self) -> pb.MultiplexResponse | None:
        response: Any = await self._stream.read()
        return None if response is grpc.aio.EOF else response

    def _code_of(self, error: AioRpcError) -> grpc.StatusCode:
        """Return the code that says what became of the calls.

        A stream that others cut short is no defect. After a failed write, grpc.aio knows only INTERNAL of it.
        """
        is_cut = error.code() is grpc.StatusCode.CANCELLED or (
            self._is_cut and error.code() is grpc.StatusCode.INTERNAL
        )
        return grpc.StatusCode.UNAVAILABLE if is_cut else error.code()

    def _resolve(self, answer: pb.MultiplexAnswer) -> None:
        waiting = self._answers.pop(answer.id, None)
        if waiting is None or waiting.done():
            return
        if answer.HasField("status"):
            waiting.set_exception(_error(answer.status))
        else:
            waiting.set_result(answer.response)

    def _break(self, code: grpc.StatusCode, problem: str | None, trailer: Metadata | None = None) -> None:
        """End all calls under way with the status of the stream."""
        self.end = code
        self._changed.set()
        self._waiting.clear()
        while self._answers:
            _, waiting = self._answers.popitem()
            if not waiting.done():
                waiting.set_exception(AioRpcError(code, Metadata(), trailer or Metadata(), problem))


def _expire(answer: asyncio.Future[bytes]) -> None:
    if not answer.done():
        answer.set_exception(AioRpcError(grpc.StatusCode.DEADLINE_EXCEEDED, Metadata(), Metadata()))


def _error(serialized: bytes) -> AioRpcError:
    """Return the error of a call that was answered with this status, as the call by itself would have it."""
    status = status_pb2.Status.FromString(serialized)
    code = _CODES.get(status.code, grpc.StatusCode.UNKNOWN)
    return AioRpcError(code, Metadata(), Metadata((DETAILS_KEY, serialized)), status.message)
