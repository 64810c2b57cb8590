"""How long to go on trying when the connection is lost again and again."""

import asyncio
import math

from sessionstore.errors import StoreUnavailableError

_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 1.0


class Patience:
    """Lasts for `seconds` since the first failure after the last progress; there is none before the first progress."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._pause = 0.0
        self._end: float | None = -math.inf

    def renew(self) -> None:
        """Note progress."""
        self._pause, self._end = _FIRST_PAUSE_SECONDS, None

    async def pause(self, error: StoreUnavailableError) -> None:
        """Wait a moment before the next attempt. Errors: `error`, when it has lasted too long."""
        now = asyncio.get_running_loop().time()
        if self._end is None:
            self._end = now + self._seconds
        if now + self._pause > self._end:
            raise error
        await asyncio.sleep(self._pause)
        self._pause = min(2 * self._pause, _LONGEST_PAUSE_SECONDS)
