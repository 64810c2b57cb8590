"""What a thread does for somebody who waits in an event loop."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, ParamSpec, TypeVar, cast

from sessionstore_server.backends.base import Key

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(slots=True)
class Job(Generic[P, T]):
    """A piece of work, who waits for it, and how it went."""

    work: Callable[P, T]
    outcome: asyncio.Future[T]
    key: Key | None = None
    """What it writes, for those who wait for that."""
    result: T | None = None
    error: Exception | None = None

    def tell(self) -> None:
        """Hand the result or the error to whoever waits. For the event loop."""
        if self.outcome.done():
            return
        if self.error:
            self.outcome.set_exception(self.error)
        else:
            self.outcome.set_result(cast("T", self.result))
