"""Refuses the calls that a store of five methods does not answer, with the error that its own methods raise."""

import re
from collections.abc import AsyncIterator
from typing import Any

from sessionstore.errors import UnsupportedOperationError
from sessionstore.transport import Kind, Method
from sessionstore.wire import methods
from sessionstore_server.services.handlers import Caller, Handler

_OPERATIONS = {
    methods.COMMIT_SESSION: "commit",
    methods.FORK_SESSION: "fork",
    methods.WATCH_COMMITS: "watch",
}
"""Operations that have another name in the interface than in the protos."""


def refusal(method: Method[Any, Any], backend: str) -> Handler:
    """Return a handler that answers every call of `method` with an UnsupportedOperationError."""
    snake_case = re.sub(r"(?<!^)(?=[A-Z])", "_", method.name).lower()
    error = UnsupportedOperationError(operation=_OPERATIONS.get(method, snake_case), backend=backend)

    async def refuse(_request: object, _caller: Caller) -> None:
        raise error

    async def refuse_stream(_request: object, _caller: Caller) -> AsyncIterator[bytes]:
        for refused in (error,):
            raise refused
        yield b""

    return refuse if method.kind in (Kind.UNARY, Kind.UPLOAD) else refuse_stream
