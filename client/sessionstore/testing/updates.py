"""What stores that count revisions promise about reading a session to change it."""

import asyncio
from collections.abc import Callable

import pytest

from sessionstore.errors import InvalidArgumentError, RevisionConflictError
from sessionstore.model import Message, SessionData
from sessionstore.store import Revisioned, SessionStore
from sessionstore.testing import samples
from sessionstore.testing.comparison import assert_same
from sessionstore.testing.concurrency import WRITERS, generation


class UpdateContract:
    """Read, change, write, and never over what somebody else wrote."""

    pytestmark = pytest.mark.asyncio

    async def test_session_with_its_revision(self, store: SessionStore) -> None:
        """W8: A session loads with the revision at which it was read; one that was not saved is None."""
        assert await store.load_with_revision("a") is None
        await store.save_trace_events("a", [])
        assert await store.load_with_revision("a") is None
        await store.save(samples.session("a"))
        await store.save_trace_events("a", [])
        assert await store.load_with_revision("a") == Revisioned(samples.session("a"), 3)

    async def test_revision_beside_writes_is_that_of_the_session(self, store: SessionStore) -> None:
        """W8: So it does beside writes: the session is the one which the write of that revision left."""
        for number in range(1, 3):
            await store.save(generation(number))
        writing = asyncio.create_task(_save_generations(store, range(3, 40)))
        while not writing.done():
            found = await store.load_with_revision("a")
            assert found is not None
            assert_same(found.value, generation(found.revision))
            await asyncio.sleep(0)
        await writing

    async def test_update_saves_the_change(self, store: SessionStore) -> None:
        """W9: An update saves what the function made of the session, edited or replaced, and returns it."""
        await store.save(generation(1))
        edited = await store.update("a", lambda session: session.messages.append(Message.user("more")))
        assert edited is not None
        assert edited.messages == [*generation(1).messages, Message.user("more")]
        assert_same(await store.load("a"), edited)
        assert await store.update("a", lambda _: generation(2)) == generation(2)
        assert_same(await store.load("a"), generation(2))
        assert await store.revision("a") == 3

    async def test_update_of_nothing(self, store: SessionStore) -> None:
        """W9: There is nothing to update where no session is: the function is not called, and nothing is written."""
        await store.save_trace_events("a", [])
        assert await store.update("a", _never) is None
        assert await store.revision("a") == 1

    async def test_update_that_fails_saves_nothing(self, store: SessionStore) -> None:
        """W9: An error of the function reaches the caller, and nothing is written."""
        await store.save(generation(1))
        with pytest.raises(AssertionError):
            await store.update("a", _never)
        assert await store.revision("a") == 1

    async def test_concurrent_updates_all_count(self, store: SessionStore) -> None:
        """W10: Concurrent updates are made one on top of the other, and none is lost."""
        await store.save(SessionData(id="a"))

        async def append(writer: int) -> None:
            for number in range(5):
                await store.update("a", _appending(Message.user(f"{writer} {number}")), attempts=10_000)

        await asyncio.gather(*map(append, range(WRITERS)))
        found = await store.load_with_revision("a")
        assert found is not None
        texts = [message.model_dump_json() for message in found.value.messages]
        wanted = [Message.user(f"{writer} {number}") for writer in range(WRITERS) for number in range(5)]
        assert sorted(texts) == sorted(message.model_dump_json() for message in wanted)
        assert found.revision == 1 + WRITERS * 5

    async def test_updates_are_bounded(self, store: SessionStore) -> None:
        """W10: An update that somebody else always overtakes ends after its attempts with the conflict."""
        await store.save(generation(1))
        calls = 0

        async def overtaken(session_id: str) -> Revisioned[SessionData] | None:
            nonlocal calls
            calls += 1
            found = await load(session_id)
            await store.save(generation(100 + calls))
            return found

        load = store.load_with_revision
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(store, "load_with_revision", overtaken)
            with pytest.raises(RevisionConflictError) as caught:
                await store.update("a", lambda _: generation(2), attempts=3)
        assert caught.value == RevisionConflictError("a", 3, 4)
        assert calls == 3
        assert_same(await store.load("a"), generation(103))

    async def test_update_needs_an_attempt(self, store: SessionStore) -> None:
        """W10: Without attempts there is no update."""
        await store.save(generation(1))
        with pytest.raises(InvalidArgumentError) as caught:
            await store.update("a", _never, attempts=0)
        assert caught.value.field == "attempts"


def _appending(message: Message) -> Callable[[SessionData], None]:
    return lambda session: session.messages.append(message)


def _never(_: SessionData) -> None:
    raise AssertionError("nothing to update")


async def _save_generations(store: SessionStore, numbers: range) -> None:
    for number in numbers:
        assert await store.save(generation(number)) == number
