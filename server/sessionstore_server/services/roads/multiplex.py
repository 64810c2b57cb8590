"""Many unary calls over one stream: each is a task of its own, and what is ready goes back in one frame."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

from sessionstore.channel import FRAME_BYTES, LONGEST_WAIT_SECONDS, MAX_MESSAGE_BYTES
from sessionstore.errors import InvalidArgumentError
from sessionstore.transport import Kind, Method
from sessionstore.v1 import multiplex_pb2 as pb
from sessionstore.wire.methods import MULTIPLEX
from sessionstore_server.services.failures import ServerDrainingError, status_of
from sessionstore_server.services.handlers import Caller, Handler, HandlerTable, parsed_request, serialized_response

MAX_CALLS = 256
"""How many calls of one stream are under way or answered but not sent; the client's next ones wait in the network."""
UNSENT_BYTES = 8 << 20
"""How much of answers may wait to be sent before no further call begins."""

_Answer = tuple[int, bytes | None, bytes | None]
"""The id of a call, with its serialized response or its serialized status."""
_Callee = tuple[Method[Any, Any], Handler]


def with_multiplex(handlers: HandlerTable) -> HandlerTable:
    """Return the same handlers, and the one that carries the unary calls among them over one stream."""
    callees = {method.path: (method, handler) for method, handler in handlers.items() if method.kind is Kind.UNARY}

    def multiplex(requests: AsyncIterable[pb.MultiplexRequest], caller: Caller) -> AsyncIterator[pb.MultiplexResponse]:
        return _Exchange(callees, caller).responses(requests)

    return {**handlers, MULTIPLEX: multiplex}


class _Exchange:
    """One stream."""

    def __init__(self, callees: dict[str, _Callee], caller: Caller) -> None:
        self._callees, self._caller = callees, caller
        self._under_way: dict[int, asyncio.Task[None]] = {}
        self._ready: deque[_Answer] = deque()
        self._ready_since = 0.0
        self._unsent_bytes = 0
        self._changed, self._moved = asyncio.Event(), asyncio.Event()

    async def responses(self, requests: AsyncIterable[pb.MultiplexRequest]) -> AsyncIterator[pb.MultiplexResponse]:
        """Answer what is asked; the stream ends when the last answer after the last request is sent.

        No more requests are read once the server drains. Errors: ServerDrainingError then.
        """
        reading = asyncio.create_task(self._read(requests))
        reading.add_done_callback(lambda _: self._changed.set())
        drained = asyncio.create_task(_set(self._caller.draining))
        drained.add_done_callback(lambda _: reading.cancel())
        try:
            while not self._is_over(reading):
                await self._changed.wait()
                self._changed.clear()
                while self._ready:
                    frame, size = self._frame()
                    yield frame
                    self._unsent_bytes -= size
                    self._moved.set()
            if reading.cancelled():
                raise ServerDrainingError
            await reading
        finally:
            for task in (drained, reading, *self._under_way.values()):
                task.cancel()

    def _is_over(self, reading: asyncio.Task[None]) -> bool:
        if not reading.done():
            return False
        has_failed = not reading.cancelled() and reading.exception() is not None
        return has_failed or not (self._under_way or self._ready)

    def _frame(self) -> tuple[pb.MultiplexResponse, int]:
        """Take the answers of one frame from those that are ready; return it and the size of its responses."""
        frame, size = pb.MultiplexResponse(), 0
        while self._ready and size <= FRAME_BYTES:
            id_, response, status = self._ready.popleft()
            frame.answers.add(id=id_, response=response, status=status)
            size += len(response or b"")
        return frame, size

    async def _read(self, requests: AsyncIterable[pb.MultiplexRequest]) -> None:
        async for request in requests:
            for id_ in request.cancelled:
                if id_ in self._under_way:
                    self._under_way[id_].cancel()
            for call in request.calls:
                await self._room()
                self._begin(call)

    async def _room(self) -> None:
        """Wait until another call may begin, so that a client that does not read costs no memory without bound."""
        while len(self._under_way) + len(self._ready) >= MAX_CALLS or self._unsent_bytes > UNSENT_BYTES:
            self._moved.clear()
            await self._moved.wait()

    def _begin(self, call: pb.MultiplexCall) -> None:
        if call.id in self._under_way:
            raise InvalidArgumentError(field="calls.id", problem=f"{call.id} is that of a call under way")
        # It has begun when the next frame is read, so that whoever cancels it does so behind its `try`.
        self._under_way[call.id] = asyncio.create_task(self._answer(call))

    async def _answer(self, call: pb.MultiplexCall) -> None:
        """Make a call and keep its answer; a call that is cancelled, or whose time is up, has none."""
        limit = self._limit(call)
        try:
            if self._ready and time.perf_counter() - self._ready_since > LONGEST_WAIT_SECONDS:
                # What is ready is sent before more is done, so that client and server work at the same time.
                await asyncio.sleep(0)
            outcome = await self._outcome(call)
            if not self._ready:
                self._ready_since = time.perf_counter()
            self._ready.append(outcome)
        finally:
            if limit is not None:
                limit.cancel()
            del self._under_way[call.id]
            self._moved.set()
            self._changed.set()

    def _limit(self, call: pb.MultiplexCall) -> asyncio.TimerHandle | None:
        if not call.timeout_ms:
            return None
        return asyncio.get_running_loop().call_later(call.timeout_ms / 1000, self._under_way[call.id].cancel)

    async def _outcome(self, call: pb.MultiplexCall) -> _Answer:
        method: Method[Any, Any] = MULTIPLEX
        try:
            method, handler = self._callee(call.method)
            response = await handler(parsed_request(method, call.request), self._caller)
            serialized = serialized_response(method, response, call.max_response_bytes or MAX_MESSAGE_BYTES)
        except Exception as error:  # noqa: BLE001 - every failure becomes a status
            return call.id, None, status_of(method, error).SerializeToString()
        self._unsent_bytes += len(serialized)
        return call.id, serialized, None

    def _callee(self, path: str) -> _Callee:
        if path not in self._callees:
            raise InvalidArgumentError(field="method", problem=f"{path!r} is no unary method of this server")
        return self._callees[path]


async def _set(event: asyncio.Event | None) -> None:
    """Wait until the event is set; None never is."""
    await (event or asyncio.Event()).wait()
