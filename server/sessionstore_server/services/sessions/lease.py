"""Leases: one key for each session that ever had one.

The epoch stands in a document by itself, by which writes are guarded (see `writes`); a release removes it. The lease
stays, without an end when it was released, so that the epoch never goes down. Each change is a revision, which a repeat
of the request finds by the ledger of the key.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from sessionstore.errors import InvalidArgumentError, LeaseHeldError, RevisionConflictError, StaleLeaseError
from sessionstore.store.coordination import MAX_LEASE_SECONDS
from sessionstore.v1 import lease_pb2 as pb
from sessionstore.wire.methods import ACQUIRE_LEASE, LIST_LEASES, RELEASE_LEASE, RENEW_LEASE
from sessionstore_server.backends.base import Backend, Change, Key, Request, Summary, View
from sessionstore_server.backends.checks import check_part
from sessionstore_server.services.handlers import Caller, HandlerTable
from sessionstore_server.services.keys import LEASE, LEASE_EPOCH, LEASES, lease_key
from sessionstore_server.services.pages import list_page
from sessionstore_server.services.responses import timestamp
from sessionstore_server.services.writes import epoch_record, identity, past_commit

_MAX_TTL_MS = MAX_LEASE_SECONDS * 1000

Clock = Callable[[], datetime]
_LeaseRequest = pb.AcquireLeaseRequest | pb.RenewLeaseRequest | pb.ReleaseLeaseRequest
_Decide = Callable[[pb.Lease, datetime], pb.Lease]
"""Returns what follows the present lease at a moment, or raises why nothing may."""


def now() -> datetime:
    """Return the present time, with its time zone."""
    return datetime.now(UTC)


class LeaseService:
    """Answers `sessionstore.v1.LeaseService`; `clock` tells the time by which leases expire."""

    def __init__(self, backend: Backend, clock: Clock = now) -> None:
        self._backend, self._clock = backend, clock

    def handlers(self) -> HandlerTable:
        """Return what answers which method."""
        return {
            ACQUIRE_LEASE: self.acquire_lease,
            RENEW_LEASE: self.renew_lease,
            RELEASE_LEASE: self.release_lease,
            LIST_LEASES: self.list_leases,
        }

    async def acquire_lease(self, request: pb.AcquireLeaseRequest, caller: Caller) -> pb.AcquireLeaseResponse:
        """Take a lease that nobody holds, or prolong that of the same holder."""
        key, ttl = lease_key(caller, request.session_id), _ttl(request.ttl_ms)
        check_part("holder", request.holder)

        def acquired(lease: pb.Lease, moment: datetime) -> pb.Lease:
            if not _is_held(lease, moment):
                return _taken(request, lease.epoch + 1, moment, ttl)
            if lease.holder != request.holder:
                raise LeaseHeldError(key.id, lease.holder, lease.expire_time.ToJsonString())
            return _prolonged(lease, moment + ttl)

        return pb.AcquireLeaseResponse(lease=await self._replace(key, request, acquired))

    async def renew_lease(self, request: pb.RenewLeaseRequest, caller: Caller) -> pb.RenewLeaseResponse:
        """Prolong a lease that nobody took over."""
        key, ttl = lease_key(caller, request.session_id), _ttl(request.ttl_ms)

        def renewed(lease: pb.Lease, moment: datetime) -> pb.Lease:
            _check_epoch(lease, key, request.epoch)
            return _prolonged(lease, moment + ttl)

        return pb.RenewLeaseResponse(lease=await self._replace(key, request, renewed))

    async def release_lease(self, request: pb.ReleaseLeaseRequest, caller: Caller) -> pb.ReleaseLeaseResponse:
        """Give a lease up, so that writes under it are refused and anybody may take it."""
        key = lease_key(caller, request.session_id)

        def released(lease: pb.Lease, _: datetime) -> pb.Lease:
            _check_epoch(lease, key, request.epoch)
            return _without_end(lease)

        try:
            await self._replace(key, request, released)
        except StaleLeaseError:
            return pb.ReleaseLeaseResponse(released=False)
        return pb.ReleaseLeaseResponse(released=True)

    async def list_leases(self, request: pb.ListLeasesRequest, caller: Caller) -> pb.ListLeasesResponse:
        """Return those of a page that are held."""
        page = await list_page(self._backend, caller, LEASES, request.page_size, request.page_token)
        leases, moment = [pb.Lease.FromString(entry.summary) for entry in page.entries], self._clock()
        held = [lease for lease in leases if _is_held(lease, moment)]
        return pb.ListLeasesResponse(leases=held, next_page_token=page.next_page_token)

    async def _replace(self, key: Key, request: _LeaseRequest, decide: _Decide) -> pb.Lease:
        """Store what `decide` makes of the present lease, and return it.

        A repeat of `request` returns what was stored the first time, also when `decide` would refuse it by now.
        """
        try:
            revision = await self._commit(key, request, decide)
        except (LeaseHeldError, StaleLeaseError):
            past = await past_commit(self._backend, key, request)
            if past is None:
                raise
            revision = past.revision
        return _lease(await self._backend.read(key, (LEASE,), revision=revision))

    async def _commit(self, key: Key, request: _LeaseRequest, decide: _Decide) -> int:
        """Store what `decide` makes of the present lease, again if another call came first; return the revision."""
        while True:
            view = await self._backend.read(key, (LEASE,))
            change = _change(decide(_lease(view), self._clock()), identity(request))
            with suppress(RevisionConflictError):
                return (await self._backend.commit(key, change, view.revision if view else 0)).revision


def _lease(view: View | None) -> pb.Lease:
    return pb.Lease.FromString(view.documents[LEASE]) if view else pb.Lease()


def _change(lease: pb.Lease, request: Request | None) -> Change:
    record = lease.SerializeToString()
    epoch = epoch_record(lease.epoch) if lease.HasField("expire_time") else None
    return Change(documents={LEASE: record, LEASE_EPOCH: epoch}, summary=Summary(record), request=request)


def _taken(request: pb.AcquireLeaseRequest, epoch: int, moment: datetime, ttl: timedelta) -> pb.Lease:
    return pb.Lease(
        session_id=request.session_id,
        holder=request.holder,
        epoch=epoch,
        acquire_time=timestamp(moment),
        expire_time=timestamp(moment + ttl),
    )


def _prolonged(lease: pb.Lease, moment: datetime) -> pb.Lease:
    changed = _without_end(lease)
    changed.expire_time.FromDatetime(moment)
    return changed


def _without_end(lease: pb.Lease) -> pb.Lease:
    changed = pb.Lease()
    changed.CopyFrom(lease)
    changed.ClearField("expire_time")
    return changed


def _is_held(lease: pb.Lease, moment: datetime) -> bool:
    return lease.expire_time.ToDatetime(UTC) > moment


def _check_epoch(lease: pb.Lease, key: Key, epoch: int) -> None:
    """Refuse an epoch that was released or taken over. Errors: StaleLeaseError."""
    if not lease.HasField("expire_time") or lease.epoch != epoch:
        raise StaleLeaseError(key.id, epoch)


def _ttl(ttl_ms: int) -> timedelta:
    if not 1 <= ttl_ms <= _MAX_TTL_MS:
        raise InvalidArgumentError("ttl_ms", f"is {ttl_ms}: use 1 to {_MAX_TTL_MS} ms, a day, and renew in time")
    return timedelta(milliseconds=ttl_ms)
