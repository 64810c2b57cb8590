"""What was used last, so that a warm call does only what is new."""

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MAX_BYTES = 64 * 1024 * 1024
"""How much a cache remembers."""


class Cache(Generic[K, V]):
    """A bounded memory; what was not used for longest goes first. Threads may share it."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: K) -> V | None:
        """Return what was last put for `key`, if it is still remembered."""
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def put(self, key: K, value: V, size: int) -> None:
        """Remember a value of so many bytes in place of the one before."""
        with self._lock:
            self._forget(key)
            self._kept[key] = (value, size)
            self._bytes += size
            while self._bytes > self._max_bytes:
                self._forget(next(iter(self._kept)))

    def forget(self, key: K) -> None:
        """Forget what there is for `key`."""
        with self._lock:
            self._forget(key)

    def _forget(self, key: K) -> None:
        _, size = self._kept.pop(key, (None, 0))
        self._bytes -= size
