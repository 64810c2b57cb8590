"""The states of keys that were used last, so that a warm call parses only new commit lines."""

from collections import OrderedDict
from threading import Lock

from sessionstore_server.backends.base import Key
from sessionstore_server.backends.file.state import State

MAX_BYTES = 64 * 1024 * 1024
"""How much text of documents is remembered, over all keys."""


class StateCache:
    """A bounded memory of states; what was not used for longest goes first. Threads may share it."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._states: OrderedDict[Key, tuple[State, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Key) -> State | None:
        """Return the state last put for `key`, if it is still remembered."""
        with self._lock:
            if key not in self._states:
                return None
            self._states.move_to_end(key)
            return self._states[key][0]

    def put(self, state: State) -> None:
        """Remember a state in place of the one before."""
        size = state.live_bytes()
        with self._lock:
            self._forget(state.key)
            self._states[state.key] = (state, size)
            self._bytes += size
            while self._bytes > self._max_bytes:
                self._forget(next(iter(self._states)))

    def forget(self, key: Key) -> None:
        """Forget the state of a key that was deleted."""
        with self._lock:
            self._forget(key)

    def _forget(self, key: Key) -> None:
        _, size = self._states.pop(key, (None, 0))
        self._bytes -= size
