"""What every contestant does."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any
from uuid import uuid4

from bench.recorded import TURN_MESSAGES, Recorded
from sessionstore import Message


@dataclass
class Conversation:
    """A session that a contestant keeps."""

    id: str
    length: int
    """How many messages are saved."""
    data: Any = None
    """What the contestant has to remember of it."""


class Keeper(ABC):
    """Keeps conversations: saves turns durably, with the state of the session, and loads them."""

    setting = ""
    """How it is made to do as much as the others, for people."""

    def __init__(self, name: str, recorded: Recorded, processes: Mapping[str, int] | None = None) -> None:
        self.name = name
        self.recorded = recorded
        self.processes = processes or {}
        """The processes that work for it, such as `server`, by their ids."""
        self._messages = [self.converted(message) for message in recorded.messages]

    def converted(self, message: Message) -> Any:
        """Return a message as this contestant takes it; ahead of time, so that it is not measured."""
        return message

    def messages(self, start: int, count: int) -> list[Any]:
        """Return some messages of the endless conversation that the recordings make, as `converted`."""
        first = start % len(self._messages)
        return list(islice(cycle(self._messages), first, first + count))

    async def new(self, length: int) -> Conversation:
        """Keep a new conversation with so many messages."""
        conversation = Conversation(uuid4().hex, length)
        await self.begin(conversation)
        return conversation

    async def save_turn(self, conversation: Conversation) -> None:
        """Save the next four messages and the changed state; durable when it returns."""
        await self.append(conversation, self.messages(conversation.length, TURN_MESSAGES))
        conversation.length += TURN_MESSAGES

    @abstractmethod
    async def begin(self, conversation: Conversation) -> None:
        """Save a new conversation; one of no messages may wait for its first turn."""

    @abstractmethod
    async def append(self, conversation: Conversation, messages: Sequence[Any]) -> None:
        """Save messages and the changed state."""

    @abstractmethod
    async def load(self, conversation: Conversation) -> int:
        """Load a conversation, as one who has nothing of it; return how many messages came."""

    async def aclose(self) -> None:
        """Release everything; nothing unless overridden."""
        return


class StoreKeeper(Keeper):
    """Does also what only session stores do."""

    @abstractmethod
    async def load_again(self, conversation: Conversation) -> int:
        """Load a conversation, as one who loaded it before but did not write it; return how many messages it has."""

    @abstractmethod
    async def exists(self, conversation: Conversation) -> bool:
        """Tell whether a conversation is kept."""

    @abstractmethod
    async def list_page(self, page_token: str, page_size: int) -> tuple[int, str]:
        """Read a page of the list of sessions; return how many it shows, and the token of the next page."""

    @abstractmethod
    def batches(self, kind: str, count: int) -> Sequence[Any]:
        """Return batches of 100 `trace` or `run` events; ahead of time, so that it is not measured."""

    @abstractmethod
    async def begin_run(self, session_id: str) -> None:
        """Save the run `RUN_ID`, to which `upload` adds the events."""

    @abstractmethod
    async def upload(self, kind: str, session_id: str, batches: Sequence[Any]) -> int:
        """Send batches over one stream; return how many events are durable at its end."""


RUN_ID = "run"
