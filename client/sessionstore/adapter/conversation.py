"""Conversations on their way: what the store is known to hold of one does not travel again."""

from collections.abc import Sequence
from typing import Any

from sessionstore.adapter.calls import Calls, Conditions, identity
from sessionstore.adapter.collection import collection_paused
from sessionstore.conversations import Held, shared_count, size_of
from sessionstore.errors import StaleBaseError
from sessionstore.model import Message, SessionData
from sessionstore.store import Revisioned
from sessionstore.transport import Method
from sessionstore.v1 import session_pb2
from sessionstore.wire import methods, records
from sessionstore.wire.requests import build

NOTHING = Held(0, (), 0)


class ConversationCalls(Calls):
    """Sends and loads sessions."""

    async def _send_session(
        self, method: Method[Any, Any], session: SessionData, conditions: Conditions, **others: object
    ) -> int:
        """Replace a session by a call of `method`, of which `others` are further fields; return the revision."""
        data, messages = records.SESSION.to_proto(session), tuple(session.messages)
        held = self._conversations.get(session.id) or NOTHING
        shared = shared_count(held, messages)
        try:
            stored = await self._send_behind(held, shared, method, data, messages, conditions, **others)
        except StaleBaseError:
            if not shared:
                raise
            self._conversations.forget(session.id)
            stored = await self._send_behind(NOTHING, 0, method, data, messages, conditions, **others)
        self._conversations.put(data.id, stored, session)
        return stored.revision

    async def _send_behind(
        self,
        held: Held,
        shared: int,
        method: Method[Any, Any],
        data: session_pb2.SessionData,
        messages: Sequence[Message],
        conditions: Conditions,
        **others: object,
    ) -> Held:
        """Send a session that begins with the first `shared` messages of `held`; return what is stored then."""
        request = build(
            method.request,
            **identity(conditions),
            base=_claim(held, shared) if shared else None,
            session=data,
            **others,
        )
        size = size_of(held, shared)
        for position, message in enumerate(messages[shared:], shared):
            size += records.MESSAGE.add(request.messages, message, "messages", position).ByteSize()
        response = await self._transport.unary(method, request)
        return Held(response.revision, messages, size, response.instance)

    async def _load_session(self, session_id: str) -> Revisioned[SessionData] | None:
        """Load a session as it is at present."""
        held = self._conversations.get(session_id) or NOTHING
        claim = _claim(held, len(held.messages))
        response = await self._read(methods.LOAD_SESSION, session_id=session_id, held=claim)
        if not response.held_count:
            self._conversations.forget(session_id)
        if not response.HasField("session"):
            return None
        kept = held if response.held_count else NOTHING
        session = _session_of(response)
        session.messages[:0] = kept.messages
        size = kept.size + response.ByteSize() - response.session.ByteSize()
        messages = tuple(session.messages)
        self._conversations.put(session_id, Held(response.revision, messages, size, response.instance), session)
        return Revisioned(session, response.revision)

    async def _load_past_session(self, session_id: str, revision: int) -> SessionData | None:
        """Load a session as it was; that tells nothing about the present, and is not remembered."""
        response = await self._read(methods.LOAD_SESSION, session_id=session_id, revision=revision)
        return _session_of(response) if response.HasField("session") else None


def _claim(held: Held, count: int) -> session_pb2.HeldMessages:
    return session_pb2.HeldMessages(revision=held.revision, message_count=count, instance=held.instance)


def _session_of(response: session_pb2.LoadSessionResponse) -> SessionData:
    with collection_paused():
        return records.session_from_proto(response.session, response.messages)
