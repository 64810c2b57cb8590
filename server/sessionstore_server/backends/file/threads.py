"""Blocking work beside the event loop.

A pool of the standard library does the same at twice the price: each of its calls makes futures of two kinds, and
copies the outcome of one into the other.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


class Threads:
    """A fixed number of threads, which carry out steps in the order in which these come."""

    def __init__(self, name: str, number: int) -> None:
        self._steps: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads = [Thread(target=self._run, name=f"{name}-{place}", daemon=True) for place in range(number)]
        for thread in self._threads:
            thread.start()

    def run(self, step: Callable[[], T]) -> asyncio.Future[T]:
        """Let a thread carry out a step; for event loops. A step that is cancelled in time does not begin."""
        outcome: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._steps.put(partial(_carry_out, step, outcome))
        return outcome

    def close(self) -> None:
        """Wait until all that was asked for is done."""
        for _ in self._threads:
            self._steps.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while step := self._steps.get():
            step()
            # It holds what was written.
            del step


def _carry_out(step: Callable[[], T], outcome: asyncio.Future[T]) -> None:
    if outcome.cancelled():
        return
    try:
        result = step()
    except BaseException as error:  # noqa: BLE001 - handed to whoever waits
        _tell(outcome, partial(outcome.set_exception, error))
    else:
        _tell(outcome, partial(outcome.set_result, result))


def _tell(outcome: asyncio.Future[T], settle: Callable[[], None]) -> None:
    # Nobody waits any more when the loop is closed.
    with suppress(RuntimeError):
        outcome.get_loop().call_soon_threadsafe(_settle, outcome, settle)


def _settle(outcome: asyncio.Future[T], settle: Callable[[], None]) -> None:
    if not outcome.done():
        settle()
