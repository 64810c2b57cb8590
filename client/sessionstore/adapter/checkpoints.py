"""Checkpoints."""

import builtins

from typing_extensions import override

from sessionstore.adapter.calls import Calls, Conditions
from sessionstore.model import LoopCheckpoint, WorkflowCheckpoint
from sessionstore.store.checkpoints import CheckpointOperations
from sessionstore.wire import methods, records


class CheckpointCalls(Calls, CheckpointOperations):
    """`CheckpointOperations` as calls."""

    @override
    async def save_loop_checkpoint(
        self, run_id: str, checkpoint: LoopCheckpoint, *, expected_revision: int | None = None
    ) -> int:
        sent = records.LOOP_CHECKPOINT.to_proto(checkpoint)
        return await self._save_for(
            methods.SAVE_LOOP_CHECKPOINT, Conditions(expected_revision), run_id=run_id, checkpoint=sent
        )

    @override
    async def load_loop_checkpoint(self, run_id: str) -> LoopCheckpoint | None:
        response = await self._read(methods.LOAD_LOOP_CHECKPOINT, run_id=run_id)
        if not response.HasField("checkpoint"):
            return None
        return records.LOOP_CHECKPOINT.from_proto(response.checkpoint)

    @override
    async def delete_loop_checkpoint(self, run_id: str) -> None:
        await self._write(methods.DELETE_LOOP_CHECKPOINT, Conditions(), run_id=run_id)

    @override
    async def list_loop_checkpoints(self) -> builtins.list[str]:
        pages = self._pages(methods.LIST_LOOP_CHECKPOINTS)
        return [run_id async for page in pages for run_id in page.run_ids]

    @override
    async def save_workflow_checkpoint(
        self, workflow_id: str, checkpoint: WorkflowCheckpoint, *, expected_revision: int | None = None
    ) -> int:
        sent = records.WORKFLOW_CHECKPOINT.to_proto(checkpoint)
        return await self._save_for(
            methods.SAVE_WORKFLOW_CHECKPOINT, Conditions(expected_revision), workflow_id=workflow_id, checkpoint=sent
        )

    @override
    async def load_workflow_checkpoint(self, workflow_id: str) -> WorkflowCheckpoint | None:
        response = await self._read(methods.LOAD_WORKFLOW_CHECKPOINT, workflow_id=workflow_id)
        if not response.HasField("checkpoint"):
            return None
        return records.WORKFLOW_CHECKPOINT.from_proto(response.checkpoint)

    @override
    async def delete_workflow_checkpoint(self, workflow_id: str) -> None:
        await self._write(methods.DELETE_WORKFLOW_CHECKPOINT, Conditions(), workflow_id=workflow_id)

    @override
    async def list_workflow_checkpoints(self) -> builtins.list[str]:
        pages = self._pages(methods.LIST_WORKFLOW_CHECKPOINTS)
        return [workflow_id async for page in pages for workflow_id in page.workflow_ids]
