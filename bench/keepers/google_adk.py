"""The database session service of Google ADK, on SQLite."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from google.adk.events import Event, EventActions
from google.adk.sessions import DatabaseSessionService
from google.adk.sessions.schemas.v1 import StorageEvent
from google.genai.types import Content, Part
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from typing_extensions import override

from bench.keepers.base import Conversation, Keeper
from sessionstore import Message

_OWNER = {"app_name": "bench", "user_id": "bench"}


class ServiceKeeper(Keeper):
    """Appends an event for each message; the last of a turn carries the state."""

    setting = "the state is the state delta of the last event of a turn; SQLite's default journal, FULL"

    def __init__(self, name: str, folder: Path, *others: Any) -> None:
        super().__init__(name, *others)
        path = folder / "sessions.db"
        self._service = DatabaseSessionService(f"sqlite+aiosqlite:///{path}")
        self._engine = create_engine(f"sqlite:///{path}")
        self._state = self.recorded.state.model_dump_json()

    @override
    def converted(self, message: Message) -> Any:
        role = "user" if message.role == "user" else "model"
        return Content(role=role, parts=[Part(text=message.model_dump_json())])

    @override
    async def begin(self, conversation: Conversation) -> None:
        session = await self._service.create_session(session_id=conversation.id, **_OWNER)
        # One event after the other, as the service takes them, would make a long history a matter of minutes.
        with Session(self._engine) as rows:
            events = map(_event, self.messages(0, conversation.length))
            rows.add_all([StorageEvent.from_event(session, event) for event in events])
            rows.commit()
        conversation.data = await self._service.get_session(session_id=conversation.id, **_OWNER)

    @override
    async def append(self, conversation: Conversation, messages: Sequence[Any]) -> None:
        *first, last = map(_event, messages)
        last.actions = EventActions(state_delta={"state": f"{conversation.length} {self._state}"})
        for event in (*first, last):
            await self._service.append_event(conversation.data, event)

    @override
    async def load(self, conversation: Conversation) -> int:
        session = await self._service.get_session(session_id=conversation.id, **_OWNER)
        return len(session.events) if session else 0

    @override
    async def aclose(self) -> None:
        self._engine.dispose()
        await self._service.close()


def _event(content: Content) -> Event:
    return Event(invocation_id="turn", author=content.role or "user", content=content, id=Event.new_id())
