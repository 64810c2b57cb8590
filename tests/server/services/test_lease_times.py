"""Leases by a clock that the test moves."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from sessionstore.errors import InvalidArgumentError, LeaseHeldError, RequestIdReusedError, StaleLeaseError
from sessionstore.v1 import lease_pb2 as pb
from sessionstore_server.backends.memory import MemoryBackend
from sessionstore_server.services.handlers import Caller
from sessionstore_server.services.sessions.lease import LeaseService

DAY_MS = 86_400_000
CALLER = Caller()


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def move(self, **by: float) -> None:
        self.time += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def leases(clock: Clock) -> AsyncIterator[LeaseService]:
    backend = MemoryBackend()
    await backend.open()
    yield LeaseService(backend, clock)
    await backend.aclose()


async def acquire(leases: LeaseService, holder: str, ttl_ms: int = 1_000, session_id: str = "a") -> pb.Lease:
    request = pb.AcquireLeaseRequest(session_id=session_id, holder=holder, ttl_ms=ttl_ms)
    return (await leases.acquire_lease(request, CALLER)).lease


async def renew(leases: LeaseService, epoch: int, ttl_ms: int = 1_000) -> pb.Lease:
    return (await leases.renew_lease(pb.RenewLeaseRequest(session_id="a", epoch=epoch, ttl_ms=ttl_ms), CALLER)).lease


async def listed(leases: LeaseService, **page: object) -> pb.ListLeasesResponse:
    return await leases.list_leases(pb.ListLeasesRequest(**page), CALLER)


async def test_a_lease_ends_exactly_at_its_time(leases: LeaseService, clock: Clock) -> None:
    first = await acquire(leases, "one")
    clock.move(milliseconds=999)
    with pytest.raises(LeaseHeldError) as caught:
        await acquire(leases, "two")
    assert caught.value == LeaseHeldError("a", "one", "2026-01-01T00:00:01Z")
    assert list((await listed(leases)).leases) == [first]
    clock.move(milliseconds=1)
    assert list((await listed(leases)).leases) == []
    assert (await acquire(leases, "two")).epoch == first.epoch + 1


async def test_the_same_holder_gets_a_new_epoch_after_the_end(leases: LeaseService, clock: Clock) -> None:
    assert (await acquire(leases, "one")).epoch == 1
    clock.move(seconds=1)
    assert (await acquire(leases, "one")).epoch == 2


async def test_renewal_counts_from_now(leases: LeaseService, clock: Clock) -> None:
    lease = await acquire(leases, "one")
    clock.move(hours=1)
    renewed = await renew(leases, lease.epoch, DAY_MS)
    assert renewed.acquire_time == lease.acquire_time
    assert renewed.expire_time.ToDatetime(UTC) == clock.time + timedelta(days=1)
    clock.move(days=1)
    await acquire(leases, "two")
    with pytest.raises(StaleLeaseError):
        await renew(leases, lease.epoch)


async def test_a_clock_that_goes_back_gives_nothing_away_twice(leases: LeaseService, clock: Clock) -> None:
    lease = await acquire(leases, "one")
    clock.move(seconds=2)
    taken = await acquire(leases, "two")
    clock.move(hours=-1)
    with pytest.raises(StaleLeaseError):
        await renew(leases, lease.epoch)
    with pytest.raises(LeaseHeldError):
        await acquire(leases, "one")
    assert (await renew(leases, taken.epoch)).holder == "two"


async def test_repeats_are_answered_as_the_first_time(leases: LeaseService, clock: Clock) -> None:
    """Whoever has it by then, and nothing is taken from him."""
    acquired = pb.AcquireLeaseRequest(session_id="a", holder="one", ttl_ms=1_000, request_id="1")
    renewed = pb.RenewLeaseRequest(session_id="a", epoch=1, ttl_ms=2_000, request_id="2")
    released = pb.ReleaseLeaseRequest(session_id="a", epoch=1, request_id="3")
    calls = [(leases.acquire_lease, acquired), (leases.renew_lease, renewed), (leases.release_lease, released)]
    answers = [await call(request, CALLER) for call, request in calls]
    assert (answers[0].lease.epoch, answers[2].released) == (1, True)
    for _ in range(2):
        clock.move(seconds=5)
        assert [await call(request, CALLER) for call, request in calls] == answers
        assert not (await leases.release_lease(pb.ReleaseLeaseRequest(session_id="a", epoch=1), CALLER)).released
        successor = await acquire(leases, "two", DAY_MS)
        assert list((await listed(leases)).leases) == [successor]


async def test_an_expired_lease_is_not_taken_twice_by_a_repeat(leases: LeaseService, clock: Clock) -> None:
    request = pb.AcquireLeaseRequest(session_id="a", holder="one", ttl_ms=1_000, request_id="1")
    first = await leases.acquire_lease(request, CALLER)
    clock.move(seconds=1)
    assert await leases.acquire_lease(request, CALLER) == first
    assert (await renew(leases, first.lease.epoch)).epoch == 1


async def test_a_request_id_stands_for_one_request(leases: LeaseService) -> None:
    await leases.acquire_lease(
        pb.AcquireLeaseRequest(session_id="a", holder="one", ttl_ms=1_000, request_id="1"), CALLER
    )
    for call, request in (
        (leases.acquire_lease, pb.AcquireLeaseRequest(session_id="a", holder="one", ttl_ms=2_000, request_id="1")),
        (leases.acquire_lease, pb.AcquireLeaseRequest(session_id="a", holder="two", ttl_ms=1_000, request_id="1")),
        (leases.renew_lease, pb.RenewLeaseRequest(session_id="a", epoch=1, ttl_ms=1_000, request_id="1")),
        (leases.release_lease, pb.ReleaseLeaseRequest(session_id="a", epoch=1, request_id="1")),
    ):
        with pytest.raises(RequestIdReusedError):
            await call(request, CALLER)


@pytest.mark.parametrize("ttl_ms", [0, DAY_MS + 1, 2**64 - 1])
async def test_a_time_out_of_bounds_names_the_field(leases: LeaseService, ttl_ms: int) -> None:
    lease = await acquire(leases, "one")
    for call in (acquire(leases, "one", ttl_ms), renew(leases, lease.epoch, ttl_ms)):
        with pytest.raises(InvalidArgumentError) as caught:
            await call
        assert caught.value.field == "ttl_ms"
    assert list((await listed(leases)).leases) == [lease]


async def test_pages_pass_what_is_over(leases: LeaseService, clock: Clock) -> None:
    """A page may hold fewer leases than were asked for, even none; its token leads on."""
    for number in range(10):
        await acquire(leases, "one", ttl_ms=1_000 if number < 6 else 5_000, session_id=str(number))
    clock.move(seconds=2)
    found, token = [], ""
    while True:
        page = await listed(leases, page_size=3, page_token=token)
        found += [lease.session_id for lease in page.leases]
        token = page.next_page_token
        if not token:
            break
    assert found == ["6", "7", "8", "9"]


async def test_namespaces_have_leases_of_their_own(leases: LeaseService) -> None:
    await acquire(leases, "one")
    request = pb.AcquireLeaseRequest(session_id="a", holder="two", ttl_ms=1)
    assert (await leases.acquire_lease(request, Caller("other"))).lease.epoch == 1
