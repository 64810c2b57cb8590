"""The kinds of things that are kept beside sessions, so that a promise about all of them is written once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sessionstore.model import ArtifactStore, LoopCheckpoint, TokenUsage, WorkflowCheckpoint
from sessionstore.store import Capabilities, SessionStore
from sessionstore.testing import samples

R = TypeVar("R")


@dataclass(frozen=True)
class RecordKind(Generic[R]):
    """One kind of records. `name` is that of its capability, and of its two methods behind `save_` and `load_`."""

    name: str
    some: Callable[[str], R]
    """Makes the records of a session of that id."""
    shortened: Callable[[R], R]
    """Returns the records without the first."""
    empty: Callable[[], R]

    def __str__(self) -> str:
        return self.name

    def is_kept(self, capabilities: Capabilities) -> bool:
        """Tell whether a store that says so keeps them."""
        kept: bool = getattr(capabilities, self.name)
        return kept

    async def save(self, store: SessionStore, session_id: str, records: R, expected: int | None = None) -> int:
        """Replace the records of a session."""
        saved: int = await getattr(store, f"save_{self.name}")(session_id, records, expected_revision=expected)
        return saved

    async def load(self, store: SessionStore, session_id: str) -> R | None:
        """Load the records of a session."""
        records: R | None = await getattr(store, f"load_{self.name}")(session_id)
        return records


def _without_first(records: Sequence[Any]) -> list[Any]:
    return list(records)[1:]


def _without_oldest(artifacts: ArtifactStore) -> ArtifactStore:
    return ArtifactStore.from_snapshot(_without_first(tuple(artifacts)))


RECORD_KINDS: Sequence[RecordKind[Any]] = (
    RecordKind("artifacts", lambda _: samples.artifacts(), _without_oldest, ArtifactStore),
    RecordKind("trace_events", lambda _: samples.trace_events(), _without_first, list),
    RecordKind("run_records", samples.run_records, _without_first, list),
    RecordKind("verification_reports", lambda _: samples.verification_reports(), _without_first, list),
    RecordKind("subagent_tasks", samples.subagent_tasks, _without_first, list),
)


@dataclass(frozen=True)
class CheckpointKind(Generic[R]):
    """One kind of checkpoints. `name` is what its methods have behind `save_`, `load_`, `delete_` and `list_`."""

    name: str
    id_field: str
    some: Callable[[str], R]
    """Makes the checkpoint of that id."""
    other: Callable[[str], R]
    """Makes another checkpoint of that id, which lacks most of what `some` has."""

    def __str__(self) -> str:
        return self.name

    async def save(self, store: SessionStore, checkpoint_id: str, checkpoint: R, expected: int | None = None) -> int:
        """Replace the checkpoint of that id."""
        saved: int = await getattr(store, f"save_{self.name}")(checkpoint_id, checkpoint, expected_revision=expected)
        return saved

    async def load(self, store: SessionStore, checkpoint_id: str) -> R | None:
        """Load the checkpoint of that id."""
        checkpoint: R | None = await getattr(store, f"load_{self.name}")(checkpoint_id)
        return checkpoint

    async def delete(self, store: SessionStore, checkpoint_id: str) -> None:
        """Remove the checkpoint of that id."""
        await getattr(store, f"delete_{self.name}")(checkpoint_id)

    async def list(self, store: SessionStore) -> list[str]:
        """List the ids."""
        ids: list[str] = await getattr(store, f"list_{self.name}s")()
        return ids


def _new_loop(run_id: str) -> LoopCheckpoint:
    return LoopCheckpoint(
        run_id=run_id, session_id="", turn=0, messages=(), total_usage=TokenUsage(), tool_calls_count=0, checkpoint_ms=0
    )


def _new_workflow(workflow_id: str) -> WorkflowCheckpoint:
    return WorkflowCheckpoint(workflow_id=workflow_id, steps=(), checkpoint_ms=0)


CHECKPOINT_KINDS: Sequence[CheckpointKind[Any]] = (
    CheckpointKind("loop_checkpoint", "run_id", samples.loop_checkpoint, _new_loop),
    CheckpointKind("workflow_checkpoint", "workflow_id", samples.workflow_checkpoint, _new_workflow),
)
