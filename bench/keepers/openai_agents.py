"""The `SQLiteSession` of OpenAI Agents."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agents.memory.sqlite_session import SQLiteSession
from typing_extensions import override

from bench.keepers.base import Conversation, Keeper
from sessionstore import Message


class SessionKeeper(Keeper):
    """Keeps all sessions in one file, as applications do."""

    setting = "has no place for state: it goes as one more item with each turn; its WAL, SQLite's default FULL"

    def __init__(self, name: str, folder: Path, *others: Any) -> None:
        super().__init__(name, *others)
        self._path = folder / "sessions.db"
        self._state = self.recorded.state.model_dump_json()
        self._sessions: list[SQLiteSession] = []

    @override
    def converted(self, message: Message) -> Any:
        return {"role": message.role, "content": message.model_dump_json()}

    @override
    async def begin(self, conversation: Conversation) -> None:
        conversation.data = self._session(conversation)
        await conversation.data.add_items(self.messages(0, conversation.length))

    @override
    async def append(self, conversation: Conversation, messages: Sequence[Any]) -> None:
        state = {"role": "system", "content": f"{conversation.length} {self._state}"}
        await conversation.data.add_items([*messages, state])

    @override
    async def load(self, conversation: Conversation) -> int:
        items = await self._session(conversation).get_items()
        return sum(item.get("role") != "system" for item in items)

    @override
    async def aclose(self) -> None:
        for session in self._sessions:
            session.close()

    def _session(self, conversation: Conversation) -> SQLiteSession:
        self._sessions.append(SQLiteSession(conversation.id, self._path))
        return self._sessions[-1]
