"""What a store promises about checkpoints of loops and of workflows."""

from typing import Any

import pytest

from sessionstore.errors import InvalidArgumentError, UnsupportedVersionError
from sessionstore.store import SessionStore
from sessionstore.testing import samples
from sessionstore.testing.comparison import assert_same
from sessionstore.testing.ids import BAD_IDS, ODD_IDS
from sessionstore.testing.kinds import CHECKPOINT_KINDS, CheckpointKind

any_kind = pytest.mark.parametrize("kind", CHECKPOINT_KINDS, ids=str)


class CheckpointContract:
    """One checkpoint per run and per workflow."""

    pytestmark = pytest.mark.asyncio

    @any_kind
    async def test_saved_checkpoint_loads(self, store: SessionStore, kind: CheckpointKind[Any]) -> None:
        """P1: A checkpoint loads as it was saved; it needs no session."""
        await kind.save(store, "a", kind.some("a"))
        assert_same(await kind.load(store, "a"), kind.some("a"))

    @any_kind
    async def test_unknown_checkpoint_is_none(self, store: SessionStore, kind: CheckpointKind[Any]) -> None:
        """P2: A checkpoint that was never saved is None."""
        await kind.save(store, "a", kind.some("a"))
        assert await kind.load(store, "b") is None

    @any_kind
    async def test_saving_again_replaces_checkpoint(self, store: SessionStore, kind: CheckpointKind[Any]) -> None:
        """P3: Saving again replaces the whole checkpoint."""
        await kind.save(store, "a", kind.some("a"))
        later = kind.other("a")
        await kind.save(store, "a", later)
        assert_same(await kind.load(store, "a"), later)

    @any_kind
    async def test_deleted_checkpoint_is_gone(self, store: SessionStore, kind: CheckpointKind[Any]) -> None:
        """P4: A deleted checkpoint is None; deleting one that is missing succeeds; the others stay."""
        for checkpoint_id in ("a", "b"):
            await kind.save(store, checkpoint_id, kind.some(checkpoint_id))
        for _ in range(2):
            await kind.delete(store, "a")
        assert await kind.load(store, "a") is None
        assert_same(await kind.load(store, "b"), kind.some("b"))

    @any_kind
    async def test_checkpoint_ids_are_listed(self, store: SessionStore, kind: CheckpointKind[Any]) -> None:
        """P5: All ids that have a checkpoint of the kind are listed, sorted by UTF-8 bytes; any id is possible."""
        assert await kind.list(store) == []
        for checkpoint_id in ODD_IDS:
            await kind.save(store, checkpoint_id, kind.some(checkpoint_id))
        assert await kind.list(store) == sorted(ODD_IDS, key=str.encode)
        for checkpoint_id in ODD_IDS:
            assert await kind.load(store, checkpoint_id) == kind.some(checkpoint_id)

    async def test_kinds_of_checkpoints_are_apart(self, store: SessionStore) -> None:
        """P6: A run, a workflow and a session of one id have nothing to do with each other."""
        await store.save(samples.session("a"))
        await store.save_loop_checkpoint("a", samples.loop_checkpoint("a", "a"))
        assert await store.load_workflow_checkpoint("a") is None
        await store.save_workflow_checkpoint("a", samples.workflow_checkpoint("a"))
        await store.delete_loop_checkpoint("a")
        assert_same(await store.load_workflow_checkpoint("a"), samples.workflow_checkpoint("a"))
        assert await store.list() == ["a"]

    async def test_checkpoints_outlive_their_session(self, store: SessionStore) -> None:
        """P7: Deleting a session leaves the checkpoints of its runs."""
        await store.save(samples.session("a"))
        await store.save_loop_checkpoint("run", samples.loop_checkpoint("run", "a"))
        await store.delete("a")
        assert_same(await store.load_loop_checkpoint("run"), samples.loop_checkpoint("run", "a"))

    @any_kind
    async def test_checkpoint_of_another_is_refused(self, store: SessionStore, kind: CheckpointKind[Any]) -> None:
        """P8: A checkpoint that names another run or workflow is refused on save, and nothing is written."""
        await kind.save(store, "a", kind.some("a"))
        with pytest.raises(InvalidArgumentError) as caught:
            await kind.save(store, "a", kind.some("b"))
        assert caught.value.field == f"checkpoint.{kind.id_field}"
        assert_same(await kind.load(store, "a"), kind.some("a"))

    @any_kind
    async def test_newer_version_is_saved_but_not_loaded(self, store: SessionStore, kind: CheckpointKind[Any]) -> None:
        """P9: A checkpoint of a version above 1 is saved and listed, but refused on load."""
        await kind.save(store, "a", kind.some("a").model_copy(update={"schema_version": 2}))
        assert await kind.list(store) == ["a"]
        with pytest.raises(UnsupportedVersionError) as caught:
            await kind.load(store, "a")
        assert (caught.value.version, caught.value.supported) == (2, 1)

    @any_kind
    async def test_version_0_loads(self, store: SessionStore, kind: CheckpointKind[Any]) -> None:
        """P9: A checkpoint of version 0 loads, and stays at version 0."""
        old = kind.some("a").model_copy(update={"schema_version": 0})
        await kind.save(store, "a", old)
        assert_same(await kind.load(store, "a"), old)

    async def test_loop_with_bad_binding_is_not_loaded(self, store: SessionStore) -> None:
        """P10: A loop checkpoint whose capability binding is not sound is refused on load, naming the field."""
        checkpoint = samples.loop_checkpoint("a")
        assert checkpoint.capability_binding is not None
        binding = checkpoint.capability_binding.model_copy(update={"catalog_digest": "sha256:short"})
        await store.save_loop_checkpoint("a", checkpoint.model_copy(update={"capability_binding": binding}))
        with pytest.raises(InvalidArgumentError) as caught:
            await store.load_loop_checkpoint("a")
        assert "capability_binding.catalog_digest" in caught.value.field

    async def test_workflow_with_bad_step_is_not_loaded(self, store: SessionStore) -> None:
        """P10: A workflow checkpoint with a step that is not sound is refused on load, naming the field."""
        checkpoint = samples.workflow_checkpoint("a")
        first, second = checkpoint.steps
        steps = (first, second.model_copy(update={"task_id": "other"}))
        await store.save_workflow_checkpoint("a", checkpoint.model_copy(update={"steps": steps}))
        with pytest.raises(InvalidArgumentError) as caught:
            await store.load_workflow_checkpoint("a")
        assert "steps[1].outcome.task_id" in caught.value.field

    @pytest.mark.parametrize("bad_id", BAD_IDS.values(), ids=BAD_IDS)
    @any_kind
    async def test_checkpoint_of_bad_id_is_refused(
        self, store: SessionStore, kind: CheckpointKind[Any], bad_id: str
    ) -> None:
        """P11: The id of a run or workflow is refused under the same rules as that of a session."""
        for operation in (kind.load, kind.delete):
            with pytest.raises(InvalidArgumentError) as caught:
                await operation(store, bad_id)
            assert caught.value.field == kind.id_field
