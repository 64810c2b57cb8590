"""What stores that count revisions promise about them: every write moves on by one, and may expect where it starts."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import pytest

from sessionstore.errors import InvalidArgumentError, RevisionConflictError
from sessionstore.model import SessionData
from sessionstore.store import SessionStore
from sessionstore.testing import samples
from sessionstore.testing.comparison import assert_same
from sessionstore.testing.concurrency import WRITERS, generation
from sessionstore.testing.kinds import CHECKPOINT_KINDS, RECORD_KINDS, CheckpointKind, RecordKind

Write = Callable[[SessionStore, str, int | None], Awaitable[int]]
"""Writes something under an id, if it is at the expected revision."""


def _records(kind: RecordKind[object]) -> Write:
    return lambda store, session_id, expected: kind.save(store, session_id, kind.some(session_id), expected)


def _checkpoint(kind: CheckpointKind[object]) -> Write:
    return lambda store, owner_id, expected: kind.save(store, owner_id, kind.some(owner_id), expected)


SESSION_WRITES: Mapping[str, Write] = {
    "session": lambda store, session_id, expected: store.save(samples.session(session_id), expected_revision=expected),
    "snapshot": lambda store, session_id, expected: store.save_snapshot(
        samples.snapshot(session_id), expected_revision=expected
    ),
    **{str(kind): _records(kind) for kind in RECORD_KINDS},
}
"""Every kind of write to a session and its records."""

CHECKPOINT_WRITES: Mapping[str, Write] = {str(kind): _checkpoint(kind) for kind in CHECKPOINT_KINDS}
WRITES = {**SESSION_WRITES, **CHECKPOINT_WRITES}

any_write = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
any_session_write = pytest.mark.parametrize("write", SESSION_WRITES.values(), ids=SESSION_WRITES)


class RevisionContract:
    """Counted, told, and written on condition."""

    pytestmark = pytest.mark.asyncio

    async def test_every_write_returns_the_next_revision(self, store: SessionStore) -> None:
        """W1: Every write of every kind returns the new revision; a session and its records share one count."""
        returned = [await write(store, "a", None) for _ in range(2) for write in SESSION_WRITES.values()]
        assert returned == list(range(1, 2 * len(SESSION_WRITES) + 1))
        assert await store.revision("a") == returned[-1]

    @pytest.mark.parametrize("kind", CHECKPOINT_KINDS, ids=str)
    async def test_checkpoints_count_for_themselves(self, store: SessionStore, kind: CheckpointKind[object]) -> None:
        """W1: So does every write of a checkpoint; each run and each workflow has a count of its own."""
        await store.save(samples.session("a"))
        assert [await kind.save(store, "a", kind.some("a")) for _ in range(3)] == [1, 2, 3]
        assert await kind.save(store, "b", kind.some("b")) == 1
        assert await store.revision("a") == 1

    async def test_equal_writes_count_too(self, store: SessionStore) -> None:
        """W1: A write that changes nothing is a write."""
        session = samples.session("a")
        assert [await store.save(session) for _ in range(3)] == [1, 2, 3]
        assert [await store.save_trace_events("b", []) for _ in range(3)] == [1, 2, 3]

    async def test_revision_tells_the_present_one(self, store: SessionStore) -> None:
        """W2: A store tells the present revision of each session, and 0 where there is nothing."""
        assert await store.revision("a") == 0
        await store.save_trace_events("a", [])
        await store.save(samples.session("b"))
        await store.save(samples.session("b"))
        assert [await store.revision(each) for each in ("a", "b", "c")] == [1, 2, 0]

    async def test_reading_changes_no_revision(self, store: SessionStore) -> None:
        """W2: Nothing that only reads, and no write to anything else, changes a revision."""
        await store.save_snapshot(samples.snapshot("a"))
        await store.load("a")
        await store.load_snapshot("a")
        await store.list_sessions()
        for kind in RECORD_KINDS:
            await kind.load(store, "a")
        await store.save(samples.session("a/b"))
        for write in CHECKPOINT_WRITES.values():
            await write(store, "a", None)
        assert await store.revision("a") == 1

    async def test_summaries_tell_the_revision(self, store: SessionStore) -> None:
        """L6: A summary tells the present revision of its session."""
        for write in SESSION_WRITES.values():
            await write(store, "a", None)
        await store.save(samples.session("b"))
        summaries = (await store.list_sessions()).sessions
        assert {summary.id: summary.revision for summary in summaries} == {"a": len(SESSION_WRITES), "b": 1}

    @any_session_write
    async def test_deleting_moves_the_revision_on(self, store: SessionStore, write: Write) -> None:
        """W3: Deleting makes the revision 0; what is made again goes on above the last one, so none comes twice."""
        last = await write(store, "a", None)
        for _ in range(3):
            await store.delete("a")
            assert await store.revision("a") == 0
            again = await write(store, "a", 0)
            assert again > last + 1
            last = again

    @any_write
    async def test_write_at_the_expected_revision(self, store: SessionStore, write: Write) -> None:
        """W4: A write at the revision that it expects is made; 0 stands for absent."""
        assert await write(store, "a", 0) == 1
        assert await write(store, "a", 1) == 2
        assert await write(store, "a", None) == 3
        assert await write(store, "a", 3) == 4

    @pytest.mark.parametrize("expected", [0, 1, 3, 2**63])
    @any_session_write
    async def test_conflict_changes_nothing(self, store: SessionStore, write: Write, expected: int) -> None:
        """W5: A write at any other revision is a RevisionConflictError that tells both, and changes nothing."""
        session, events = SessionData(id="a", model_name="kept"), samples.trace_events()[1:]
        await store.save(session)
        await store.save_trace_events("a", events)
        before = await store.load_snapshot("a")
        with pytest.raises(RevisionConflictError) as caught:
            await write(store, "a", expected)
        assert caught.value == RevisionConflictError("a", expected, 2)
        assert_same(await store.load_snapshot("a"), before)
        assert await store.load_subagent_tasks("a") is None
        assert not await store.is_snapshot("a")
        assert await store.revision("a") == 2

    @any_write
    async def test_conflict_with_nothing_writes_nothing(self, store: SessionStore, write: Write) -> None:
        """W5: A write that expects something where nothing is, deleted or never made, writes nothing."""
        with pytest.raises(RevisionConflictError) as caught:
            await write(store, "a", 1)
        assert caught.value == RevisionConflictError("a", 1, 0)
        assert await store.list() == []
        assert await store.revision("a") == 0
        assert [await kind.list(store) for kind in CHECKPOINT_KINDS] == [[], []]
        await store.save(samples.session("b"))
        await store.delete("b")
        with pytest.raises(RevisionConflictError) as caught:
            await store.save(samples.session("b"), expected_revision=1)
        assert caught.value == RevisionConflictError("b", 1, 0)

    @pytest.mark.parametrize("kind", CHECKPOINT_KINDS, ids=str)
    async def test_checkpoint_conflict_changes_nothing(self, store: SessionStore, kind: CheckpointKind[object]) -> None:
        """W5: The same for a checkpoint."""
        await kind.save(store, "a", kind.some("a"))
        for expected in (0, 2):
            with pytest.raises(RevisionConflictError) as caught:
                await kind.save(store, "a", kind.other("a"), expected)
            assert caught.value == RevisionConflictError("a", expected, 1)
        assert await kind.load(store, "a") == kind.some("a")
        assert await kind.save(store, "a", kind.other("a"), 1) == 2

    async def test_delete_on_condition(self, store: SessionStore) -> None:
        """W5: A deletion too may expect a revision; 0 deletes only what is not there."""
        await store.save(samples.session("a"))
        for expected in (0, 2):
            with pytest.raises(RevisionConflictError) as caught:
                await store.delete("a", expected_revision=expected)
            assert caught.value == RevisionConflictError("a", expected, 1)
        assert_same(await store.load("a"), samples.session("a"))
        await store.delete("a", expected_revision=1)
        assert await store.list() == []
        with pytest.raises(RevisionConflictError) as caught:
            await store.delete("a", expected_revision=2)
        assert caught.value.actual_revision == 0
        await store.delete("a", expected_revision=0)

    @pytest.mark.parametrize("expected", [-1, 2**64])
    @any_write
    async def test_expectation_that_no_revision_meets(self, store: SessionStore, write: Write, expected: int) -> None:
        """W6: An expectation that is no revision is an InvalidArgumentError for it, and nothing is written."""
        with pytest.raises(InvalidArgumentError) as caught:
            await write(store, "a", expected)
        assert caught.value.field == "expected_revision"
        assert await store.revision("a") == 0

    @any_write
    async def test_one_of_many_writers_wins(self, store: SessionStore, write: Write) -> None:
        """W7: Of concurrent writers that expect one revision exactly one wins; the others learn the new revision."""
        for expected in range(4):
            outcomes = await asyncio.gather(*(_outcome(write(store, "a", expected)) for _ in range(WRITERS)))
            assert sorted(map(str, outcomes)) == sorted(
                [str(expected + 1), *[str(RevisionConflictError("a", expected, expected + 1))] * (WRITERS - 1)]
            )

    async def test_the_winner_is_what_is_stored(self, store: SessionStore) -> None:
        """W7: What is stored is what the winner wrote, whole."""
        for expected in range(10):
            generations = [generation(number) for number in range(WRITERS)]
            outcomes = await asyncio.gather(
                *(_outcome(store.save(each, expected_revision=expected)) for each in generations)
            )
            assert_same(await store.load("a"), generations[outcomes.index(expected + 1)])


async def _outcome(writing: Awaitable[int]) -> int | RevisionConflictError:
    try:
        return await writing
    except RevisionConflictError as error:
        return error
