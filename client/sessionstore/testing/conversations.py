"""What a store promises about the conversation of a session that several clients edit, each with what it remembers.

A client sends and fetches only what is new to the other side. None of that may be seen in what is stored.
"""

from collections.abc import Callable, Mapping

import pytest

from sessionstore.model import Message, SessionData, ToolUseBlock
from sessionstore.store import SessionChange, SessionStore
from sessionstore.testing import samples
from sessionstore.testing.comparison import assert_same

AnotherClient = Callable[[], SessionStore]
"""Makes another client of the same store, which remembers nothing yet; it needs no closing."""


def messages(texts: str) -> list[Message]:
    """Return a message for each letter."""
    return [Message.user(text) for text in texts]


def equal_copy(message: Message) -> Message:
    """Return an equal message that is another object."""
    return Message.model_validate_json(message.model_dump_json())


Edit = Callable[[list[Message]], list[Message]]
EDITS: Mapping[str, Edit] = {
    "nothing": lambda held: held,
    "append": lambda held: [*held, Message.user("new")],
    "append much": lambda held: [*held, *messages("xyz" * 10)],
    "append itself": lambda held: [*held, *held],
    "cut off the last": lambda held: held[:-1],
    "cut off the first": lambda held: held[1:],
    "replace the last": lambda held: [*held[:-1], Message.user("new")],
    "replace in the middle": lambda held: [*held[:1], Message.user("new"), *held[2:]],
    "insert in the middle": lambda held: [*held[:1], Message.user("new"), *held[1:]],
    "turn round": lambda held: held[::-1],
    "begin anew": lambda _: messages("xyz"),
    "clear": lambda _: [],
    "copy all": lambda held: [equal_copy(message) for message in held],
    "copy the first": lambda held: [equal_copy(held[0]), *held[1:]],
    "copy the first and append": lambda held: [equal_copy(held[0]), *held[1:], Message.user("new")],
}
"""What a runtime may do to a conversation of three messages."""


class ConversationContract:
    """Needs a fixture `another_client` of the type `AnotherClient` beside `store`."""

    pytestmark = pytest.mark.asyncio

    @pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
    async def test_any_edit_after_save(self, store: SessionStore, another_client: AnotherClient, edit: Edit) -> None:
        """M1: Whatever is done to a conversation after it was saved, the next save stores what is there."""
        session = SessionData(id="a", messages=messages("abc"))
        await store.save(session)
        await _edit_and_check(session, edit, store, another_client())

    @pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
    async def test_any_edit_after_load(self, store: SessionStore, another_client: AnotherClient, edit: Edit) -> None:
        """M1: So it does after it was loaded."""
        await another_client().save(SessionData(id="a", messages=messages("abc")))
        session = await store.load("a")
        assert session is not None
        await _edit_and_check(session, edit, store, another_client())

    @pytest.mark.parametrize("theirs", EDITS.values(), ids=EDITS)
    async def test_any_edit_after_that_of_another(
        self, store: SessionStore, another_client: AnotherClient, theirs: Edit
    ) -> None:
        """M2: So it does when another client saved in between; of both saves the later one is there, whole."""
        other = another_client()
        for name, ours in EDITS.items():
            session = SessionData(id=name, messages=messages("abc"))
            await store.save(session)
            found = await other.load(name)
            assert found is not None
            found.messages = theirs(found.messages)
            await other.save(found)
            await _edit_and_check(session, ours, store, another_client())
            assert_same(await other.load(name), session)

    @pytest.mark.parametrize("again", ["", "a", "abc", "xyz", "wxyz"])
    async def test_session_that_another_made_again(
        self, store: SessionStore, another_client: AnotherClient, again: str
    ) -> None:
        """M3: A session that another client deleted and made again has nothing of the old one, however long it is."""
        session, other = SessionData(id="a", messages=messages("abc")), another_client()
        await store.save(session)
        await other.delete("a")
        anew = SessionData(id="a", messages=messages(again))
        await other.save(anew)
        assert_same(await store.load("a"), anew)
        await other.delete("a")
        await other.save(anew)
        session.messages.append(Message.user("d"))
        await store.save(session)
        assert_same(await other.load("a"), session)
        await other.delete("a")
        assert await store.load("a") is None
        await store.save(session)
        assert_same(await other.load("a"), session)

    async def test_values_that_python_takes_for_equal(self, store: SessionStore, another_client: AnotherClient) -> None:
        """M4: A message that differs from the stored one only in what Python takes for equal replaces it."""
        variants = [
            _calling(value) for value in (1, 1.0, True, {"x": 1, "y": 0}, {"y": 0, "x": 1}, 0.0, -0.0, 0, False, None)
        ]
        for client in (store, store, another_client()):
            for variant in variants:
                session = SessionData(id="a", messages=[*messages("a"), variant, *messages("b")])
                await client.save(session)
                for reader in (store, client, another_client()):
                    assert_same(await reader.load("a"), session)

    async def test_one_conversation_in_many_sessions(self, store: SessionStore, another_client: AnotherClient) -> None:
        """M6: Messages that one session shares with another belong to both."""
        shared = messages("abc")
        for session_id in ("a", "b"):
            await store.save(SessionData(id=session_id, messages=shared, updated_at=0, created_at=0))
        branch = SessionData(id="b", messages=[*shared[:2], Message.user("x")])
        await store.save(branch)
        await store.save(SessionData(id="a", messages=[*shared, Message.user("d")], updated_at=0, created_at=0))
        for reader in (store, another_client()):
            assert_same(await reader.load("b"), branch)
            loaded = await reader.load("a")
            assert loaded is not None
            assert loaded.messages == messages("abcd")


class RecordConversationContract:
    """Needs the same fixture."""

    pytestmark = pytest.mark.asyncio

    async def test_other_writes_in_between(self, store: SessionStore, another_client: AnotherClient) -> None:
        """M5: Writes of records and snapshots in between, by anybody, change nothing about that."""
        session, other = SessionData(id="a", messages=messages("abc")), another_client()
        await store.save(session)
        await other.save_trace_events("a", samples.trace_events())
        session.messages.append(Message.user("d"))
        await store.save(session)
        assert_same(await other.load("a"), session)
        snapshot = samples.snapshot("a")
        await other.save_snapshot(snapshot)
        assert_same(await store.load("a"), snapshot.session)
        await store.save_snapshot(snapshot)
        await store.save(session)
        assert_same(await other.load("a"), session)

    async def test_commits_of_several_clients(self, store: SessionStore, another_client: AnotherClient) -> None:
        """M7: Clients that add to a conversation in turns, or replace it by commits, all go on from what is stored."""
        session, other = SessionData(id="a", messages=messages("ab")), another_client()
        await store.commit("a", SessionChange(session=session))
        for number, client in enumerate((store, other, other, store, other)):
            message = Message.user(str(number))
            session.messages.append(message)
            await client.commit("a", SessionChange(messages=[message]))
            for reader in (store, other):
                assert_same(await reader.load("a"), session)
        shorter = session.model_copy(update={"messages": session.messages[:1]})
        await other.commit("a", SessionChange(session=shorter))
        session.messages.append(Message.user("longer"))
        await store.commit("a", SessionChange(session=session), check_pairing=True)
        for reader in (store, other):
            assert_same(await reader.load("a"), session)


async def _edit_and_check(session: SessionData, edit: Edit, store: SessionStore, other: SessionStore) -> None:
    session.messages = edit(session.messages)
    await store.save(session)
    for reader in (store, other):
        assert_same(await reader.load(session.id), session)


def _calling(value: object) -> Message:
    return Message(role="assistant", content=(ToolUseBlock(id="1", name="tool", input={"value": value}),))
