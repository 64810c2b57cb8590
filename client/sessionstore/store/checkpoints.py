"""Checkpoints of loops and workflows."""

import builtins

from sessionstore.model import LoopCheckpoint, WorkflowCheckpoint
from sessionstore.store.base import StoreBase


class CheckpointOperations(StoreBase):
    """A checkpoint of a schema version above 1 may be saved; loading it is an UnsupportedVersionError."""

    async def save_loop_checkpoint(
        self, run_id: str, checkpoint: LoopCheckpoint, *, expected_revision: int | None = None
    ) -> int:
        """Replace the checkpoint of a run. Errors: InvalidArgumentError unless `checkpoint.run_id` is `run_id`."""
        self._refuse("save_loop_checkpoint")

    async def load_loop_checkpoint(self, run_id: str) -> LoopCheckpoint | None:
        """Return the checkpoint of a run, or None.

        Errors: UnsupportedVersionError; InvalidArgumentError for a bad binding.
        """

    async def delete_loop_checkpoint(self, run_id: str) -> None:
        """Remove the checkpoint of a run."""

    async def list_loop_checkpoints(self) -> builtins.list[str]:
        """Return the ids of all runs that have a checkpoint, sorted by their UTF-8 bytes."""
        return []

    async def save_workflow_checkpoint(
        self, workflow_id: str, checkpoint: WorkflowCheckpoint, *, expected_revision: int | None = None
    ) -> int:
        """Replace the checkpoint of a workflow.

        Errors: InvalidArgumentError unless `checkpoint.workflow_id` is `workflow_id`.
        """
        self._refuse("save_workflow_checkpoint")

    async def load_workflow_checkpoint(self, workflow_id: str) -> WorkflowCheckpoint | None:
        """Return the checkpoint of a workflow, or None.

        Errors: UnsupportedVersionError; InvalidArgumentError for a bad step.
        """

    async def delete_workflow_checkpoint(self, workflow_id: str) -> None:
        """Remove the checkpoint of a workflow."""

    async def list_workflow_checkpoints(self) -> builtins.list[str]:
        """Return the ids of all workflows that have a checkpoint, sorted by their UTF-8 bytes."""
        return []
