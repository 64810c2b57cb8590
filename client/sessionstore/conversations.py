"""What a store is known to hold of conversations, so that only what is new travels.

Messages never change, so two conversations share what begins with the very same objects. What is known is a fact about
a revision, and the server checks whether it still holds; forgetting it costs bytes and nothing else.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from operator import is_
from typing import NamedTuple
from weakref import ReferenceType, ref

from sessionstore.model import Message, SessionData

CAPACITY_BYTES = 64 << 20
"""How much is remembered in all of sessions that the caller no longer has, by the size on the wire; the conversation
not used for longest goes first."""
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


class _InUse(NamedTuple):
    """What is known of a session that the caller still has."""

    held: Held
    session: ReferenceType[SessionData]


class Conversations:
    """The last known conversation of each session.

    While the caller has the session, it is the caller who keeps the messages, and a conversation costs a pointer for
    each. Once the session is gone they are kept here alone, as far as the capacity goes.
    """

    def __init__(self, capacity_bytes: int = CAPACITY_BYTES) -> None:
        self._capacity, self._size = capacity_bytes, 0
        self._in_use: dict[str, _InUse] = {}
        self._left: OrderedDict[str, Held] = OrderedDict()
        self._gone: deque[tuple[str, ReferenceType[SessionData]]] = deque()
        """The sessions that callers dropped since this was last asked, which may happen at any moment."""

    def get(self, session_id: str) -> Held | None:
        """Return what is known of a session."""
        self._settle()
        in_use = self._in_use.get(session_id)
        held = self._left.get(session_id) if in_use is None else in_use.held
        if held is None:
            return None
        if time.monotonic() - held.told_at > LIFETIME_SECONDS:
            self.forget(session_id)
            return None
        if in_use is None:
            self._left.move_to_end(session_id)
        return held

    def put(self, session_id: str, held: Held, session: SessionData | None = None) -> None:
        """Remember what was read or written, unless something newer is known, or the store has no revisions.

        `session` is what the caller has of it.
        """
        known = self.get(session_id)
        if not held.revision or (known is not None and known.revision > held.revision):
            return
        self.forget(session_id)
        if session is None:
            self._leave(session_id, held)
            return
        # It must not know `self`: the ring would keep what the caller drops with the store.
        gone = self._gone
        self._in_use[session_id] = _InUse(held, ref(session, lambda dropped: gone.append((session_id, dropped))))

    def extend(self, session_id: str, revision: int, messages: Sequence[Message], size: int, instance: int) -> None:
        """Remember that a commit added messages, if nobody else can have written since the rest was told."""
        held = self.get(session_id)
        if held is None or (held.revision + 1, held.instance) != (revision, instance):
            return
        in_use = self._in_use.get(session_id)
        longer = Held(revision, (*held.messages, *messages), held.size + size, instance)
        self.put(session_id, longer, None if in_use is None else in_use.session())

    def forget(self, session_id: str) -> None:
        """Forget a session."""
        self._in_use.pop(session_id, None)
        left = self._left.pop(session_id, None)
        if left is not None:
            self._size -= left.size

    def _settle(self) -> None:
        while self._gone:
            session_id, dropped = self._gone.popleft()
            in_use = self._in_use.get(session_id)
            if in_use is not None and in_use.session is dropped:
                del self._in_use[session_id]
                self._leave(session_id, in_use.held)

    def _leave(self, session_id: str, held: Held) -> None:
        self._left[session_id] = held
        self._size += held.size
        while self._size > self._capacity:
            self.forget(next(iter(self._left)))


def shared_count(held: Held, messages: Sequence[Message]) -> int:
    """Return with how many of the held messages `messages` begin."""
    if len(held.messages) <= len(messages) and all(map(is_, held.messages, messages)):
        return len(held.messages)
    return sum(takewhile(bool, map(is_, held.messages, messages)))


def size_of(held: Held, count: int) -> int:
    """Return about how large the first `count` of the held messages are, in bytes on the wire."""
    return held.size * count // len(held.messages) if count else 0
