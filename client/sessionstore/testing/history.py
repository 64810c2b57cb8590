"""What a store promises about past revisions, and about sessions that start from one."""

import asyncio

import pytest

from sessionstore.errors import InvalidArgumentError, RevisionConflictError, RevisionNotKeptError
from sessionstore.model import Message, SessionData, SessionSnapshot
from sessionstore.store import SessionChange, SessionStore
from sessionstore.testing import samples
from sessionstore.testing.comparison import assert_same
from sessionstore.testing.concurrency import WRITERS
from sessionstore.testing.ids import BAD_IDS
from sessionstore.testing.run_records import text_events

REVISIONS_KEPT = 32


class HistoryContract:
    """What was, and sessions that start there."""

    pytestmark = pytest.mark.asyncio

    async def test_past_revisions_load(self, store: SessionStore) -> None:
        """Y1: The last 32 revisions load as they were, whatever came later: more messages, others, or fewer."""
        states = [await _saved(store, number) for number in range(REVISIONS_KEPT + 5)]
        for revision, state in list(enumerate(states, start=1))[-REVISIONS_KEPT:]:
            assert_same(await store.load("a", revision=revision), state)
        assert_same(await store.load("a"), states[-1])

    async def test_writes_of_records_are_revisions(self, store: SessionStore) -> None:
        """Y1: At the revisions of its records a session loads as it was then: None until it was saved."""
        await store.save_trace_events("a", [])
        first = await _saved(store, 0)
        await store.save_trace_events("a", samples.trace_events())
        await store.commit("a", SessionChange(messages=[Message.user("more")]))
        assert await store.load("a", revision=1) is None
        assert_same(await store.load("a", revision=2), first)
        assert_same(await store.load("a", revision=3), first)

    async def test_kept_revisions_are_listed(self, store: SessionStore) -> None:
        """Y2: The revisions that load are listed, the oldest first, with the times of their commits; others are not."""
        assert await store.list_revisions("a") == []
        for number in range(REVISIONS_KEPT + 5):
            await _saved(store, number)
        listed = await store.list_revisions("a")
        revisions = [each.revision for each in listed]
        assert revisions == list(range(revisions[0], REVISIONS_KEPT + 6))
        assert len(revisions) >= REVISIONS_KEPT
        times = [each.commit_time for each in listed]
        assert times == sorted(times)
        for revision in revisions:
            assert await store.load("a", revision=revision) is not None

    @pytest.mark.parametrize("revision", [0, 1, REVISIONS_KEPT * 3 + 1, 2**64 - 1])
    async def test_other_revisions_are_refused(self, store: SessionStore, revision: int) -> None:
        """Y3: A revision that is too old, or was never reached, is a RevisionNotKeptError."""
        for number in range(REVISIONS_KEPT * 3):
            await _saved(store, number)
        for call in (store.load("a", revision=revision), store.fork("a", "b", at_revision=revision)):
            with pytest.raises(RevisionNotKeptError) as caught:
                await call
            assert caught.value == RevisionNotKeptError("a", revision)
        assert await store.list() == ["a"]

    @pytest.mark.parametrize("revision", [-1, 2**64])
    async def test_what_is_no_revision_is_refused(self, store: SessionStore, revision: int) -> None:
        """Y3: What can be no revision is an InvalidArgumentError for `revision`."""
        await _saved(store, 0)
        with pytest.raises(InvalidArgumentError) as caught:
            await store.load("a", revision=revision)
        assert caught.value.field == "revision"

    async def test_deletion_ends_the_history(self, store: SessionStore) -> None:
        """Y4: A deleted session has no history, and one that is made again has only its own."""
        await _saved(store, 0)
        await store.delete("a")
        assert await store.list_revisions("a") == []
        assert await store.load("a", revision=1) is None
        again = await store.save(SessionData(id="a"))
        assert [each.revision for each in await store.list_revisions("a")] == [again]
        with pytest.raises(RevisionNotKeptError):
            await store.load("a", revision=1)

    async def test_the_past_does_not_touch_the_present(self, store: SessionStore) -> None:
        """Y5: Who has loaded a past revision saves and loads the present one as before; the past can be saved anew."""
        session = SessionData(id="a", messages=[Message.user(str(number)) for number in range(5)])
        await store.save(session)
        session.messages = [*session.messages[:2], Message.user("x")]
        await store.save(session)
        past = await store.load("a", revision=1)
        assert past is not None
        assert_same(await store.load("a"), session)
        session.messages.append(Message.user("y"))
        await store.save(session)
        assert_same(await store.load("a"), session)
        await store.save(past)
        assert_same(await store.load("a"), past)
        assert_same(await store.load("a", revision=3), session)

    async def test_fork_holds_everything(self, store: SessionStore) -> None:
        """Y6: A fork has all that the session holds, under its own id, with the session for its parent."""
        await store.save_snapshot(samples.snapshot("a"))
        await store.commit("a", SessionChange(run_events={"run-0/retry 🏃": text_events(2)}))
        origin = await store.load_snapshot("a")
        assert origin is not None
        assert await store.fork("a", "b") == 1
        assert_same(await store.load_snapshot("b"), _forked(origin, "b"))
        assert await store.is_snapshot("b")
        assert_same(await store.load_snapshot("a"), origin)
        assert await store.revision("a") == 2
        first, second = (await store.list_sessions()).sessions
        expected = {"id": "b", "parent_id": "a", "revision": 1}
        assert second == first.model_copy(update=expected)

    async def test_what_was_never_saved_is_not_in_a_fork(self, store: SessionStore) -> None:
        """Y6: Kinds of records that were never saved are None in it too."""
        session = await _saved(store, 3)
        await store.fork("a", "b")
        assert_same(await store.load("b"), session.model_copy(update={"id": "b", "parent_id": "a"}))
        assert await store.load_run_records("b") is None
        assert await store.load_subagent_tasks("b") is None
        assert not await store.is_snapshot("b")

    async def test_fork_at_a_past_revision(self, store: SessionStore) -> None:
        """Y7: A fork may start from any revision that is kept, and goes on from there."""
        await store.save_snapshot(samples.snapshot("a"))
        await store.save(SessionData(id="a", messages=[Message.user("later")]))
        await store.save_trace_events("a", [])
        await store.fork("a", "b", at_revision=1)
        expected = _forked(samples.snapshot("a"), "b")
        assert_same(await store.load_snapshot("b"), expected)
        await store.commit("b", SessionChange(messages=[Message.user("more")]))
        expected.session.messages.append(Message.user("more"))
        assert_same(await store.load_snapshot("b"), expected)
        assert [each.revision for each in await store.list_revisions("b")] == [1, 2]

    async def test_forks_and_origins_are_independent(self, store: SessionStore) -> None:
        """Y8: Whatever becomes of a session or its forks, appended to, cut, or deleted, changes none of the others."""
        await store.save_snapshot(samples.snapshot("a"))
        for origin, fork in (("a", "b"), ("b", "c"), ("a", "d")):
            await store.fork(origin, fork)
        await store.commit("a", SessionChange(messages=[Message.user("of a")]))
        await store.save(SessionData(id="b", messages=samples.session("b").messages[:1]))
        await store.commit("c", SessionChange(messages=[Message.user("of c")], trace_events=samples.trace_events()))
        await store.save_artifacts("d", samples.artifacts())
        await store.delete("a")
        await store.delete("b")
        expected = _forked(_forked(samples.snapshot("a"), "b"), "c")
        expected.session.messages.append(Message.user("of c"))
        expected.trace_events *= 2
        assert_same(await store.load_snapshot("c"), expected)
        assert_same(await store.load_snapshot("d"), _forked(samples.snapshot("a"), "d"))
        assert await store.list() == ["c", "d"]

    async def test_deleted_fork_leaves_its_origin(self, store: SessionStore) -> None:
        """Y8: A deleted fork may be made again, and the session is whole all the time."""
        await store.save_snapshot(samples.snapshot("a"))
        for _ in range(3):
            await store.fork("a", "b")
            await store.commit("b", SessionChange(messages=[Message.user("x")]))
            await store.delete("b")
            assert_same(await store.load_snapshot("a"), samples.snapshot("a"))
        await store.fork("a", "b")
        assert_same(await store.load_snapshot("b"), _forked(samples.snapshot("a"), "b"))

    async def test_fork_needs_a_session(self, store: SessionStore) -> None:
        """Y9: What was never saved cannot be forked: it is an InvalidArgumentError for `session_id`."""
        await store.save_trace_events("a", samples.trace_events())
        for origin in ("a", "absent"):
            with pytest.raises(InvalidArgumentError) as caught:
                await store.fork(origin, "b")
            assert caught.value.field == "session_id"
        assert await store.revision("b") == 0

    async def test_fork_replaces_nothing(self, store: SessionStore) -> None:
        """Y9: A fork onto what exists, be it records only, is a RevisionConflictError, and changes nothing."""
        await store.save(samples.session("a"))
        await store.save_trace_events("b", [])
        for taken in ("a", "b"):
            with pytest.raises(RevisionConflictError) as caught:
                await store.fork("a", taken)
            assert caught.value == RevisionConflictError(taken, 0, 1)
        assert await store.load("b") is None
        assert_same(await store.load("a"), samples.session("a"))

    async def test_one_of_many_forks_is_made(self, store: SessionStore) -> None:
        """Y9: Of concurrent forks to one id exactly one is made."""
        await store.save(samples.session("a"))
        forks = (store.fork("a", "b") for _ in range(WRITERS))
        outcomes = await asyncio.gather(*forks, return_exceptions=True)
        assert outcomes.count(1) == 1
        assert outcomes.count(RevisionConflictError("b", 0, 1)) == WRITERS - 1

    @pytest.mark.parametrize("bad_id", BAD_IDS.values(), ids=BAD_IDS)
    async def test_fork_refuses_bad_ids(self, store: SessionStore, bad_id: str) -> None:
        """Y9: The rules for ids are those of I1 and I2, by the names `session_id` and `new_session_id`."""
        await store.save(samples.session("a"))
        for origin, fork, field in ((bad_id, "b", "session_id"), ("a", bad_id, "new_session_id")):
            with pytest.raises(InvalidArgumentError) as caught:
                await store.fork(origin, fork)
            assert caught.value.field == field
        with pytest.raises(InvalidArgumentError) as caught:
            await store.list_revisions(bad_id)
        assert caught.value.field == "session_id"

    async def test_forks_beside_commits_are_whole(self, store: SessionStore) -> None:
        """Y10: A fork beside commits is one revision of the session, in all its parts."""
        await store.save(SessionData(id="a"))
        writing = asyncio.create_task(_grow(store, 20))
        forks = 0
        while not writing.done():
            forks += 1
            await store.fork("a", f"fork {forks}")
            await asyncio.sleep(0)
        await writing
        lengths = []
        for number in range(1, forks + 1):
            fork = await store.load_snapshot(f"fork {number}")
            assert fork is not None
            assert len(fork.session.messages) == len(fork.trace_events)
            lengths.append(len(fork.trace_events))
        assert lengths == sorted(lengths)


async def _saved(store: SessionStore, number: int) -> SessionData:
    """Save the session `a` in one of its states: it grows, is cut and turned round in turns."""
    texts = [str(each) for each in range(number // 4 + number % 4)]
    messages = [Message.user(text) for text in (texts if number % 5 else texts[::-1])]
    session = SessionData(id="a", messages=messages, total_cost=float(number))
    await store.save(session)
    return session


async def _grow(store: SessionStore, count: int) -> None:
    event = samples.trace_events()[0]
    for number in range(count):
        await store.commit("a", SessionChange(messages=[Message.user(str(number))], trace_events=[event]))


def _forked(origin: SessionSnapshot, session_id: str) -> SessionSnapshot:
    fork = origin.fork(session_id)
    fork.session.parent_id = origin.session.id
    return fork
