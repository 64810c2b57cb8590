"""The plainest way: rewrite the JSON file of the session, sync, rename."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from typing_extensions import override

from bench.keepers.base import Conversation, Keeper
from sessionstore import Message


class JsonFileKeeper(Keeper):
    """Keeps each session in a file of `folder`."""

    setting = "state and messages in one file; fdatasync, rename, fsync of the folder"

    def __init__(self, name: str, folder: Path, *others: Any) -> None:
        super().__init__(name, *others)
        self._folder = folder
        self._state = self.recorded.state.model_dump(mode="json")

    @override
    def converted(self, message: Message) -> Any:
        return message.model_dump(mode="json")

    @override
    async def begin(self, conversation: Conversation) -> None:
        conversation.data = {**self._state, "id": conversation.id, "messages": self.messages(0, conversation.length)}
        self._write(conversation)

    @override
    async def append(self, conversation: Conversation, messages: Sequence[Any]) -> None:
        conversation.data["messages"].extend(messages)
        conversation.data["updated_at"] += 1
        self._write(conversation)

    @override
    async def load(self, conversation: Conversation) -> int:
        return len(json.loads(self._path(conversation).read_bytes())["messages"])

    def _write(self, conversation: Conversation) -> None:
        path = self._path(conversation)
        with path.with_suffix(".new").open("w", encoding="utf-8") as file:
            json.dump(conversation.data, file, ensure_ascii=False)
            file.flush()
            os.fdatasync(file.fileno())
        path.with_suffix(".new").rename(path)
        folder = os.open(self._folder, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def _path(self, conversation: Conversation) -> Path:
        return self._folder / f"{conversation.id}.json"
