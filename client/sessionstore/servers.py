"""The servers that a client knows, any of which can answer any call.

Each call goes to one of them at random, so that clients that know nothing of each other spread evenly. One that
answered nobody just now is left alone for a moment, unless the others did so too.
"""

import asyncio
from collections.abc import Sequence
from random import randrange

from sessionstore.connection import Connection
from sessionstore.errors import InvalidArgumentError, StoreUnavailableError


class Servers:
    """The servers at `targets`, over one connection each; finding one that answers takes at most `connect_seconds`."""

    def __init__(self, targets: Sequence[str], connect_seconds: float, *, multiplexes: bool) -> None:
        if not targets:
            raise InvalidArgumentError(field="target", problem="names no server: give at least one HOST:PORT")
        self.targets = ", ".join(targets)
        self._connections = [Connection(target, multiplexes=multiplexes) for target in targets]
        self._connect_seconds = connect_seconds

    def ready(self) -> Connection | None:
        """Return a server that is connected, one that rests only if all do; None if there is none."""
        resting = None
        start = randrange(len(self._connections))  # noqa: S311 - no secret
        for connection in self._connections[start:] + self._connections[:start]:
            if connection.is_ready():
                if not connection.is_resting():
                    return connection
                resting = connection
        return resting

    def is_another_ready(self) -> bool:
        """Tell whether there is a server that is connected and does not rest."""
        connection = self.ready()
        return connection is not None and not connection.is_resting()

    async def found(self) -> Connection:
        """Wait for the first server that can be reached. Errors: StoreUnavailableError."""
        searches = {asyncio.create_task(connection.connect()): connection for connection in self._connections}
        try:
            done, _ = await asyncio.wait(searches, timeout=self._connect_seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for search in searches:
                search.cancel()
        for search in done:
            search.result()
            return searches[search]
        problem = f"no server was found there within {self._connect_seconds:g} s; start one with `sessionstore serve`"
        raise StoreUnavailableError(target=self.targets, problem=problem)

    async def aclose(self) -> None:
        """Close all connections, and with them all calls under way."""
        await asyncio.gather(*(connection.aclose() for connection in self._connections))
