"""The services over any `SessionStore`, such as one with just the five required methods.

The mirror image of the adapter: requests become models and calls of the store. What the store does not say it keeps is
refused, so that nothing a client sent is dropped. Such a store has no revisions and no leases: answers say 0, and a
call that depends on one is refused.
"""

from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import asdict

from sessionstore.errors import StaleBaseError
from sessionstore.store import SessionStore
from sessionstore.v1 import session_pb2, snapshot_pb2, system_pb2
from sessionstore.wire import methods, records
from sessionstore.wire.snapshot import ReceivedSnapshot, snapshot_from_parts, snapshot_to_parts
from sessionstore_server.backends.checks import check_part
from sessionstore_server.services.checks import parsed, parsed_all
from sessionstore_server.services.custom.record_services import (
    RecordServices,
    checked_id,
    refuse_conditions,
    refuse_fields,
    refuse_unless_kept,
)
from sessionstore_server.services.custom.unsupported import refusal
from sessionstore_server.services.handlers import Caller, HandlerTable, Services
from sessionstore_server.services.repeats import Repeats
from sessionstore_server.services.roads.multiplex import with_multiplex
from sessionstore_server.services.roads.transfer import with_transfer
from sessionstore_server.services.sessions.filters import filter_of, order_of
from sessionstore_server.services.sessions.listing import check_unsaved


def services_of_store(store: SessionStore) -> Services:
    """Return all services, keeping their data in `store`."""
    refused = {method: refusal(method, store.backend_name) for method in methods.ALL_METHODS}
    answered = {**_SessionServices(store).handlers(), **RecordServices(store).handlers()}
    handlers = with_multiplex(with_transfer(Repeats().wrap({**refused, **answered})))
    return Services(store.backend_name, handlers, store.__aenter__, store.aclose, sweep=_nothing)


async def _nothing() -> None:
    """Sweep nothing: how such a store keeps its data is its own affair."""


class _SessionServices:
    def __init__(self, store: SessionStore) -> None:
        self._store = store

    def handlers(self) -> HandlerTable:
        return {
            methods.SAVE_SESSION: self._save_session,
            methods.LOAD_SESSION: self._load_session,
            methods.DELETE_SESSION: self._delete_session,
            methods.SESSION_EXISTS: self._session_exists,
            methods.LIST_SESSIONS: self._list_sessions,
            methods.COUNT_SESSIONS: self._count_sessions,
            methods.SAVE_SNAPSHOT: self._save_snapshot,
            methods.LOAD_SNAPSHOT: self._load_snapshot,
            methods.GET_CAPABILITIES: self._get_capabilities,
            methods.CHECK_HEALTH: self._check_health,
        }

    async def _save_session(
        self, request: session_pb2.SaveSessionRequest, _: Caller
    ) -> session_pb2.SaveSessionResponse:
        refuse_conditions(self._store, request)
        check_part("session.id", request.session.id)
        if request.HasField("base"):
            raise StaleBaseError(id=request.session.id, log="messages")
        session = parsed(records.SESSION, "session", request.session)
        session.messages = parsed_all(records.MESSAGE, "messages", request.messages)
        await self._store.save(session)
        return session_pb2.SaveSessionResponse()

    async def _load_session(
        self, request: session_pb2.LoadSessionRequest, _: Caller
    ) -> session_pb2.LoadSessionResponse:
        refuse_fields(self._store, request, "revision")
        session = await self._store.load(checked_id(request, "session_id"))
        if session is None:
            return session_pb2.LoadSessionResponse()
        data, messages = records.session_to_proto(session)
        return session_pb2.LoadSessionResponse(session=data, messages=messages)

    async def _delete_session(
        self, request: session_pb2.DeleteSessionRequest, _: Caller
    ) -> session_pb2.DeleteSessionResponse:
        refuse_conditions(self._store, request)
        existed = await self._store.exists(checked_id(request, "session_id"))
        await self._store.delete(request.session_id)
        return session_pb2.DeleteSessionResponse(existed=existed)

    async def _session_exists(
        self, request: session_pb2.SessionExistsRequest, _: Caller
    ) -> session_pb2.SessionExistsResponse:
        exists = await self._store.exists(checked_id(request, "session_id"))
        snapshot = exists and await self._store.is_snapshot(request.session_id)
        return session_pb2.SessionExistsResponse(exists=exists, snapshot=snapshot)

    async def _list_sessions(
        self, request: session_pb2.ListSessionsRequest, _: Caller
    ) -> session_pb2.ListSessionsResponse:
        check_unsaved(request)
        if request.unsaved:
            summaries = [session_pb2.SessionSummary(id=session_id) for session_id in await self._store.list_unsaved()]
            return session_pb2.ListSessionsResponse(sessions=summaries)
        page = await self._store.list_sessions(
            request.page_size,
            request.page_token,
            filter=filter_of(request.filter),
            order_by=order_of(request),
            descending=request.descending,
        )
        summaries = [records.SESSION_SUMMARY.to_proto(summary) for summary in page.sessions]
        return session_pb2.ListSessionsResponse(
            sessions=summaries, next_page_token=page.next_page_token, unreachable=page.unreachable
        )

    async def _count_sessions(
        self, request: session_pb2.CountSessionsRequest, _: Caller
    ) -> session_pb2.CountSessionsResponse:
        count = await self._store.count_sessions(filter_of(request.filter))
        return session_pb2.CountSessionsResponse(count=count)

    async def _save_snapshot(
        self, requests: AsyncIterable[snapshot_pb2.SaveSnapshotRequest], _: Caller
    ) -> snapshot_pb2.SaveSnapshotResponse:
        await refuse_unless_kept(self._store, "snapshots", "save_snapshot")
        received = ReceivedSnapshot()
        async for request in requests:
            received.take(request)
        header, _session = received.complete()
        refuse_conditions(self._store, header)
        check_part("header.session_id", header.session_id)
        await self._store.save_snapshot(snapshot_from_parts(received))
        return snapshot_pb2.SaveSnapshotResponse()

    async def _load_snapshot(
        self, request: snapshot_pb2.LoadSnapshotRequest, _: Caller
    ) -> AsyncIterator[snapshot_pb2.LoadSnapshotResponse]:
        snapshot = await self._store.load_snapshot(checked_id(request, "session_id"))
        if snapshot is not None:
            for part in snapshot_to_parts(snapshot, snapshot_pb2.LoadSnapshotResponse):
                yield part

    async def _get_capabilities(
        self,
        _request: system_pb2.GetCapabilitiesRequest,
        _caller: Caller,
    ) -> system_pb2.GetCapabilitiesResponse:
        capabilities = await self._store.capabilities()
        return system_pb2.GetCapabilitiesResponse(backend=self._store.backend_name, **asdict(capabilities))

    async def _check_health(
        self,
        _request: system_pb2.CheckHealthRequest,
        _caller: Caller,
    ) -> system_pb2.CheckHealthResponse:
        await self._store.health_check()
        return system_pb2.CheckHealthResponse()
