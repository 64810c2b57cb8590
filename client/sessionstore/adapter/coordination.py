"""Leases and watching."""

from collections.abc import AsyncIterator
from datetime import UTC
from typing import TypeVar

from google.protobuf.message import Message
from typing_extensions import override

from sessionstore.adapter.calls import Calls, new_request_id
from sessionstore.errors import InvalidArgumentError, StoreUnavailableError
from sessionstore.patience import Patience
from sessionstore.store import CommitNotice, Lease, WatchPage
from sessionstore.store.coordination import MAX_LEASE_SECONDS, CoordinationOperations
from sessionstore.transport import Method
from sessionstore.v1 import lease_pb2, watch_pb2
from sessionstore.wire import methods
from sessionstore.wire.requests import build

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)


class CoordinationCalls(Calls, CoordinationOperations):
    """`CoordinationOperations` as calls."""

    @override
    async def acquire_lease(self, session_id: str, holder: str, ttl_seconds: float) -> Lease:
        response = await self._change_lease(
            methods.ACQUIRE_LEASE, session_id=session_id, holder=holder, ttl_ms=_milliseconds(ttl_seconds)
        )
        return _lease(response.lease)

    @override
    async def renew_lease(self, lease: Lease, ttl_seconds: float) -> Lease:
        response = await self._change_lease(
            methods.RENEW_LEASE, session_id=lease.session_id, epoch=lease.epoch, ttl_ms=_milliseconds(ttl_seconds)
        )
        return _lease(response.lease)

    @override
    async def release_lease(self, lease: Lease) -> None:
        await self._change_lease(methods.RELEASE_LEASE, session_id=lease.session_id, epoch=lease.epoch)

    @override
    async def list_leases(self) -> AsyncIterator[Lease]:
        async for page in self._pages(methods.LIST_LEASES):
            for lease in page.leases:
                yield _lease(lease)

    @override
    async def watch(self, position: str = "") -> AsyncIterator[WatchPage]:
        told: str | None = None
        patience = Patience(self._transport.patience_seconds)
        while True:
            try:
                async for response in self._watched(told or position):
                    patience.renew()
                    if response.position != told:
                        told = response.position
                        yield _page(response)
            except StoreUnavailableError as error:
                await patience.pause(error)

    async def _change_lease(self, method: Method[Q, A], **values: object) -> A:
        return await self._transport.unary(method, build(method.request, request_id=new_request_id(), **values))

    async def _watched(self, position: str) -> AsyncIterator[watch_pb2.WatchCommitsResponse]:
        request = build(watch_pb2.WatchCommitsRequest, position=position)
        async for response in self._transport.download(methods.WATCH_COMMITS, request):
            yield response
        raise StoreUnavailableError(target=self._transport.name, problem="the watch was ended there")


def _milliseconds(ttl_seconds: float) -> int:
    is_number = isinstance(ttl_seconds, int | float) and not isinstance(ttl_seconds, bool)
    if not (is_number and 0.001 <= ttl_seconds <= MAX_LEASE_SECONDS):
        raise InvalidArgumentError("ttl_seconds", f"is {ttl_seconds!r}: use 0.001 to {MAX_LEASE_SECONDS}, a day")
    return round(ttl_seconds * 1000)


def _lease(lease: lease_pb2.Lease) -> Lease:
    return Lease(
        session_id=lease.session_id,
        holder=lease.holder,
        epoch=lease.epoch,
        acquire_time=lease.acquire_time.ToDatetime(UTC),
        expire_time=lease.expire_time.ToDatetime(UTC),
    )


def _page(response: watch_pb2.WatchCommitsResponse) -> WatchPage:
    commits = tuple(
        CommitNotice(each.session_id, each.revision, each.commit_time.ToDatetime(UTC), each.deleted)
        for each in response.commits
    )
    return WatchPage(commits, response.position)
