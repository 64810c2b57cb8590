"""Request ids for stores that do not keep them: repeats that reach the same process have one effect."""

import asyncio
from collections import OrderedDict
from typing import Any

from sessionstore.errors import RequestIdReusedError
from sessionstore_server.services.handlers import Caller, Handler, HandlerTable
from sessionstore_server.services.writes import identity

CAPACITY = 1024
"""How many requests are remembered, over all sessions; the oldest go first."""


class Repeats:
    """Answers a repeated request as the first time, also while that is still under way."""

    def __init__(self) -> None:
        self._answers: OrderedDict[str, tuple[str, asyncio.Task[Any]]] = OrderedDict()

    def wrap(self, handlers: HandlerTable) -> HandlerTable:
        """Return the same handlers, with this behaviour for every unary write."""
        return {
            method: self._answering(handler) if method.carries_request_id else handler
            for method, handler in handlers.items()
        }

    def _answering(self, handler: Handler) -> Handler:
        async def answer(request: Any, caller: Caller) -> Any:  # noqa: ANN401 - those of the method
            made = identity(request)
            if made is None:
                return await handler(request, caller)
            digest, task = self._answers.get(made.id, ("", None))
            if task is None or _has_failed(task):
                digest, task = made.digest, asyncio.ensure_future(handler(request, caller))
                self._remember(made.id, digest, task)
            if digest != made.digest:
                raise RequestIdReusedError(request_id=made.id)
            return await asyncio.shield(task)

        return answer

    def _remember(self, request_id: str, digest: str, task: asyncio.Task[Any]) -> None:
        self._answers[request_id] = (digest, task)
        if len(self._answers) > CAPACITY:
            self._answers.popitem(last=False)


def _has_failed(task: asyncio.Task[Any]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
