"""Who waits in this process for a key to be written."""

import asyncio

from sessionstore_server.backends.base import Key


class Wakes:
    """Wakes those who wait for a key. For the event loop only, from threads by way of `call_soon_threadsafe`."""

    def __init__(self) -> None:
        self._waiting: dict[Key | None, set[asyncio.Future[None]]] = {}

    def wake(self, key: Key) -> None:
        """Wake everybody who waits for `key`, or for any."""
        self._wake(key)
        self._wake(None)

    def wake_all(self) -> None:
        """Wake everybody, because the backend closes."""
        for wanted in list(self._waiting):
            self._wake(wanted)

    async def wait(self, key: Key | None, timeout_seconds: float) -> None:
        """Return when `key` (None: any) is written from now on, at the latest after the time."""
        woken = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, set()).add(woken)
        try:
            await asyncio.wait([woken], timeout=timeout_seconds)
        finally:
            self._forget(key, woken)

    def _wake(self, wanted: Key | None) -> None:
        for woken in self._waiting.pop(wanted, ()):
            woken.set_result(None)

    def _forget(self, key: Key | None, woken: asyncio.Future[None]) -> None:
        waiting = self._waiting.get(key, set())
        waiting.discard(woken)
        if not waiting:
            self._waiting.pop(key, None)
