"""What a failed call means: the error that the server packed, or the one that the status code alone tells of."""

from typing import Any

import grpc

from sessionstore.errors import (
    DeadlineExceededError,
    InternalError,
    SessionStoreError,
    StoreUnavailableError,
    UnsupportedOperationError,
)
from sessionstore.transport import Method
from sessionstore.wire.status import DETAILS_KEY, from_trailer


def packed_error(error: grpc.aio.AioRpcError) -> SessionStoreError | None:
    """Return the error that the server packed, or None."""
    details = (value for key, value in error.trailing_metadata() or () if key == DETAILS_KEY)
    return next((from_trailer(value) for value in details if isinstance(value, bytes)), None)


def error_of(method: Method[Any, Any], target: str, error: grpc.aio.AioRpcError) -> SessionStoreError:
    """Return what to raise when a call of `method` at `target` ended with `error`."""
    if packed := packed_error(error):
        return packed
    problem = error.details() or error.code().name
    match error.code():
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return DeadlineExceededError(operation=method.name, target=target)
        case grpc.StatusCode.UNAVAILABLE:
            return StoreUnavailableError(target=target, problem=problem)
        case grpc.StatusCode.UNIMPLEMENTED:
            return UnsupportedOperationError(operation=method.name, backend=target)
    return InternalError(operation=method.name, problem=f"{error.code().name}: {problem}")
