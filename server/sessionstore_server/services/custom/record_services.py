"""The records and checkpoints of any `SessionStore`, as services; see `custom`."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, NamedTuple

from google.protobuf.message import Message

from sessionstore.errors import UnsupportedOperationError
from sessionstore.model import ArtifactStore
from sessionstore.pages import PagePosition, page_limit, page_position, page_token_after
from sessionstore.store import SessionStore
from sessionstore.transport import Method
from sessionstore.v1 import artifact_pb2
from sessionstore.wire import methods, records
from sessionstore_server.backends.checks import check_part
from sessionstore_server.services.checks import AnyCodec, parsed, parsed_all
from sessionstore_server.services.handlers import Caller, Handler, HandlerTable
from sessionstore_server.services.records.checkpoint import check_owner

AnyMethod = Method[Any, Any]


class _RecordCalls(NamedTuple):
    codec: AnyCodec
    save: AnyMethod
    load: AnyMethod


class _CheckpointCalls(NamedTuple):
    id_field: str
    codec: AnyCodec
    save: AnyMethod
    load: AnyMethod
    delete: AnyMethod
    list: AnyMethod


# The keys are the names that the kinds have in the methods of a store, such as `save_trace_events`.
_RECORDS = {
    "trace_events": _RecordCalls(records.TRACE_EVENT, methods.SAVE_TRACE_EVENTS, methods.LOAD_TRACE_EVENTS),
    "run_records": _RecordCalls(records.RUN_RECORD, methods.SAVE_RUN_RECORDS, methods.LOAD_RUN_RECORDS),
    "verification_reports": _RecordCalls(
        records.VERIFICATION_REPORT, methods.SAVE_VERIFICATION_REPORTS, methods.LOAD_VERIFICATION_REPORTS
    ),
    "subagent_tasks": _RecordCalls(records.SUBAGENT_TASK, methods.SAVE_SUBAGENT_TASKS, methods.LOAD_SUBAGENT_TASKS),
}
_CHECKPOINTS = {
    "loop_checkpoint": _CheckpointCalls(
        "run_id",
        records.LOOP_CHECKPOINT,
        methods.SAVE_LOOP_CHECKPOINT,
        methods.LOAD_LOOP_CHECKPOINT,
        methods.DELETE_LOOP_CHECKPOINT,
        methods.LIST_LOOP_CHECKPOINTS,
    ),
    "workflow_checkpoint": _CheckpointCalls(
        "workflow_id",
        records.WORKFLOW_CHECKPOINT,
        methods.SAVE_WORKFLOW_CHECKPOINT,
        methods.LOAD_WORKFLOW_CHECKPOINT,
        methods.DELETE_WORKFLOW_CHECKPOINT,
        methods.LIST_WORKFLOW_CHECKPOINTS,
    ),
}


class RecordServices:
    """Answers the calls of every kind of record and checkpoint by calls of `store`."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store

    def handlers(self) -> HandlerTable:
        """Return what answers which method."""
        table: dict[AnyMethod, Handler] = {
            methods.SAVE_ARTIFACTS: self._save_artifacts,
            methods.LOAD_ARTIFACTS: self._load_artifacts,
        }
        for kind, calls in _RECORDS.items():
            table[calls.save] = partial(self._save_records, kind)
            table[calls.load] = partial(self._load_records, kind)
        for kind, checkpoint_calls in _CHECKPOINTS.items():
            table[checkpoint_calls.save] = partial(self._save_checkpoint, kind)
            table[checkpoint_calls.load] = partial(self._load_checkpoint, kind)
            table[checkpoint_calls.delete] = partial(self._delete_checkpoint, kind)
            table[checkpoint_calls.list] = partial(self._list_checkpoints, kind)
        return table

    async def _save_artifacts(
        self, request: artifact_pb2.SaveArtifactsRequest, _: Caller
    ) -> artifact_pb2.SaveArtifactsResponse:
        refuse_conditions(self._store, request)
        manifest = parsed(records.ARTIFACT_MANIFEST, "manifest", request.manifest)
        if manifest.artifacts or manifest.retained_uris:
            await refuse_unless_kept(self._store, "artifacts", "save_artifacts")
        artifacts = ArtifactStore.from_manifest(manifest, keep_all=True)
        await self._store.save_artifacts(checked_id(request, "session_id"), artifacts)
        return artifact_pb2.SaveArtifactsResponse()

    async def _load_artifacts(
        self, request: artifact_pb2.LoadArtifactsRequest, _: Caller
    ) -> artifact_pb2.LoadArtifactsResponse:
        artifacts = await self._store.load_artifacts(checked_id(request, "session_id"))
        if artifacts is None:
            return artifact_pb2.LoadArtifactsResponse()
        manifest = records.ARTIFACT_MANIFEST.to_proto(artifacts.to_manifest())
        return artifact_pb2.LoadArtifactsResponse(present=True, manifest=manifest)

    async def _save_records(self, kind: str, request: Any, _: Caller) -> Message:  # noqa: ANN401
        calls = _RECORDS[kind]
        refuse_conditions(self._store, request)
        if sent := getattr(request, kind):
            await refuse_unless_kept(self._store, kind, f"save_{kind}")
        await self._call("save", kind)(checked_id(request, "session_id"), parsed_all(calls.codec, kind, sent))
        return _response(calls.save)

    async def _load_records(self, kind: str, request: Any, _: Caller) -> Message:  # noqa: ANN401
        calls = _RECORDS[kind]
        found = await self._call("load", kind)(checked_id(request, "session_id"))
        if found is None:
            return _response(calls.load)
        return _response(calls.load, present=True, **{kind: [calls.codec.to_proto(record) for record in found]})

    async def _save_checkpoint(self, kind: str, request: Any, _: Caller) -> Message:  # noqa: ANN401
        calls = _CHECKPOINTS[kind]
        refuse_conditions(self._store, request)
        await refuse_unless_kept(self._store, "checkpoints", f"save_{kind}")
        record_id = checked_id(request, calls.id_field)
        check_owner(request.checkpoint, calls.id_field, record_id)
        await self._call("save", kind)(record_id, parsed(calls.codec, "checkpoint", request.checkpoint))
        return _response(calls.save)

    async def _load_checkpoint(self, kind: str, request: Any, _: Caller) -> Message:  # noqa: ANN401
        calls = _CHECKPOINTS[kind]
        record_id = checked_id(request, calls.id_field)
        found = await self._call("load", kind)(record_id)
        if found is None:
            return _response(calls.load)
        found.check_loadable(record_id)
        return _response(calls.load, checkpoint=calls.codec.to_proto(found))

    async def _delete_checkpoint(self, kind: str, request: Any, _: Caller) -> Message:  # noqa: ANN401
        calls = _CHECKPOINTS[kind]
        refuse_conditions(self._store, request)
        record_id = checked_id(request, calls.id_field)
        existed = record_id in await self._call("list", f"{kind}s")()
        await self._call("delete", kind)(record_id)
        return _response(calls.delete, existed=existed)

    async def _list_checkpoints(self, kind: str, request: Any, _: Caller) -> Message:  # noqa: ANN401
        calls = _CHECKPOINTS[kind]
        limit, after = page_limit(request.page_size), page_position(kind, request.page_token)
        known = await self._call("list", f"{kind}s")()
        ids = [record_id for record_id in known if after is None or record_id > after.id]
        token = page_token_after(kind, PagePosition(ids[limit - 1])) if len(ids) > limit else ""
        return _response(calls.list, next_page_token=token, **{f"{calls.id_field}s": ids[:limit]})

    def _call(self, verb: str, kind: str) -> Callable[..., Awaitable[Any]]:
        method: Callable[..., Awaitable[Any]] = getattr(self._store, f"{verb}_{kind}")
        return method


async def refuse_unless_kept(store: SessionStore, capability: str, operation: str) -> None:
    """Refuse data that `store` would not keep. Errors: UnsupportedOperationError."""
    if not getattr(await store.capabilities(), capability):
        raise UnsupportedOperationError(operation=operation, backend=store.backend_name)


def refuse_conditions(store: SessionStore, request: Message) -> None:
    """Refuse a write that depends on a revision or on a lease. Errors: UnsupportedOperationError."""
    refuse_fields(store, request, "expected_revision", "lease_epoch")


def refuse_fields(store: SessionStore, request: Message, *names: str) -> None:
    """Refuse a request in which one of the fields is set. Errors: UnsupportedOperationError."""
    for field, _ in request.ListFields():
        if field.name in names:
            raise UnsupportedOperationError(operation=field.name, backend=store.backend_name)


def checked_id(request: Any, field: str) -> str:  # noqa: ANN401 - any request
    """Return the id in `field` of a request. Errors: InvalidArgumentError."""
    record_id: str = getattr(request, field)
    check_part(field, record_id)
    return record_id


def _response(method: AnyMethod, **values: Any) -> Message:  # noqa: ANN401 - fields of the response
    response: Message = method.response(**values)
    return response
