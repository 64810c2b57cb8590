"""What a store promises about whole generations: a session with all its records, saved and loaded as one."""

from typing import Any

import pytest

from sessionstore.errors import InvalidArgumentError, UnsupportedVersionError
from sessionstore.model import ArtifactStore, SessionData, SessionSnapshot, ToolArtifact
from sessionstore.store import SessionStore
from sessionstore.testing import samples
from sessionstore.testing.comparison import assert_same
from sessionstore.testing.ids import BAD_IDS
from sessionstore.testing.kinds import RECORD_KINDS, RecordKind

any_kind = pytest.mark.parametrize("kind", RECORD_KINDS, ids=str)


class SnapshotContract:
    """One generation, saved whole and loaded whole."""

    pytestmark = pytest.mark.asyncio

    async def test_saved_snapshot_loads(self, store: SessionStore) -> None:
        """H1: A snapshot loads as it was saved, all its parts."""
        await store.save_snapshot(samples.snapshot("a"))
        assert_same(await store.load_snapshot("a"), samples.snapshot("a"))

    async def test_parts_of_snapshot_load_one_by_one(self, store: SessionStore) -> None:
        """H2: After a snapshot was saved, each of its parts loads by itself, and the session is an ordinary one."""
        await store.save_snapshot(samples.snapshot("a"))
        assert_same(await store.load("a"), samples.session("a"))
        for kind in RECORD_KINDS:
            assert_same(await kind.load(store, "a"), kind.some("a"))
        assert await store.exists("a")
        assert await store.list() == ["a"]

    async def test_snapshot_replaces_everything(self, store: SessionStore) -> None:
        """H3: A snapshot replaces everything its id held; parts that it has empty are then empty, not None."""
        await store.save_snapshot(samples.snapshot("a"))
        empty = SessionSnapshot(session=SessionData(id="a"))
        await store.save_snapshot(empty)
        assert_same(await store.load_snapshot("a"), empty)
        for kind in RECORD_KINDS:
            assert await kind.load(store, "a") == kind.empty()

    async def test_unknown_snapshot_is_none(self, store: SessionStore) -> None:
        """H4: Loading a snapshot gives None when the session was not saved, also when its records were."""
        assert await store.load_snapshot("a") is None
        for kind in RECORD_KINDS:
            await kind.save(store, "a", kind.some("a"))
        assert await store.load_snapshot("a") is None

    async def test_snapshot_is_assembled_from_parts(self, store: SessionStore) -> None:
        """H5: What was saved part by part loads as a snapshot; records that were never saved are empty in it."""
        await store.save(samples.session("a"))
        assert_same(await store.load_snapshot("a"), SessionSnapshot(session=samples.session("a")))
        for kind in RECORD_KINDS:
            await kind.save(store, "a", kind.some("a"))
        assert_same(await store.load_snapshot("a"), samples.snapshot("a"))

    async def test_saving_session_keeps_rest_of_snapshot(self, store: SessionStore) -> None:
        """H6: Saving a session of which there is a snapshot replaces its session part and nothing else."""
        await store.save_snapshot(samples.snapshot("a"))
        await store.save(SessionData(id="a", created_at=1, updated_at=2))
        expected = samples.snapshot("a")
        expected.session = SessionData(id="a", created_at=1, updated_at=2)
        assert_same(await store.load_snapshot("a"), expected)

    @any_kind
    async def test_saving_records_keeps_rest_of_snapshot(self, store: SessionStore, kind: RecordKind[Any]) -> None:
        """H6: Saving records of one kind replaces that part of the snapshot and nothing else."""
        await store.save_snapshot(samples.snapshot("a"))
        await kind.save(store, "a", kind.empty())
        for other in RECORD_KINDS:
            assert_same(await other.load(store, "a"), kind.empty() if other is kind else other.some("a"))
        assert_same(await store.load("a"), samples.session("a"))

    async def test_store_remembers_what_was_a_snapshot(self, store: SessionStore) -> None:
        """H7: A session counts as a snapshot from the first save of a snapshot until it is deleted."""
        await store.save(samples.session("a"))
        assert not await store.is_snapshot("a")
        await store.save_snapshot(samples.snapshot("a"))
        await store.save(samples.session("a"))
        await store.save_trace_events("a", [])
        assert await store.is_snapshot("a")
        await store.delete("a")
        assert not await store.is_snapshot("a")
        await store.save(samples.session("a"))
        assert not await store.is_snapshot("a")

    async def test_deleting_snapshot_removes_all_parts(self, store: SessionStore) -> None:
        """H8: Deleting a session removes its snapshot with all parts."""
        await store.save_snapshot(samples.snapshot("a"))
        await store.delete("a")
        assert await store.load_snapshot("a") is None
        for kind in RECORD_KINDS:
            assert await kind.load(store, "a") is None

    @pytest.mark.parametrize("version", [0, 2, 2**32 - 1])
    async def test_other_version_is_refused(self, store: SessionStore, version: int) -> None:
        """H9: A snapshot of any version but 1 is refused, and nothing is written."""
        await store.save_snapshot(samples.snapshot("a"))
        other = SessionSnapshot(session=SessionData(id="a"), schema_version=version)
        with pytest.raises(UnsupportedVersionError) as caught:
            await store.save_snapshot(other)
        assert (caught.value.version, caught.value.supported) == (version, 1)
        assert_same(await store.load_snapshot("a"), samples.snapshot("a"))

    async def test_faulty_part_is_refused(self, store: SessionStore) -> None:
        """H10: A snapshot with two runs of one id, or other content under one uri, is refused as a whole."""
        await store.save_snapshot(samples.snapshot("a"))
        twice, conflicting = samples.snapshot("a"), samples.snapshot("a")
        twice.run_records.append(twice.run_records[0])
        conflicting.artifacts.append(conflicting.artifacts[0].model_copy(update={"content": "other"}))
        for faulty in (twice, conflicting):
            faulty.session.messages.clear()
            faulty.trace_events.clear()
            with pytest.raises(InvalidArgumentError):
                await store.save_snapshot(faulty)
        assert_same(await store.load_snapshot("a"), samples.snapshot("a"))

    async def test_equal_artifacts_count_once(self, store: SessionStore) -> None:
        """H11: An artifact that stands twice is kept once, at its first place; retained uris come back sorted."""
        snapshot = samples.snapshot("a")
        snapshot.artifacts += snapshot.artifacts
        snapshot.retained_artifact_uris = ["z", "", "a", "z"]
        await store.save_snapshot(snapshot)
        loaded = await store.load_snapshot("a")
        assert loaded is not None
        assert loaded.artifacts == samples.snapshot("a").artifacts
        assert loaded.retained_artifact_uris == ["a", "z"]

    async def test_many_artifacts_in_snapshot(self, store: SessionStore) -> None:
        """H12: A snapshot keeps all its artifacts, also more than the default limits take."""
        artifacts = [ToolArtifact.from_output("bash", str(number), 0) for number in range(257)]
        await store.save_snapshot(SessionSnapshot(session=SessionData(id="a"), artifacts=artifacts))
        loaded = await store.load_snapshot("a")
        assert loaded is not None
        assert loaded.artifacts == artifacts
        assert await store.load_artifacts("a") == ArtifactStore.from_snapshot(artifacts)

    async def test_fork_is_a_session_of_its_own(self, store: SessionStore) -> None:
        """H13: A loaded snapshot keeps its invariants, and its fork is saved beside it."""
        await store.save_snapshot(samples.snapshot("a"))
        loaded = await store.load_snapshot("a")
        assert loaded is not None
        fork = loaded.fork("b", "/workspace/b")
        await store.save_snapshot(fork)
        assert_same(await store.load_snapshot("b"), fork)
        assert_same(await store.load_snapshot("a"), samples.snapshot("a"))

    @pytest.mark.parametrize("bad_id", BAD_IDS.values(), ids=BAD_IDS)
    async def test_snapshot_of_bad_id_is_refused(self, store: SessionStore, bad_id: str) -> None:
        """H14: The id of a snapshot is refused under the same rules as that of a session."""
        for operation in (store.load_snapshot, store.is_snapshot):
            with pytest.raises(InvalidArgumentError) as caught:
                await operation(bad_id)
            assert caught.value.field == "session_id"
        if bad_id != BAD_IDS["surrogate"]:
            with pytest.raises(InvalidArgumentError):
                await store.save_snapshot(SessionSnapshot(session=SessionData(id=bad_id)))
        assert await store.list() == []
