"""What a store on a lasting medium promises beyond the others: what a call acknowledged survives a reopen."""

from collections.abc import Awaitable, Callable

import pytest

from sessionstore.model import ArtifactStore, Message, SessionData, WorkflowCheckpoint
from sessionstore.store import SessionChange, SessionStore
from sessionstore.testing import samples
from sessionstore.testing.comparison import assert_same
from sessionstore.testing.ids import ODD_IDS
from sessionstore.testing.kinds import CHECKPOINT_KINDS, RECORD_KINDS

Reopen = Callable[[], Awaitable[SessionStore]]
"""Closes the store (for a remote one, ends its server) and opens another one on the same medium."""


class DurabilityContract:
    """Needs a fixture `reopen` of the type `Reopen` beside `store`."""

    pytestmark = pytest.mark.asyncio

    async def test_sessions_survive(self, store: SessionStore, reopen: Reopen) -> None:
        """D1: Sessions survive, under any id, also several times and beside later saves."""
        for session_id in ODD_IDS:
            await store.save(SessionData(id=session_id))
        await store.save(samples.session("a"))
        reopened = await reopen()
        assert await reopened.list() == sorted(ODD_IDS, key=str.encode)
        assert_same(await reopened.load("a"), samples.session("a"))
        await reopened.save(SessionData(id="a", created_at=1, updated_at=2))
        assert_same(await (await reopen()).load("a"), SessionData(id="a", created_at=1, updated_at=2))

    async def test_records_survive(self, store: SessionStore, reopen: Reopen) -> None:
        """D2: Records of every kind survive, with and without their session; so does that they were saved empty."""
        await store.save(samples.session("a"))
        for kind in RECORD_KINDS:
            await kind.save(store, "a", kind.some("a"))
            await kind.save(store, "b", kind.empty())
        reopened = await reopen()
        assert await reopened.list() == ["a"]
        for kind in RECORD_KINDS:
            assert_same(await kind.load(reopened, "a"), kind.some("a"))
            assert await kind.load(reopened, "b") == kind.empty()
            assert await kind.load(reopened, "c") is None

    async def test_snapshots_survive(self, store: SessionStore, reopen: Reopen) -> None:
        """D3: Snapshots survive whole, with fields and events that this program does not know."""
        snapshot = samples.with_unknown_fields(samples.snapshot("a"))
        await store.save_snapshot(snapshot)
        await store.save(samples.session("b"))
        reopened = await reopen()
        assert_same(await reopened.load_snapshot("a"), snapshot)
        assert await reopened.is_snapshot("a")
        assert not await reopened.is_snapshot("b")

    async def test_checkpoints_survive(self, store: SessionStore, reopen: Reopen) -> None:
        """D4: Checkpoints survive, with the receipts of results."""
        for kind in CHECKPOINT_KINDS:
            await kind.save(store, "a", kind.some("a"))
        reopened = await reopen()
        for kind in CHECKPOINT_KINDS:
            assert await kind.list(reopened) == ["a"]
            assert_same(await kind.load(reopened, "a"), kind.some("a"))
        workflow = await reopened.load_workflow_checkpoint("a")
        assert isinstance(workflow, WorkflowCheckpoint)
        assert workflow.steps[0].result_receipt is not None

    async def test_deletions_survive(self, store: SessionStore, reopen: Reopen) -> None:
        """D5: What was deleted or replaced does not come back."""
        await store.save_snapshot(samples.snapshot("a"))
        await store.save_snapshot(samples.snapshot("b"))
        await store.delete("a")
        await store.save_artifacts("b", ArtifactStore())
        await store.save_loop_checkpoint("run", samples.loop_checkpoint("run"))
        await store.delete_loop_checkpoint("run")
        reopened = await reopen()
        assert await reopened.list() == ["b"]
        assert await reopened.load_snapshot("a") is None
        assert await reopened.load_artifacts("b") == ArtifactStore()
        assert await reopened.load_loop_checkpoint("run") is None

    async def test_revisions_go_on(self, store: SessionStore, reopen: Reopen) -> None:
        """D6: The revision of a session goes on where it was, and page tokens stay valid."""
        for session_id in ("a", "b"):
            await store.save(SessionData(id=session_id))
        first = await store.list_sessions(page_size=1)
        reopened = await reopen()
        await reopened.save(SessionData(id="a"))
        assert (await reopened.list_sessions()).sessions[0].revision == first.sessions[0].revision + 1
        second = await reopened.list_sessions(page_token=first.next_page_token)
        assert [summary.id for summary in second.sessions] == ["b"]

    async def test_history_and_forks_survive(self, store: SessionStore, reopen: Reopen) -> None:
        """D7: So do past revisions, and what a fork shares with another session, also when that is deleted."""
        await store.save_snapshot(samples.snapshot("a"))
        await store.commit("a", SessionChange(messages=[Message.user("more")]))
        await store.fork("a", "b", at_revision=1)
        reopened = await reopen()
        assert_same(await reopened.load("a", revision=1), samples.session("a"))
        await reopened.delete("a")
        await reopened.commit("b", SessionChange(messages=[Message.user("other")]))
        again = await reopen()
        forked = samples.snapshot("a").fork("b")
        forked.session.parent_id = "a"
        assert_same(await again.load("b", revision=1), forked.session)
        forked.session.messages.append(Message.user("other"))
        assert_same(await again.load_snapshot("b"), forked)
