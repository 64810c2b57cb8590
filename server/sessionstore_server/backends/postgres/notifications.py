"""How processes tell each other of commits, so that those who wait look at once; nothing depends on it.

What is told goes by way of the pool, apart from the commits: in the transaction of a commit it would let the database
commit only one transaction at a time.
"""

import asyncio
import json
import logging
from collections.abc import Collection
from contextlib import suppress
from uuid import uuid4

from sessionstore.errors import SessionStoreError, StorageError
from sessionstore_server.backends.base import Key
from sessionstore_server.backends.postgres.database import ConnectionLostError, Database
from sessionstore_server.backends.wakes import Wakes

_logger = logging.getLogger(__name__)

_CHANNEL = "sessionstore"
_PAYLOAD_BYTES = 7_999
"""What a notification holds at most."""
_KEYS = 100
_PAUSE_SECONDS = 0.05
"""Between notifications; so long commits are collected."""
_AGAIN_SECONDS = 1.0
"""Before the next attempt to listen, when the connection was lost."""


class Notifications:
    """Tells other processes of commits here, and wakes those here who wait for commits elsewhere."""

    def __init__(self, database: Database, wakes: Wakes) -> None:
        self._database = database
        self._wakes = wakes
        self._name = uuid4().hex
        self._untold: set[Key] = set()
        self._news = asyncio.Event()
        self.are_heard = False
        """Whether notifications come through from other connections, as they do not through some poolers."""
        self._task = asyncio.create_task(self._run())

    def tell(self, key: Key) -> None:
        """Tell the others soon that a key was written."""
        if len(self._untold) <= _KEYS:
            self._untold.add(key)
        self._news.set()

    async def close(self) -> None:
        """Disconnect."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except ConnectionLostError as error:
                _logger.info("listens again: %s", error)
            except StorageError as error:
                _logger.warning("commits of other servers are polled for, since the database cannot notify: %s", error)
                return
            finally:
                self.are_heard = False
            # They look, and from then on more often.
            self._wakes.wake_all()
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _listen(self) -> None:
        """Hear the others and tell them, until the connection is lost."""
        async with self._database.connection() as connection:
            connection.add_termination_listener(lambda _: self._news.set())
            await connection.add_listener(_CHANNEL, lambda _connection, _pid, _channel, payload: self._hear(payload))
            # What was told before this moment was not heard.
            self._wakes.wake_all()
            while not connection.is_closed():
                await self._send()
                await asyncio.sleep(_PAUSE_SECONDS)
                await self._news.wait()

    async def _send(self) -> None:
        """Tell what is new; the first time that may be nothing, which shows whether it is heard."""
        self._news.clear()
        keys, self._untold = self._untold, set()
        # What is not told is seen later.
        with suppress(SessionStoreError):
            await self._database.fetch("notify", _CHANNEL, self._payload(keys))

    def _payload(self, keys: Collection[Key]) -> str:
        """Name who tells, and the keys; null stands for more than there is room for."""
        told = [[key.namespace, key.collection, key.id] for key in keys] if len(keys) <= _KEYS else None
        payload = json.dumps({"from": self._name, "keys": told}, ensure_ascii=False)
        fits = len(payload.encode()) <= _PAYLOAD_BYTES
        return payload if fits else json.dumps({"from": self._name, "keys": None})

    def _hear(self, payload: str) -> None:
        try:
            message = json.loads(payload)
            keys = None if message["keys"] is None else [Key(*parts) for parts in message["keys"]]
            is_own = message["from"] == self._name
        except (ValueError, TypeError, KeyError):
            # Of another version, or of somebody who uses the channel for something else.
            keys, is_own = None, False
        if is_own:
            self.are_heard = True
        elif keys is None:
            self._wakes.wake_all()
        else:
            for key in keys:
                self._wakes.wake(key)
