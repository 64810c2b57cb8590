"""Puts the services behind gRPC: each handler of the table becomes a method handler, and each error a status."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any, NoReturn

import grpc
from google.protobuf.message import Message

from sessionstore.channel import ANSWER_LIMIT_KEY, MAX_MESSAGE_BYTES
from sessionstore.transport import Kind, Method
from sessionstore.wire.methods import MULTIPLEX
from sessionstore.wire.status import DETAILS_KEY
from sessionstore_server.services.failures import ServerDrainingError, status_of
from sessionstore_server.services.handlers import Caller, Handler, Services, parsed_request, serialized_response

_PAUSE_SECONDS = 0.2
_LONGEST_READ_SECONDS = 5.0
"""When a stream that is refused is read on no longer: after a pause of its client, and in any case."""

_CODES = {code.value[0]: code for code in grpc.StatusCode}

AnyMethod = Method[Any, Any]
Context = grpc.aio.ServicerContext[Any, Any]


def generic_handlers(services: Services, draining: asyncio.Event) -> Iterable[grpc.GenericRpcHandler]:
    """Return what a gRPC server needs to answer every call of `services`.

    Calls that have no end of their own are ended when `draining` is set, after those that one of them carries.
    """
    by_service: dict[str, dict[str, grpc.RpcMethodHandler[Any, Any]]] = defaultdict(dict)
    for method, handler in services.handlers.items():
        make, behavior = _MULTIPLEXED if method is MULTIPLEX else _KINDS[method.kind]
        by_service[method.service][method.name] = make(behavior(method, _drained(method, handler, draining)))
    return [grpc.method_handlers_generic_handler(name, methods) for name, methods in by_service.items()]


def _drained(method: AnyMethod, handler: Handler, draining: asyncio.Event) -> Handler:
    if method is MULTIPLEX:
        return lambda requests, caller: handler(requests, replace(caller, draining=draining))
    return _ending(handler, draining) if method.is_open_ended else handler


def _ending(handler: Handler, draining: asyncio.Event) -> Handler:
    async def answer(request: Any, caller: Caller) -> AsyncIterator[Message | bytes]:  # noqa: ANN401
        responses = handler(request, caller)
        drained: asyncio.Task[bool] = asyncio.create_task(draining.wait())
        try:
            while (response := await _next_before(drained, responses)) is not None:
                yield response
        finally:
            drained.cancel()
            await responses.aclose()

    return answer


async def _next_before(drained: asyncio.Task[bool], responses: AsyncGenerator[Any]) -> Any:  # noqa: ANN401
    """Return the next response, None at the end. Errors: ServerDrainingError when draining begins before."""
    following: asyncio.Task[Any] = asyncio.create_task(_next(responses))
    try:
        await asyncio.wait((following, drained), return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not following.done():
            following.cancel()
            await asyncio.wait({following})
    if following.cancelled():
        raise ServerDrainingError
    return following.result()


async def _next(responses: AsyncGenerator[Any]) -> Any:  # noqa: ANN401
    return await anext(responses, None)


def _one_response(method: AnyMethod, handler: Handler) -> Callable[..., Any]:
    async def respond(request: bytes, context: Context) -> bytes:
        try:
            limit = _answer_limit(context)
            return serialized_response(method, await handler(parsed_request(method, request), Caller()), limit)
        except Exception as error:  # noqa: BLE001 - every failure becomes a status
            await _fail(method, context, error)

    return respond


def _one_response_to_many(method: AnyMethod, handler: Handler) -> Callable[..., Any]:
    async def respond(requests: AsyncIterable[bytes], context: Context) -> bytes:
        try:
            parsed = _all_parsed(method, requests)
            return serialized_response(method, await handler(parsed, Caller()))
        except Exception as error:  # noqa: BLE001 - every failure becomes a status
            await _read_on(method, aiter(requests))
            await _fail(method, context, error)

    return respond


async def _read_on(method: AnyMethod, requests: AsyncIterator[bytes]) -> None:
    """Take what a client still sends: one of grpc.aio that sends while its call ends is told INTERNAL, not the status.

    A stream that has no end of its own is read until the client pauses.
    """
    pause, limit = (_PAUSE_SECONDS, _LONGEST_READ_SECONDS) if method.is_open_ended else (None, None)
    with suppress(TimeoutError, StopAsyncIteration):
        async with asyncio.timeout(limit):
            while True:
                async with asyncio.timeout(pause):
                    await anext(requests)


class _Requests:
    """The requests of a stream, which can be read on when a task that waited for one was cancelled."""

    def __init__(self, requests: AsyncIterable[bytes]) -> None:
        self._read: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=1)
        self._reading = asyncio.create_task(self._read_all(requests))

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        request = await self._read.get()
        if request is None:
            # The end is found again.
            self._read.put_nowait(None)
            raise StopAsyncIteration
        return request

    async def _read_all(self, requests: AsyncIterable[bytes]) -> None:
        async for request in requests:
            await self._read.put(request)
        await self._read.put(None)

    def close(self) -> None:
        """Read no more."""
        self._reading.cancel()


def _many_responses(method: AnyMethod, handler: Handler) -> Callable[..., Any]:
    async def respond(request: bytes, context: Context) -> AsyncIterator[bytes]:
        try:
            async for response in handler(parsed_request(method, request), Caller()):
                yield serialized_response(method, response)
        except Exception as error:  # noqa: BLE001 - every failure becomes a status
            await _fail(method, context, error)

    return respond


def _many_responses_to_many(method: AnyMethod, handler: Handler) -> Callable[..., Any]:
    async def respond(requests: AsyncIterable[bytes], context: Context) -> AsyncIterator[bytes]:
        reading = _Requests(requests)
        try:
            async for response in handler(_all_parsed(method, reading), Caller()):
                yield serialized_response(method, response)
        except Exception as error:  # noqa: BLE001 - every failure becomes a status
            await _read_on(method, reading)
            await _fail(method, context, error)
        finally:
            reading.close()

    return respond


def _multiplexed(method: AnyMethod, handler: Handler) -> Callable[..., Any]:
    """Answer a stream of calls. Its client knows what an end means, and is to open the next stream at once."""

    async def respond(requests: AsyncIterable[bytes], context: Context) -> AsyncIterator[bytes]:
        try:
            async for response in handler(_all_parsed(method, requests), Caller()):
                yield serialized_response(method, response)
        except Exception as error:  # noqa: BLE001 - every failure becomes a status
            await _fail(method, context, error)

    return respond


_KINDS: dict[Kind, tuple[Callable[..., Any], Callable[[AnyMethod, Handler], Callable[..., Any]]]] = {
    Kind.UNARY: (grpc.unary_unary_rpc_method_handler, _one_response),
    Kind.UPLOAD: (grpc.stream_unary_rpc_method_handler, _one_response_to_many),
    Kind.DOWNLOAD: (grpc.unary_stream_rpc_method_handler, _many_responses),
    Kind.DUPLEX: (grpc.stream_stream_rpc_method_handler, _many_responses_to_many),
}
_MULTIPLEXED = (grpc.stream_stream_rpc_method_handler, _multiplexed)


async def _all_parsed(method: AnyMethod, requests: AsyncIterable[bytes]) -> AsyncIterator[Message]:
    # A generator expression would begin to read at once, also for a handler that never does; grpc.aio warns of that.
    async for request in requests:
        yield parsed_request(method, request)


def _answer_limit(context: Context) -> int:
    """Return the size of the largest response that the client takes."""
    for key, value in context.invocation_metadata() or ():
        if key == ANSWER_LIMIT_KEY and isinstance(value, str) and value.isdecimal():
            return min(int(value), MAX_MESSAGE_BYTES)
    return MAX_MESSAGE_BYTES


async def _fail(method: AnyMethod, context: Context, error: Exception) -> NoReturn:
    if isinstance(error, grpc.aio.AbortError):
        raise error
    status = status_of(method, error)
    await context.abort(_CODES[status.code], status.message, ((DETAILS_KEY, status.SerializeToString()),))
