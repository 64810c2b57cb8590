"""What every store promises about objects in the hands of callers: nothing is shared."""

import pytest

from sessionstore.model import ArtifactStore, Message, SessionData, SessionLane, SessionSnapshot
from sessionstore.store import SessionStore
from sessionstore.testing import samples
from sessionstore.testing.comparison import assert_same


class SessionIsolationContract:
    """A session in the hands of a caller is a copy."""

    pytestmark = pytest.mark.asyncio

    async def test_editing_after_save_changes_nothing(self, store: SessionStore) -> None:
        """N1: What is done to a session after it was saved, at any depth, does not change what is stored."""
        session = samples.session("a")
        await store.save(session)
        _edit(session)
        assert_same(await store.load("a"), samples.session("a"))

    async def test_editing_after_load_changes_nothing(self, store: SessionStore) -> None:
        """N2: What is done to a loaded session, at any depth, does not change what is stored."""
        await store.save(samples.session("a"))
        loaded = await store.load("a")
        assert loaded is not None
        _edit(loaded)
        assert_same(await store.load("a"), samples.session("a"))

    async def test_editing_the_list_changes_nothing(self, store: SessionStore) -> None:
        """N2: What is done to a list of ids does not change what is stored."""
        await store.save(samples.session("a"))
        (await store.list()).clear()
        assert await store.list() == ["a"]


class RecordIsolationContract:
    """So are the records of a session."""

    pytestmark = pytest.mark.asyncio

    async def test_editing_records_changes_nothing(self, store: SessionStore) -> None:
        """N3: What is done to a list of records, before or after it is loaded, does not change what is stored."""
        events = samples.trace_events()
        await store.save_trace_events("a", events)
        events.clear()
        loaded = await store.load_trace_events("a")
        assert loaded is not None
        loaded.pop()
        assert_same(await store.load_trace_events("a"), samples.trace_events())

    async def test_editing_artifacts_changes_nothing(self, store: SessionStore) -> None:
        """N3: What is done to a store of artifacts, before or after it is loaded, does not change what is stored."""
        artifacts = samples.artifacts()
        await store.save_artifacts("a", artifacts)
        _empty(artifacts)
        loaded = await store.load_artifacts("a")
        assert loaded is not None
        _empty(loaded)
        assert_same(await store.load_artifacts("a"), samples.artifacts())

    async def test_editing_a_snapshot_changes_nothing(self, store: SessionStore) -> None:
        """N4: What is done to a snapshot, before or after it is loaded, does not change what is stored."""
        snapshot = samples.snapshot("a")
        await store.save_snapshot(snapshot)
        _edit_snapshot(snapshot)
        loaded = await store.load_snapshot("a")
        assert loaded is not None
        _edit_snapshot(loaded)
        assert_same(await store.load_snapshot("a"), samples.snapshot("a"))


def _edit(session: SessionData) -> None:
    """Change a session in every place where it can be changed."""
    session.messages.append(Message.user("added"))
    session.tool_names.clear()
    session.tasks.pop()
    session.cost_records[0].cost_usd = 0.0
    session.context_usage.turns += 1
    session.config.name = "edited"
    queue, security = session.config.queue_config, session.config.security_config
    assert queue is not None
    assert security is not None
    queue.lane_handlers[SessionLane.EXECUTE].timeout_ms = 1
    queue.lane_timeouts.clear()
    security.classification_rules.append("added")
    security.network_whitelist.clear()
    session.id = "edited"


def _empty(artifacts: ArtifactStore) -> None:
    artifacts.set_retained(())
    artifacts.collect_garbage()


def _edit_snapshot(snapshot: SessionSnapshot) -> None:
    _edit(snapshot.session)
    for records in (
        snapshot.artifacts,
        snapshot.retained_artifact_uris,
        snapshot.trace_events,
        snapshot.run_records,
        snapshot.verification_reports,
        snapshot.subagent_tasks,
    ):
        records.clear()
