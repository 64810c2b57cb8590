"""The sessions that were sent whole last, as they were sent, so that sending them again takes only what is new.

What is kept here is, to the backend, what a client holds: each load asks the backend what follows it, and so learns
whether it is still true, whoever changed the conversation meanwhile. Forgetting it costs time and nothing else.
"""

import time
from dataclasses import dataclass, field

from sessionstore.v1 import session_pb2 as pb
from sessionstore_server.backends.base import Key, View
from sessionstore_server.backends.cache import Cache
from sessionstore_server.services.keys import MESSAGES, SESSION
from sessionstore_server.services.responses import with_records

CAPACITY_BYTES = 32 << 20
"""How much is kept in all; what was not sent for longest goes first, and what is above a quarter is not kept."""
LIFETIME_SECONDS = 24 * 3600.0
"""How long something is kept: well below the time for which deleted sessions are known."""
_OVERHEAD_BYTES = 1 << 10
"""What a session takes besides its bytes."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A session with its whole conversation, at a revision."""

    held: pb.HeldMessages = field(default_factory=pb.HeldMessages)
    """What a client holds that was sent it."""
    response: bytes = b""
    """A serialized `LoadSessionResponse` that begins with the messages."""
    messages_size: int = 0
    """How many bytes of it are messages."""
    told_at: float = field(default_factory=time.monotonic)
    """On the monotonic clock."""

    def is_of(self, view: View, instance: int) -> bool:
        """Tell whether this is what a view shows of a backend with that incarnation before it was read."""
        return (view.revision, instance) == (self.held.revision, self.held.instance)

    def continued(self, view: View, instance: int) -> "Sent":
        """Return what a view shows: the whole conversation or, if this one is not out of date, what follows it.

        `instance` is the incarnation that the backend had before it was read.
        """
        messages = view.logs[MESSAGES]
        if self.is_of(view, instance):
            return self
        held = pb.HeldMessages(revision=view.revision, message_count=messages.length, instance=instance)
        before = memoryview(self.response)[: self.messages_size if messages.start else 0]
        news = with_records(pb.LoadSessionResponse(), messages=messages.records)
        state = with_records(
            pb.LoadSessionResponse(revision=view.revision, instance=instance), session=[view.documents[SESSION]]
        )
        return Sent(held, b"".join((before, news, state)), len(before) + len(news))


class SentSessions:
    """A bounded memory of what was sent of each session."""

    def __init__(self, capacity_bytes: int = CAPACITY_BYTES) -> None:
        self._largest = capacity_bytes // 4
        self._cache = Cache[Key, Sent](capacity_bytes)

    def get(self, key: Key) -> Sent:
        """Return what was sent last of a session, or nothing with no messages."""
        sent = self._cache.get(key)
        if sent is None or time.monotonic() - sent.told_at > LIFETIME_SECONDS:
            return Sent()
        return sent

    def put(self, key: Key, sent: Sent) -> None:
        """Remember what was sent of a session in place of what was before."""
        size = len(sent.response) + _OVERHEAD_BYTES
        if size <= self._largest:
            self._cache.put(key, sent, size)
        else:
            self.forget(key)

    def forget(self, key: Key) -> None:
        """Forget what was sent of a session."""
        self._cache.forget(key)
