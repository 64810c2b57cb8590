"""Sessions. A save sends, and a load fetches, the messages that are new since what was last sent or fetched."""

from typing_extensions import override

from sessionstore.adapter.calls import Conditions
from sessionstore.adapter.conversation import ConversationCalls
from sessionstore.model import SessionData
from sessionstore.store import Revisioned
from sessionstore.store.sessions import SessionOperations
from sessionstore.wire import methods


class SessionCalls(ConversationCalls, SessionOperations):
    """`SessionOperations` as calls."""

    @override
    async def save(
        self, session: SessionData, *, expected_revision: int | None = None, lease_epoch: int | None = None
    ) -> int:
        conditions = Conditions(expected_revision, lease_epoch)
        return await self._send_session(methods.SAVE_SESSION, session, conditions)

    @override
    async def load(self, session_id: str, *, revision: int | None = None) -> SessionData | None:
        if revision is not None:
            return await self._load_past_session(session_id, revision)
        found = await self._load_session(session_id)
        return None if found is None else found.value

    @override
    async def delete(
        self, session_id: str, *, expected_revision: int | None = None, lease_epoch: int | None = None
    ) -> None:
        await self._write(methods.DELETE_SESSION, Conditions(expected_revision, lease_epoch), session_id=session_id)
        self._conversations.forget(session_id)

    @override
    async def exists(self, session_id: str) -> bool:
        return (await self._read(methods.SESSION_EXISTS, session_id=session_id)).exists

    @override
    async def revision(self, session_id: str) -> int:
        return (await self._read(methods.SESSION_EXISTS, session_id=session_id)).revision

    @override
    async def load_with_revision(self, session_id: str) -> Revisioned[SessionData] | None:
        return await self._load_session(session_id)
