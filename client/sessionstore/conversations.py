"""What a store is known to hold of conversations, so that only what is new travels.

Messages never change, so two conversations share what begins with the very same objects. What is known is a fact about
a revision, and the server checks whether it still holds; forgetting it costs bytes and nothing else.
"""

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from operator import is_

from sessionstore.model import Message

CAPACITY_BYTES = 64 << 20
"""How much is remembered in all, by the size on the wire; the conversation not used for longest goes first."""
LIFETIME_SECONDS = 24 * 3600.0
"""How long something is remembered: well below the time for which servers know of deleted sessions."""


@dataclass(frozen=True, slots=True)
class Held:
    """The messages with which a conversation began at a revision."""

    revision: int
    messages: Sequence[Message]
    size: int
    """In bytes on the wire."""
    instance: int = 0
    """The program that told the revision."""
    told_at: float = field(default_factory=time.monotonic)
    """On the monotonic clock."""


class Conversations:
    """The last known conversation of each session."""

    def __init__(self, capacity_bytes: int = CAPACITY_BYTES) -> None:
        self._capacity, self._size = capacity_bytes, 0
        self._held: OrderedDict[str, Held] = OrderedDict()

    def get(self, session_id: str) -> Held | None:
        """Return what is known of a session."""
        held = self._held.get(session_id)
        if held is None:
            return None
        if time.monotonic() - held.told_at > LIFETIME_SECONDS:
            self.forget(session_id)
            return None
        self._held.move_to_end(session_id)
        return held

    def put(self, session_id: str, held: Held) -> None:
        """Remember what was read or written, unless something newer is known, or the store has no revisions."""
        known = self._held.get(session_id)
        if not held.revision or (known is not None and known.revision > held.revision):
            return
        self.forget(session_id)
        self._held[session_id] = held
        self._size += held.size
        while self._size > self._capacity:
            self.forget(next(iter(self._held)))

    def extend(self, session_id: str, revision: int, messages: Sequence[Message], size: int, instance: int) -> None:
        """Remember that a commit added messages, if nobody else can have written since the rest was told."""
        held = self.get(session_id)
        if held is None or (held.revision + 1, held.instance) != (revision, instance):
            return
        self.put(session_id, Held(revision, (*held.messages, *messages), held.size + size, instance))

    def forget(self, session_id: str) -> None:
        """Forget a session."""
        known = self._held.pop(session_id, None)
        if known is not None:
            self._size -= known.size


def shared_count(held: Held, messages: Sequence[Message]) -> int:
    """Return with how many of the held messages `messages` begin."""
    if len(held.messages) <= len(messages) and all(map(is_, held.messages, messages)):
        return len(held.messages)
    return sum(takewhile(bool, map(is_, held.messages, messages)))
