"""Puts the services behind gRPC: each handler of the table becomes a method handler, and each error a status."""

from collections import defaultdict
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from typing import Any, NoReturn

import grpc
import structlog
from google.protobuf.message import DecodeError, Message

from sessionstore.channel import MAX_RESPONSE_BYTES
from sessionstore.errors import InternalError, InvalidArgumentError, PayloadTooLargeError
from sessionstore.transport import Kind, Method
from sessionstore.wire.status import DETAILS_KEY, has_status, to_status
from sessionstore_server.services.handlers import Caller, Handler, Services

_log = structlog.stdlib.get_logger(__name__)
_CODES = {code.value[0]: code for code in grpc.StatusCode}

AnyMethod = Method[Any, Any]
Context = grpc.aio.ServicerContext[Any, Any]


def generic_handlers(services: Services) -> Iterable[grpc.GenericRpcHandler]:
    """Return what a gRPC server needs to answer every call of `services`."""
    by_service: dict[str, dict[str, grpc.RpcMethodHandler[Any, Any]]] = defaultdict(dict)
    for method, handler in services.handlers.items():
        make, behavior = _KINDS[method.kind]
        by_service[method.service][method.name] = make(
            behavior(method, handler),
            response_serializer=_serialize,
        )
    return [grpc.method_handlers_generic_handler(name, methods) for name, methods in by_service.items()]


def _one_response(method: AnyMethod, handler: Handler) -> Callable[..., Any]:
    async def respond(request: bytes, context: Context) -> Message | bytes:
        try:
            return _checked(method, await handler(_parsed(method, request), Caller()))
        except Exception as error:  # noqa: BLE001 - every failure becomes a status
            await _fail(method, context, error)

    return respond


def _one_response_to_many(method: AnyMethod, handler: Handler) -> Callable[..., Any]:
    async def respond(requests: AsyncIterable[bytes], context: Context) -> Message | bytes:
        try:
            parsed = (_parsed(method, request) async for request in requests)
            return _checked(method, await handler(parsed, Caller()))
        except Exception as error:  # noqa: BLE001 - every failure becomes a status
            await _read_to_the_end(requests)
            await _fail(method, context, error)

    return respond


async def _read_to_the_end(requests: AsyncIterable[bytes]) -> None:
    """Take what a client still sends: a client of grpc.aio whose call ends before it has sent all loses the status."""
    async for _ in requests:
        pass


def _many_responses(method: AnyMethod, handler: Handler) -> Callable[..., Any]:
    async def respond(request: bytes, context: Context) -> AsyncIterator[Message | bytes]:
        try:
            async for response in handler(_parsed(method, request), Caller()):
                yield _checked(method, response)
        except Exception as error:  # noqa: BLE001 - every failure becomes a status
            await _fail(method, context, error)

    return respond


_KINDS: dict[Kind, tuple[Callable[..., Any], Callable[[AnyMethod, Handler], Callable[..., Any]]]] = {
    Kind.UNARY: (grpc.unary_unary_rpc_method_handler, _one_response),
    Kind.UPLOAD: (grpc.stream_unary_rpc_method_handler, _one_response_to_many),
    Kind.DOWNLOAD: (grpc.unary_stream_rpc_method_handler, _many_responses),
}


def _parsed(method: AnyMethod, request: bytes) -> Message:
    try:
        parsed: Message = method.request.FromString(request)
    except DecodeError as error:
        raise InvalidArgumentError(field=method.request.__name__, problem="is not a serialized message") from error
    return parsed


def _checked(method: AnyMethod, response: Message | bytes) -> Message | bytes:
    size = len(response) if isinstance(response, bytes) else response.ByteSize()
    if size > MAX_RESPONSE_BYTES:
        raise PayloadTooLargeError(subject=f"the response of {method.name}", size=size, limit=MAX_RESPONSE_BYTES)
    return response


def _serialize(response: Message | bytes) -> bytes:
    return response if isinstance(response, bytes) else response.SerializeToString()


async def _fail(method: AnyMethod, context: Context, error: Exception) -> NoReturn:
    if isinstance(error, grpc.aio.AbortError):
        raise error
    if not has_status(error):
        _log.error("call failed", method=method.path, exc_info=error)
        error = InternalError(operation=method.name)
    status = to_status(error)
    _log.info("call refused", method=method.path, reason=type(error).__name__)
    await context.abort(_CODES[status.code], status.message, ((DETAILS_KEY, status.SerializeToString()),))
