"""What every store promises about what it keeps: it says so, keeps it, and refuses the rest."""

import io
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest

from sessionstore.errors import UnsupportedOperationError
from sessionstore.model import SessionData, SessionSnapshot
from sessionstore.store import Capabilities, Lease, SessionChange, SessionStore
from sessionstore.testing import samples
from sessionstore.testing.comparison import assert_same
from sessionstore.testing.kinds import CHECKPOINT_KINDS, RECORD_KINDS, CheckpointKind, RecordKind
from sessionstore.testing.run_records import text_events

R = TypeVar("R")

_OTHER = SessionData(id="a", model_name="other")
_CONDITIONAL_CALLS: Sequence[Callable[[SessionStore], Awaitable[object]]] = (
    lambda store: store.save(_OTHER, expected_revision=0),
    lambda store: store.delete("a", expected_revision=0),
    lambda store: store.save_trace_events("a", [], expected_revision=0),
    lambda store: store.update("a", lambda _: _OTHER),
)

_LEASE = Lease("a", "me", 1, datetime.now(UTC), datetime.now(UTC))
_OPTIONAL_CALLS: Mapping[str, Mapping[str, Callable[[SessionStore], Awaitable[object]]]] = {
    "revisions": {
        "commit": lambda store: store.commit("a", SessionChange(session=_OTHER)),
        "revision": lambda store: store.load("a", revision=1),
        "list_revisions": lambda store: store.list_revisions("a"),
        "fork": lambda store: store.fork("a", "b"),
    },
    "append_only_event_log": {
        "append_trace_events": lambda store: anext(store.append_trace_events("a", _batches(samples.trace_events()))),
        "append_run_events": lambda store: anext(store.append_run_events("a", "run", _batches(text_events(1)))),
        "read_trace_events": lambda store: store.read_trace_events("a"),
        "read_run_events": lambda store: store.read_run_events("a", "run"),
        "follow_trace_events": lambda store: anext(store.follow_trace_events("a")),
        "follow_run_events": lambda store: anext(store.follow_run_events("a", "run")),
    },
    "reference_aware_artifact_gc": {
        "list_artifacts": lambda store: store.list_artifacts("a"),
        "find_missing_blobs": lambda store: store.find_missing_blobs(["0" * 64]),
        "write_blob": lambda store: store.write_blob(io.BytesIO(b"words")),
        "read_blob": lambda store: anext(store.read_blob("0" * 64)),
    },
    "lease_fencing": {
        "acquire_lease": lambda store: store.acquire_lease("a", "me", 60.0),
        "renew_lease": lambda store: store.renew_lease(_LEASE, 60.0),
        "release_lease": lambda store: store.release_lease(_LEASE),
        "list_leases": lambda store: anext(store.list_leases()),
        "lease_epoch": lambda store: store.save(_OTHER, lease_epoch=1),
    },
    "watch": {"watch": lambda store: anext(store.watch())},
}
"""By capability: the operations, and conditions, that a store offers with it."""

_FIRST_STEPS = {"write_blob": "find_missing_blobs"}
"""Operations that a remote store makes of others, and which of these comes first."""


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

    @pytest.mark.parametrize("capability", _OPTIONAL_CALLS)
    async def test_operations_are_offered_or_refused(self, store: SessionStore, capability: str) -> None:
        """B10: An operation that a store does not offer is an UnsupportedOperationError, and nothing is written."""
        await store.save(samples.session("a"))
        if getattr(await store.capabilities(), capability):
            return
        for operation, call in _OPTIONAL_CALLS[capability].items():
            with pytest.raises(UnsupportedOperationError) as caught:
                await call(store)
            assert caught.value.operation in (operation, _FIRST_STEPS.get(operation))
        assert_same(await store.load("a"), samples.session("a"))
        assert await store.list() == ["a"]

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


async def _batches(records: Sequence[R]) -> AsyncIterator[Sequence[R]]:
    yield records
