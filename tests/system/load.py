"""Clients that add to the same sessions and read them, and record what they see."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from random import Random

from tests.system.model_check import Added, History, Read, Refused, check

from sessionstore import Message, RemoteSessionStore, RevisionConflictError, SessionData, SessionStore
from sessionstore.store import SessionChange

SESSIONS = ("a", "b", "c")
CLIENTS = 4
PATIENCE_SECONDS = 120
"""Longer than any server is away here, so that each operation is answered in the end."""


@asynccontextmanager
async def under_load(addresses: Sequence[str]) -> AsyncIterator[History]:
    """Let clients work until the block ends, then check what they saw."""
    history, is_over = History(), asyncio.Event()
    async with AsyncExitStack() as opened:
        stores = [
            await opened.enter_async_context(
                RemoteSessionStore(addresses, timeout_seconds=PATIENCE_SECONDS, connect_seconds=PATIENCE_SECONDS)
            )
            for _ in range(CLIENTS)
        ]
        for session_id in SESSIONS:
            await stores[0].save(SessionData(id=session_id, messages=[Message.user("first")]))
        async with asyncio.TaskGroup() as working:
            for number, store in enumerate(stores):
                working.create_task(_Client(store, number, history).work(is_over))
            yield history
            is_over.set()
        check(history.seen, {session_id: await _texts(stores[0], session_id) for session_id in SESSIONS})


class _Client:
    def __init__(self, store: SessionStore, number: int, history: History) -> None:
        self._store, self._history = store, history
        self._random = Random(number)
        self._texts = (f"{number}-{each}" for each in count())
        self._actions: list[Callable[[str], Awaitable[None]]] = [self._read, self._add, self._add_here, self._save]

    async def work(self, is_over: asyncio.Event) -> None:
        while not is_over.is_set():
            await self._random.choice(self._actions)(self._random.choice(SESSIONS))

    async def _read(self, session_id: str) -> None:
        await self._loaded(session_id)

    async def _loaded(self, session_id: str) -> tuple[SessionData, int]:
        begin = self._history.clock()
        loaded = await self._store.load_with_revision(session_id)
        assert loaded is not None
        texts = [message.content[0].text for message in loaded.value.messages]
        self._history.add(Read(session_id, begin, self._history.clock(), loaded.revision, texts))
        return loaded.value, loaded.revision

    async def _add(self, session_id: str) -> None:
        text = next(self._texts)
        change = SessionChange(messages=[Message.user(text)])
        await self._write(session_id, text, None, lambda: self._store.commit(session_id, change))

    async def _add_here(self, session_id: str) -> None:
        """Add at the revision that is known."""
        text, revision = next(self._texts), await self._store.revision(session_id)
        change = SessionChange(messages=[Message.user(text)])
        await self._write(
            session_id, text, revision, lambda: self._store.commit(session_id, change, expected_revision=revision)
        )

    async def _save(self, session_id: str) -> None:
        """Add by a save of the whole session."""
        session, revision = await self._loaded(session_id)
        text = next(self._texts)
        session.messages.append(Message.user(text))
        await self._write(session_id, text, revision, lambda: self._store.save(session, expected_revision=revision))

    async def _write(
        self, session_id: str, text: str, expected: int | None, write: Callable[[], Awaitable[int]]
    ) -> None:
        begin = self._history.clock()
        try:
            revision = await write()
        except RevisionConflictError as error:
            assert expected is not None
            refused = Refused(session_id, begin, self._history.clock(), error.actual_revision, expected)
            self._history.add(refused)
        else:
            self._history.add(Added(session_id, begin, self._history.clock(), revision, text, expected))


async def _texts(store: SessionStore, session_id: str) -> list[str]:
    session = await store.load(session_id)
    assert session is not None
    return [message.content[0].text for message in session.messages]
