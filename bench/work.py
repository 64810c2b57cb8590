"""The work that is measured, step by step, over any contestant that can do it."""

from abc import ABC, abstractmethod
from asyncio import gather
from collections import deque
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from bench.keepers.base import Conversation, Keeper, StoreKeeper
from bench.recorded import BATCH_EVENTS

K = TypeVar("K", bound=Keeper)

_STEPS = 32
_HELD_BYTES = 32 << 20
"""Well below what a client remembers of conversations."""
_MESSAGE_BYTES = 1000


class Work(ABC, Generic[K]):
    """What a number of callers do side by side, each a few steps after every preparation."""

    steps = _STEPS
    """How many steps each caller may make after a preparation."""
    units = 1
    """How many operations a step counts as."""

    def __init__(self, keeper: K, callers: int) -> None:
        self.keeper, self.callers = keeper, callers

    async def prepare(self) -> None:
        """Make the next steps possible; this is not measured."""

    @abstractmethod
    async def step(self, caller: int) -> None:
        """Do one step of a caller; this is measured."""


class SaveTurns(Work[Keeper]):
    """Save turns onto a history, which grows by `turns`: if none are given, by a fifth of its length, or 8 turns."""

    def __init__(self, keeper: Keeper, callers: int, history: int, turns: int = 0) -> None:
        super().__init__(keeper, callers)
        self._history, self._turns = history, turns or max(8, history // 20)
        self._ahead = [deque[Conversation]() for _ in range(callers)]
        """Of each caller, a conversation for each turn to come."""

    async def prepare(self) -> None:
        for ahead in self._ahead:
            while len(ahead) < self.steps:
                ahead.extend([await self.keeper.new(self._history)] * self._turns)

    async def step(self, caller: int) -> None:
        await self.keeper.save_turn(self._ahead[caller].popleft())


class LoadCold(Work[Keeper]):
    """Load conversations as a client that has nothing of them."""

    def __init__(self, keeper: Keeper, callers: int, history: int) -> None:
        super().__init__(keeper, callers)
        self._history = history
        self._conversations: list[Conversation] = []

    async def prepare(self) -> None:
        if not self._conversations:
            self._conversations = [await self.keeper.new(self._history) for _ in range(self.callers)]

    async def step(self, caller: int) -> None:
        conversation = self._conversations[caller]
        _expect("messages", await self.keeper.load(conversation), conversation.length)


class LoadAgain(Work[StoreKeeper]):
    """Load conversations as a client that loaded them before the last turn, which another one saved."""

    def __init__(self, keeper: StoreKeeper, callers: int, history: int) -> None:
        super().__init__(keeper, callers)
        self._history = history
        self.steps = max(1, min(8, _HELD_BYTES // (callers * history * _MESSAGE_BYTES)))
        self._conversations: list[Conversation] = []
        self._turn: list[list[Conversation]] = []

    async def prepare(self) -> None:
        if not self._conversations:
            self._conversations = [await self.keeper.new(self._history) for _ in range(self.callers * self.steps)]
            for conversation in self._conversations:
                await self.keeper.load_again(conversation)
        await gather(*map(self.keeper.save_turn, self._conversations))
        self._turn = [self._conversations[caller :: self.callers] for caller in range(self.callers)]

    async def step(self, caller: int) -> None:
        conversation = self._turn[caller].pop()
        _expect("messages", await self.keeper.load_again(conversation), conversation.length)


class Exists(Work[StoreKeeper]):
    """Ask whether sessions exist."""

    steps = 4 * _STEPS
    _conversations: Sequence[Conversation] = ()

    async def prepare(self) -> None:
        self._conversations = self._conversations or [await self.keeper.new(1) for _ in range(self.callers)]

    async def step(self, caller: int) -> None:
        _expect("session", await self.keeper.exists(self._conversations[caller]), True)


class ListPages(Work[StoreKeeper]):
    """Read the list of so many sessions, which fill their pages, page by page, again and again."""

    PAGE_SIZE = 100
    _SIDE_BY_SIDE = 32

    def __init__(self, keeper: StoreKeeper, callers: int, sessions: int) -> None:
        super().__init__(keeper, callers)
        self._missing = sessions
        self._page_size = min(sessions, self.PAGE_SIZE)
        self._tokens = [""] * callers

    async def prepare(self) -> None:
        for start in range(0, self._missing, self._SIDE_BY_SIDE):
            await gather(*(self.keeper.new(1) for _ in range(min(self._SIDE_BY_SIDE, self._missing - start))))
        self._missing = 0

    async def step(self, caller: int) -> None:
        shown, self._tokens[caller] = await self.keeper.list_page(self._tokens[caller], self._page_size)
        _expect("sessions", shown, self._page_size)


class UploadEvents(Work[StoreKeeper]):
    """Upload events in batches of 100, one stream for each caller and step; done when all are durable."""

    steps = 2

    def __init__(self, keeper: StoreKeeper, callers: int, kind: str, batches: int) -> None:
        super().__init__(keeper, callers)
        self._kind = kind
        self._batches: Sequence[Any] = keeper.batches(kind, batches)
        self.units = batches * BATCH_EVENTS
        self._ahead: list[list[Conversation]] = [[] for _ in range(callers)]

    async def prepare(self) -> None:
        for ahead in self._ahead:
            while len(ahead) < self.steps:
                ahead.append(await self._session())

    async def _session(self) -> Conversation:
        conversation = await self.keeper.new(1)
        if self._kind == "run":
            await self.keeper.begin_run(conversation.id)
        return conversation

    async def step(self, caller: int) -> None:
        session_id = self._ahead[caller].pop().id
        _expect("durable events", await self.keeper.upload(self._kind, session_id, self._batches), self.units)


def _expect(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise RuntimeError(f"{what}: {found} instead of {wanted}")
