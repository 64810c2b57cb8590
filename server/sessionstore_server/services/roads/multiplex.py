"""Many unary calls over one stream: each is a task of its own, and what is ready goes back in one frame."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

from sessionstore.channel import MAX_MESSAGE_BYTES
from sessionstore.errors import InvalidArgumentError
from sessionstore.transport import Kind, Method
from sessionstore.v1 import multiplex_pb2 as pb
from sessionstore.wire.methods import MULTIPLEX
from sessionstore.wire.transfer import check_size
from sessionstore_server.services.failures import ServerDrainingError, status_of
from sessionstore_server.services.handlers import Caller, Handler, HandlerTable, parsed_request

MAX_CALLS = 256
"""How many calls of one stream are under way or answered but not sent; the client's next ones wait in the network."""
UNSENT_BYTES = 8 << 20
"""How much of answers may wait to be sent before no further call begins."""
FRAME_BYTES = 1 << 20
"""Answers are gathered into frames of about this size; a larger answer is a frame of its own."""

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
        self._ready: list[pb.MultiplexAnswer] = []
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
                    frame = self._frame()
                    yield pb.MultiplexResponse(answers=frame)
                    self._unsent_bytes -= sum(len(answer.response) for answer in frame)
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

    def _frame(self) -> list[pb.MultiplexAnswer]:
        size, count = 0, 0
        for answer in self._ready:
            size += len(answer.response)
            count += 1
            if size > FRAME_BYTES:
                break
        frame, self._ready = self._ready[:count], self._ready[count:]
        return frame

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
        task = asyncio.create_task(self._answer(call))
        self._under_way[call.id] = task
        task.add_done_callback(lambda _: self._end(call.id))

    def _end(self, id_: int) -> None:
        del self._under_way[id_]
        self._moved.set()
        self._changed.set()

    async def _answer(self, call: pb.MultiplexCall) -> None:
        """Make a call and keep its answer; a call that is cancelled, or whose time is up, has none."""
        method: Method[Any, Any] = MULTIPLEX
        limit = asyncio.timeout(call.timeout_ms / 1000 if call.timeout_ms else None)
        try:
            method, handler = self._callee(call.method)
            async with limit:
                response = await handler(parsed_request(method, call.request), self._caller)
            check_size(f"the response of {method.name}", response, call.max_response_bytes or MAX_MESSAGE_BYTES)
            serialized = response if isinstance(response, bytes) else response.SerializeToString()
            self._ready.append(pb.MultiplexAnswer(id=call.id, response=serialized))
            self._unsent_bytes += len(serialized)
        except Exception as error:  # noqa: BLE001 - every failure becomes a status
            if not limit.expired():
                self._ready.append(pb.MultiplexAnswer(id=call.id, status=status_of(method, error).SerializeToString()))

    def _callee(self, path: str) -> _Callee:
        if path not in self._callees:
            raise InvalidArgumentError(field="method", problem=f"{path!r} is no unary method of this server")
        return self._callees[path]


async def _set(event: asyncio.Event | None) -> None:
    """Wait until the event is set; None never is."""
    await (event or asyncio.Event()).wait()
