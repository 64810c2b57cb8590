"""Checkpoints of loops and of workflows. Each kind is a collection of its own; a checkpoint outlives its session."""

from typing import Any

from google.protobuf.message import Message

from sessionstore.errors import InvalidArgumentError
from sessionstore.transport import Method
from sessionstore.wire import methods
from sessionstore.wire.records import LOOP_CHECKPOINT, WORKFLOW_CHECKPOINT
from sessionstore_server.backends.base import Backend, Change, Key, Summary
from sessionstore_server.backends.checks import check_part
from sessionstore_server.services.checks import AnyCodec, checked, parsed
from sessionstore_server.services.handlers import Caller, HandlerTable
from sessionstore_server.services.keys import CHECKPOINT, LOOP_CHECKPOINTS, WORKFLOW_CHECKPOINTS
from sessionstore_server.services.pages import list_page
from sessionstore_server.services.responses import with_records
from sessionstore_server.services.writes import commit, delete


class CheckpointService:
    """Answers the calls of one kind of checkpoint; `id_field` is the field that names whose checkpoint it is."""

    def __init__(
        self,
        backend: Backend,
        collection: str,
        codec: AnyCodec,
        id_field: str,
        save: Method[Any, Any],
        load: Method[Any, Any],
        delete: Method[Any, Any],
        list_: Method[Any, Any],
    ) -> None:
        self._backend, self._collection, self._codec, self._id_field = backend, collection, codec, id_field
        self._save, self._load, self._delete, self._list = save, load, delete, list_

    def handlers(self) -> HandlerTable:
        """Return what answers which method."""
        return {self._save: self.save, self._load: self.load, self._delete: self.delete, self._list: self.list}

    async def save(self, request: Any, caller: Caller) -> Message:  # noqa: ANN401 - the request of its method
        """Replace a checkpoint."""
        key = self._key(request, caller)
        check_owner(request.checkpoint, self._id_field, key.id)
        record = checked(self._codec, "checkpoint", request.checkpoint)
        change = Change(documents={CHECKPOINT: record}, summary=Summary())
        response: Message = await commit(self._backend, key, change, request, self._save.response)
        return response

    async def load(self, request: Any, caller: Caller) -> bytes:  # noqa: ANN401 - the request of its method
        """Return a checkpoint that may be resumed; an empty response when there is none."""
        key = self._key(request, caller)
        view = await self._backend.read(key, documents=(CHECKPOINT,))
        if view is None:
            return b""
        record = view.documents[CHECKPOINT]
        parsed(self._codec, "checkpoint", self._codec.message_class.FromString(record)).check_loadable(key.id)
        return with_records(self._load.response(revision=view.revision), checkpoint=[record])

    async def delete(self, request: Any, caller: Caller) -> Message:  # noqa: ANN401 - the request of its method
        """Remove a checkpoint."""
        existed = await delete(self._backend, self._key(request, caller), request)
        response: Message = self._delete.response(existed=existed)
        return response

    async def list(self, request: Any, caller: Caller) -> Message:  # noqa: ANN401 - the request of its method
        """Return a page of the ids that have a checkpoint."""
        page = await list_page(self._backend, caller, self._collection, request.page_size, request.page_token)
        response: Message = self._list.response(next_page_token=page.next_page_token)
        getattr(response, f"{self._id_field}s").extend(entry.id for entry in page.entries)
        return response

    def _key(self, request: Any, caller: Caller) -> Key:  # noqa: ANN401 - any of the requests
        record_id: str = getattr(request, self._id_field)
        check_part(self._id_field, record_id)
        return Key(caller.namespace, self._collection, record_id)


def check_owner(checkpoint: Message, id_field: str, record_id: str) -> None:
    """Refuse a checkpoint that belongs to another run or workflow than `record_id`."""
    if getattr(checkpoint, id_field) != record_id:
        raise InvalidArgumentError(field=f"checkpoint.{id_field}", problem=f"must be {record_id!r} as in the request")


def loop_checkpoint_service(backend: Backend) -> CheckpointService:
    """Answer the loop checkpoint calls of `sessionstore.v1.CheckpointService`."""
    return CheckpointService(
        backend,
        LOOP_CHECKPOINTS,
        LOOP_CHECKPOINT,
        "run_id",
        methods.SAVE_LOOP_CHECKPOINT,
        methods.LOAD_LOOP_CHECKPOINT,
        methods.DELETE_LOOP_CHECKPOINT,
        methods.LIST_LOOP_CHECKPOINTS,
    )


def workflow_checkpoint_service(backend: Backend) -> CheckpointService:
    """Answer the workflow checkpoint calls of `sessionstore.v1.CheckpointService`."""
    return CheckpointService(
        backend,
        WORKFLOW_CHECKPOINTS,
        WORKFLOW_CHECKPOINT,
        "workflow_id",
        methods.SAVE_WORKFLOW_CHECKPOINT,
        methods.LOAD_WORKFLOW_CHECKPOINT,
        methods.DELETE_WORKFLOW_CHECKPOINT,
        methods.LIST_WORKFLOW_CHECKPOINTS,
    )
