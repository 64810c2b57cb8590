"""What becomes of the errors of calls: a status each, and a line in the log."""

import logging
from typing import Any

from google.rpc import status_pb2

from sessionstore.errors import InternalError, StoreUnavailableError
from sessionstore.transport import Method
from sessionstore.wire.status import has_status, to_status

_logger = logging.getLogger(__name__)


class ServerDrainingError(StoreUnavailableError):
    """The server ends, and with it a stream that has no end of its own. That is how it should be: no line tells it."""

    def __init__(self) -> None:
        super().__init__(target="the server", problem="it is draining; go on at another one, or later")


def status_of(method: Method[Any, Any], error: Exception) -> status_pb2.Status:
    """Return the status that tells a client of `error`; the log tells the server's own people."""
    if not has_status(error):
        _logger.error("call failed", extra={"method": method.path}, exc_info=error)
        error = InternalError(operation=method.name)
    if not isinstance(error, ServerDrainingError):
        _logger.info("call refused", extra={"method": method.path, "reason": type(error).__name__})
    return to_status(error)
