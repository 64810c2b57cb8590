"""What every store promises about what it keeps: it says so, keeps it, and refuses the rest."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from sessionstore.errors import UnsupportedOperationError
from sessionstore.model import SessionData, SessionSnapshot
from sessionstore.store import Capabilities, SessionStore
from sessionstore.testing import samples
from sessionstore.testing.comparison import assert_same
from sessionstore.testing.kinds import CHECKPOINT_KINDS, RECORD_KINDS, CheckpointKind, RecordKind

_OTHER = SessionData(id="a", model_name="other")
_CONDITIONAL_CALLS: Sequence[Callable[[SessionStore], Awaitable[object]]] = (
    lambda store: store.save(_OTHER, expected_revision=0),
    lambda store: store.delete("a", expected_revision=0),
    lambda store: store.save_trace_events("a", [], expected_revision=0),
    lambda store: store.update("a", lambda _: _OTHER),
)


class CapabilityContract:
    """Kept or refused, never dropped."""

    pytestmark = pytest.mark.asyncio

    async def test_store_has_a_name(self, store: SessionStore) -> None:
        """B1: A store has a name for people, and the same one all the time."""
        name = store.backend_name
        await store.save(samples.session("a"))
        assert name
        assert store.backend_name == name

    async def test_healthy_store_says_so(self, store: SessionStore) -> None:
        """B2: The health check of a store that works returns, and leaves nothing behind."""
        await store.health_check()
        assert await store.list() == []

    async def test_nothing_is_promised_by_default(self) -> None:
        """B3: Nothing is promised unless it is said: every capability is False by default."""
        defaults = Capabilities()
        assert not any(getattr(defaults, name) for name in Capabilities.__slots__)

    @pytest.mark.parametrize("kind", RECORD_KINDS, ids=str)
    async def test_records_are_kept_or_refused(self, store: SessionStore, kind: RecordKind[Any]) -> None:
        """B4: Records of a kind are kept if the store says so, else refused, and then nothing is written."""
        await store.save(samples.session("a"))
        if kind.is_kept(await store.capabilities()):
            await kind.save(store, "a", kind.some("a"))
            assert_same(await kind.load(store, "a"), kind.some("a"))
            return
        with pytest.raises(UnsupportedOperationError) as caught:
            await kind.save(store, "a", kind.some("a"))
        assert caught.value.operation == f"save_{kind.name}"
        assert await kind.load(store, "a") is None
        assert_same(await store.load("a"), samples.session("a"))

    @pytest.mark.parametrize("kind", RECORD_KINDS, ids=str)
    async def test_saving_no_records_succeeds(self, store: SessionStore, kind: RecordKind[Any]) -> None:
        """B5: Saving an empty list loses nothing, so every store takes it; it loads empty or as None."""
        await kind.save(store, "a", kind.empty())
        kept = kind.is_kept(await store.capabilities())
        assert await kind.load(store, "a") == (kind.empty() if kept else None)

    async def test_snapshots_are_kept_or_refused(self, store: SessionStore) -> None:
        """B6: A snapshot is kept whole if the store says so, else refused whole: none of its parts is written."""
        if (await store.capabilities()).snapshots:
            await store.save_snapshot(samples.snapshot("a"))
            assert_same(await store.load_snapshot("a"), samples.snapshot("a"))
            return
        with pytest.raises(UnsupportedOperationError) as caught:
            await store.save_snapshot(samples.snapshot("a"))
        assert caught.value.operation == "save_snapshot"
        assert await store.list() == []

    async def test_every_session_loads_as_snapshot(self, store: SessionStore) -> None:
        """B7: Any store hands out a session as a snapshot, in which records that it does not keep are empty."""
        assert await store.load_snapshot("a") is None
        await store.save(samples.session("a"))
        assert_same(await store.load_snapshot("a"), SessionSnapshot(session=samples.session("a")))
        assert not await store.is_snapshot("a")

    async def test_expectations_are_met_or_refused(self, store: SessionStore) -> None:
        """B9: A write that depends on a revision is refused by a store without revisions, never made regardless."""
        if (await store.capabilities()).revisions:
            assert await store.save(samples.session("a"), expected_revision=0) == 1
            return
        assert await store.save(samples.session("a")) == 0
        for call in _CONDITIONAL_CALLS:
            with pytest.raises(UnsupportedOperationError):
                await call(store)
        assert_same(await store.load("a"), samples.session("a"))

    @pytest.mark.parametrize("kind", CHECKPOINT_KINDS, ids=str)
    async def test_checkpoints_are_kept_or_refused(self, store: SessionStore, kind: CheckpointKind[Any]) -> None:
        """B8: Checkpoints are kept if the store says so, else refused; loading and deleting none always succeeds."""
        assert await kind.load(store, "a") is None
        await kind.delete(store, "a")
        assert await kind.list(store) == []
        if (await store.capabilities()).checkpoints:
            await kind.save(store, "a", kind.some("a"))
            assert_same(await kind.load(store, "a"), kind.some("a"))
            return
        with pytest.raises(UnsupportedOperationError) as caught:
            await kind.save(store, "a", kind.some("a"))
        assert caught.value.operation == f"save_{kind.name}"
        assert await kind.load(store, "a") is None
