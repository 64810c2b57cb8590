"""Unary calls over one long-lived stream, where each costs a fraction of a call of its own.

What waits is sent together, and answers come in any order. When the stream breaks, every call without an answer fails
as a call by itself would, and the next one opens the stream again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count
from typing import Any

import grpc
from google.rpc import status_pb2

from sessionstore.errors import StoreUnavailableError
from sessionstore.v1 import multiplex_pb2 as pb

Stream = grpc.aio.StreamStreamCall[pb.MultiplexRequest, pb.MultiplexResponse]

FRAME_BYTES = 1 << 20
"""Calls are gathered into frames of about this size; a larger call is a frame of its own."""


class AnswerStatus(Exception):
    """A call was answered with an error."""

    def __init__(self, status: status_pb2.Status) -> None:
        super().__init__(status.message)
        self.status = status


class Multiplexer:
    """Makes calls over a stream that `open_stream` opens."""

    def __init__(self, target: str, open_stream: Callable[[], Awaitable[Stream]]) -> None:
        self._target, self._open_stream = target, open_stream
        self._opening = asyncio.Lock()
        self._lane: _Lane | None = None

    async def call(self, path: str, request: bytes, timeout_seconds: float, max_response_bytes: int) -> bytes:
        """Make a call and return its serialized response.

        Errors: AnswerStatus; StoreUnavailableError when the stream breaks; what opening it raises.
        """
        lane = self._lane
        if lane is None or lane.is_broken:
            lane = await self._opened()
        return await lane.call(path, request, timeout_seconds, max_response_bytes)

    async def aclose(self) -> None:
        """End the stream, and with it all calls under way."""
        if self._lane is not None:
            await self._lane.aclose()

    async def _opened(self) -> "_Lane":
        async with self._opening:
            if self._lane is None or self._lane.is_broken:
                if self._lane is not None:
                    await self._lane.aclose()
                self._lane = _Lane(self._target, await self._open_stream())
            return self._lane


class _Lane:
    """One stream, from its opening until it breaks."""

    def __init__(self, target: str, stream: Stream) -> None:
        self._target, self._stream = target, stream
        self._ids = count(1)
        self._answers: dict[int, asyncio.Future[bytes]] = {}
        self._waiting: list[pb.MultiplexCall] = []
        self._cancelled: list[int] = []
        self._changed = asyncio.Event()
        self._tasks = [asyncio.create_task(self._send()), asyncio.create_task(self._receive())]
        self.is_broken = False

    async def call(self, path: str, request: bytes, timeout_seconds: float, max_response_bytes: int) -> bytes:
        id_ = next(self._ids)
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._answers[id_] = answer
        self._waiting.append(
            pb.MultiplexCall(
                id=id_,
                method=path,
                request=request,
                timeout_ms=max(1, int(timeout_seconds * 1000)),
                max_response_bytes=max_response_bytes,
            )
        )
        self._changed.set()
        try:
            return await answer
        finally:
            if self._answers.pop(id_, None) is not None and not self.is_broken:
                self._cancelled.append(id_)
                self._changed.set()

    async def aclose(self) -> None:
        self._break("the connection was closed")
        self._stream.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

    async def _send(self) -> None:
        while not self.is_broken:
            await self._changed.wait()
            self._changed.clear()
            while (self._waiting or self._cancelled) and not self.is_broken:
                frame = pb.MultiplexRequest(calls=self._frame(), cancelled=self._cancelled)
                self._cancelled = []
                # How the stream ended, the one who receives is told.
                with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
                    await self._stream.write(frame)

    def _frame(self) -> list[pb.MultiplexCall]:
        size, taken = 0, 0
        for call in self._waiting:
            size += len(call.request)
            taken += 1
            if size > FRAME_BYTES:
                break
        frame, self._waiting = self._waiting[:taken], self._waiting[taken:]
        return frame

    async def _receive(self) -> None:
        try:
            while True:
                response: Any = await self._stream.read()
                if response is grpc.aio.EOF:
                    return self._break("the server ended the stream")
                for answer in response.answers:
                    self._resolve(answer)
        except grpc.aio.AioRpcError as error:
            self._break(error.details() or error.code().name)

    def _resolve(self, answer: pb.MultiplexAnswer) -> None:
        waiting = self._answers.pop(answer.id, None)
        if waiting is None or waiting.done():
            return
        if answer.HasField("status"):
            waiting.set_exception(AnswerStatus(status_pb2.Status.FromString(answer.status)))
        else:
            waiting.set_result(answer.response)

    def _break(self, problem: str) -> None:
        self.is_broken = True
        self._changed.set()
        while self._answers:
            _, waiting = self._answers.popitem()
            if not waiting.done():
                waiting.set_exception(StoreUnavailableError(target=self._target, problem=problem))
