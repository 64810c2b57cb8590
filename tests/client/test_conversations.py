"""What a client remembers of conversations, and when it forgets."""

import time
import weakref
from dataclasses import replace

import pytest

from sessionstore import Message, SessionData
from sessionstore.conversations import CAPACITY_BYTES, LIFETIME_SECONDS, Conversations, Held, shared_count, size_of

MESSAGES = tuple(map(Message.user, "abc"))


def held(revision: int, size: int = 10) -> Held:
    return Held(revision, MESSAGES, size)


def test_the_newest_is_remembered() -> None:
    conversations = Conversations()
    newest = held(2)
    for known in (held(1), newest, held(1)):
        conversations.put("a", known)
    assert conversations.get("a") is newest
    assert conversations.get("b") is None


def test_added_messages_are_remembered() -> None:
    conversations = Conversations()
    conversations.put("a", held(1))
    added = tuple(map(Message.user, "de"))
    conversations.extend("a", 2, added, size=5, instance=0)
    known = conversations.get("a")
    assert known is not None
    assert (known.revision, known.messages, known.size) == (2, (*MESSAGES, *added), 15)


@pytest.mark.parametrize(("session_id", "revision", "instance"), [("a", 1, 0), ("a", 3, 0), ("a", 2, 1), ("b", 2, 0)])
def test_messages_are_not_added_to_what_may_have_changed(session_id: str, revision: int, instance: int) -> None:
    conversations = Conversations()
    before = held(1)
    conversations.put("a", before)
    conversations.extend(session_id, revision, MESSAGES, size=5, instance=instance)
    assert conversations.get("a") is before
    assert conversations.get("b") is None


def test_what_was_forgotten_may_come_again_at_any_revision() -> None:
    conversations = Conversations()
    conversations.put("a", held(9))
    for _ in range(2):
        conversations.forget("a")
    assert conversations.get("a") is None
    again = held(1)
    conversations.put("a", again)
    assert conversations.get("a") is again


def test_a_store_without_revisions_is_not_remembered() -> None:
    conversations = Conversations()
    conversations.put("a", held(0))
    assert conversations.get("a") is None


def test_the_one_not_used_for_longest_makes_room() -> None:
    conversations = Conversations(capacity_bytes=30)
    for session_id in ("a", "b", "c"):
        conversations.put(session_id, held(1))
    conversations.get("a")
    conversations.put("d", held(1))
    assert [conversations.get(each) is not None for each in "abcd"] == [True, False, True, True]


def test_what_is_larger_than_all_room_is_not_remembered() -> None:
    conversations = Conversations(capacity_bytes=30)
    conversations.put("a", held(1, size=31))
    assert conversations.get("a") is None
    for revision in range(2, 20):
        conversations.put("a", held(revision))
    conversations.put("b", held(1))
    assert conversations.get("a") is not None
    assert conversations.get("b") is not None


def test_sessions_that_the_caller_has_need_no_room() -> None:
    conversations = Conversations(capacity_bytes=15)
    sessions = {session_id: SessionData(id=session_id) for session_id in "abcd"}
    for session_id, session in sessions.items():
        conversations.put(session_id, held(1), session)
    assert all(conversations.get(each) is not None for each in "abcd")
    del session, sessions["a"]
    assert all(conversations.get(each) is not None for each in "abcd")
    del sessions["b"]
    assert [conversations.get(each) is not None for each in "abcd"] == [False, True, True, True]
    conversations.forget("b")
    del sessions["c"]
    assert [conversations.get(each) is not None for each in "abcd"] == [False, False, True, True]


def test_of_several_copies_the_last_that_was_stored_counts() -> None:
    conversations = Conversations(capacity_bytes=5)
    first, second = SessionData(id="a"), SessionData(id="a")
    conversations.put("a", held(1), first)
    conversations.put("a", held(2), second)
    del first
    assert conversations.get("a") is not None
    del second
    assert conversations.get("a") is None


def test_what_was_added_to_a_session_that_the_caller_has_needs_no_room() -> None:
    conversations = Conversations(capacity_bytes=5)
    session = SessionData(id="a")
    conversations.put("a", held(1), session)
    conversations.extend("a", 2, MESSAGES, size=10, instance=0)
    assert conversations.get("a") is not None
    conversations.forget("a")
    assert conversations.get("a") is None


def test_remembering_keeps_no_session() -> None:
    conversations = Conversations()
    session = SessionData(id="a")
    conversations.put("a", held(1), session)
    gone = weakref.ref(session)
    del session
    assert gone() is None


@pytest.mark.parametrize(("count", "size"), [(0, 0), (1, 10), (2, 20), (3, 30)])
def test_size_of_a_beginning(count: int, size: int) -> None:
    assert size_of(held(1, size=30), count) == size
    assert size_of(Held(0, (), 0), 0) == 0


@pytest.mark.parametrize(("age", "is_remembered"), [(LIFETIME_SECONDS - 60, True), (LIFETIME_SECONDS + 60, False)])
def test_what_is_old_is_forgotten(age: float, is_remembered: bool) -> None:
    conversations = Conversations(CAPACITY_BYTES)
    conversations.put("a", replace(held(1), told_at=time.monotonic() - age))
    assert (conversations.get("a") is not None) is is_remembered


@pytest.mark.parametrize(
    ("messages", "count"),
    [
        ((), 0),
        (MESSAGES, 3),
        (MESSAGES[:2], 2),
        ((*MESSAGES, Message.user("d")), 3),
        ((Message.user("a"), *MESSAGES[1:]), 0),
        ((MESSAGES[0], Message.user("b"), MESSAGES[2]), 1),
        (MESSAGES[::-1], 0),
    ],
    ids=["nothing", "all", "fewer", "more", "an equal first", "an equal second", "turned round"],
)
def test_the_same_objects_are_shared(messages: tuple[Message, ...], count: int) -> None:
    assert shared_count(held(1), messages) == count
