"""What a store promises about leases: one holder at a time, and no write of one who lost it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

import pytest

from sessionstore.errors import InvalidArgumentError, LeaseHeldError, StaleLeaseError
from sessionstore.store import Lease, SessionChange, SessionStore
from sessionstore.testing import samples
from sessionstore.testing.comparison import assert_same
from sessionstore.testing.ids import BAD_IDS
from sessionstore.testing.kinds import RECORD_KINDS, RecordKind
from sessionstore.testing.run_records import text_events

T = TypeVar("T")
Write = Callable[[SessionStore, int], Awaitable[object]]
"""Writes something to the session `a` under the lease with an epoch."""

_MOMENT_SECONDS = 0.001


def _records(kind: RecordKind[Any]) -> Write:
    async def write(store: SessionStore, epoch: int) -> object:
        return await getattr(store, f"save_{kind.name}")("a", kind.shortened(kind.some("a")), lease_epoch=epoch)

    return write


async def _append_trace_events(store: SessionStore, epoch: int) -> object:
    return [n async for n in store.append_trace_events("a", _once(samples.trace_events()), lease_epoch=epoch)]


async def _append_run_events(store: SessionStore, epoch: int) -> object:
    run = samples.run_records("a")[0]
    following = text_events(1, start=max(run.snapshot.event_count, len(run.events)))
    return [n async for n in store.append_run_events("a", run.snapshot.id, _once(following), lease_epoch=epoch)]


async def _once(batch: Sequence[T]) -> AsyncIterator[Sequence[T]]:
    yield batch


WRITES: Mapping[str, Write] = {
    "save": lambda store, epoch: store.save(samples.session("a"), lease_epoch=epoch),
    "delete": lambda store, epoch: store.delete("a", lease_epoch=epoch),
    "save_snapshot": lambda store, epoch: store.save_snapshot(samples.snapshot("a"), lease_epoch=epoch),
    "commit": lambda store, epoch: store.commit(
        "a", SessionChange(trace_events=samples.trace_events()), lease_epoch=epoch
    ),
    "append_trace_events": _append_trace_events,
    "append_run_events": _append_run_events,
    **{f"save_{kind.name}": _records(kind) for kind in RECORD_KINDS},
}
"""Every kind of write to a session and its records."""
any_write = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)


class LeaseContract:
    """Taken, prolonged, given up, taken over, and asked for by writes."""

    pytestmark = pytest.mark.asyncio

    async def test_lease_is_taken_for_a_time(self, store: SessionStore) -> None:
        """O1: A lease that nobody holds is taken, for a time by the clock of the store; it makes no session."""
        lease = await store.acquire_lease("a", "one", 60)
        assert (lease.session_id, lease.holder, lease.epoch) == ("a", "one", 1)
        assert lease.expire_time - lease.acquire_time == timedelta(seconds=60)
        assert await store.list() == await store.list_unsaved() == []
        assert await store.revision("a") == 0

    async def test_held_lease_is_refused(self, store: SessionStore) -> None:
        """O2: While it is held another one gets a LeaseHeldError that tells who holds it until when."""
        lease = await store.acquire_lease("a", "one", 60)
        with pytest.raises(LeaseHeldError) as caught:
            await store.acquire_lease("a", "two", 60)
        assert (caught.value.id, caught.value.holder) == ("a", "one")
        assert caught.value.expire_time.startswith(lease.expire_time.strftime("%Y-%m-%dT%H:%M:%S"))
        assert await _held(store) == [lease]
        assert (await store.acquire_lease("b", "two", 60)).epoch == 1

    async def test_holder_takes_it_again(self, store: SessionStore) -> None:
        """O3: The present holder, who takes it again, keeps the epoch and gets the new time, also a shorter one."""
        first = await store.acquire_lease("a", "one", 60)
        again = await store.acquire_lease("a", "one", 30)
        assert (again.epoch, again.acquire_time) == (first.epoch, first.acquire_time)
        assert again.expire_time < first.expire_time

    async def test_expired_lease_is_taken_over(self, store: SessionStore) -> None:
        """O4: A lease that has expired goes to whoever takes it, with a greater epoch; to the last holder too."""
        await store.acquire_lease("a", "one", _MOMENT_SECONDS)
        second = await _taken_over(store, "a", "two", _MOMENT_SECONDS)
        third = await _taken_over(store, "a", "three", 60)
        assert [second.epoch, third.epoch] == [2, 3]

    async def test_lease_is_prolonged(self, store: SessionStore) -> None:
        """O5: Its holder prolongs it, under the same epoch, also after it expired if nobody took it over."""
        lease = await store.acquire_lease("a", "one", _MOMENT_SECONDS)
        await _expired(store, "a")
        renewed = await store.renew_lease(lease, 60)
        assert (renewed.holder, renewed.epoch, renewed.acquire_time) == ("one", lease.epoch, lease.acquire_time)
        assert renewed.expire_time > lease.expire_time
        assert await _held(store) == [renewed]

    async def test_lost_lease_is_not_prolonged(self, store: SessionStore) -> None:
        """O6: One that was taken over, released or never given is not prolonged: a StaleLeaseError."""
        lost = await store.acquire_lease("a", "one", _MOMENT_SECONDS)
        present = await _taken_over(store, "a", "two", 60)
        with pytest.raises(StaleLeaseError) as caught:
            await store.renew_lease(lost, 60)
        assert caught.value == StaleLeaseError("a", lost.epoch)
        assert await _held(store) == [present]
        await store.release_lease(present)
        for lease in (present, Lease("b", "two", 1, present.acquire_time, present.expire_time)):
            with pytest.raises(StaleLeaseError):
                await store.renew_lease(lease, 60)
        assert await _held(store) == []

    async def test_released_lease_is_free(self, store: SessionStore) -> None:
        """O7: A lease that was released is free at once, and the next epoch is greater."""
        epochs = []
        for holder in ("one", "two", "two", "one"):
            lease = await store.acquire_lease("a", holder, 60)
            epochs.append(lease.epoch)
            await store.release_lease(lease)
        assert epochs == [1, 2, 3, 4]

    async def test_lost_lease_is_not_released(self, store: SessionStore) -> None:
        """O7: Releasing one that is over already is no error, and takes nothing from the present holder."""
        lost = await store.acquire_lease("a", "one", 60)
        await store.release_lease(lost)
        await store.release_lease(lost)
        present = await store.acquire_lease("a", "two", 60)
        await store.release_lease(lost)
        assert await _held(store) == [present]

    async def test_leases_are_listed(self, store: SessionStore) -> None:
        """O8: The leases that are held are listed, sorted by the UTF-8 bytes of the ids, and no others."""
        held = [await store.acquire_lease(each, "one", 60) for each in ("c", "a", "🧵", "￼", "b/1")]
        await store.release_lease(await store.acquire_lease("released", "one", 60))
        await store.acquire_lease("expired", "one", _MOMENT_SECONDS)
        await _expired(store, "expired")
        assert await _held(store) == sorted(held, key=lambda lease: lease.session_id.encode())

    @any_write
    async def test_write_under_the_lease(self, store: SessionStore, write: Write) -> None:
        """O9: Every kind of write is made when it carries the epoch of the present lease."""
        await store.save_snapshot(samples.snapshot("a"))
        lease = await store.acquire_lease("a", "one", 60)
        before = await store.revision("a")
        await write(store, lease.epoch)
        assert await store.revision("a") != before

    @any_write
    async def test_write_under_a_lost_lease(self, store: SessionStore, write: Write) -> None:
        """O10: It is a StaleLeaseError with any other epoch, and changes nothing: lost, released, or never given."""
        await store.save_snapshot(samples.snapshot("a"))
        before = await store.revision("a")
        lost = await store.acquire_lease("a", "one", _MOMENT_SECONDS)
        present = await _taken_over(store, "a", "two", 60)
        await _refused(write(store, lost.epoch), lost.epoch)
        await _refused(write(store, present.epoch + 1), present.epoch + 1)
        await store.release_lease(present)
        await _refused(write(store, present.epoch), present.epoch)
        assert await store.revision("a") == before
        assert_same(await store.load_snapshot("a"), samples.snapshot("a"))

    @any_write
    async def test_write_without_any_lease(self, store: SessionStore, write: Write) -> None:
        """O10: So it is where there never was a lease; that of another session does not count."""
        await store.save_snapshot(samples.snapshot("a"))
        lease = await store.acquire_lease("b", "one", 60)
        await _refused(write(store, lease.epoch), lease.epoch)
        assert_same(await store.load_snapshot("a"), samples.snapshot("a"))

    async def test_expired_lease_is_good_until_taken_over(self, store: SessionStore) -> None:
        """O11: An epoch is good until somebody takes the lease over, not just until it expires."""
        lease = await store.acquire_lease("a", "one", _MOMENT_SECONDS)
        await _expired(store, "a")
        assert await store.save(samples.session("a"), lease_epoch=lease.epoch) == 1

    async def test_writes_without_an_epoch_are_not_checked(self, store: SessionStore) -> None:
        """O12: A write that carries no epoch is made whoever holds the lease."""
        await store.acquire_lease("a", "one", 60)
        assert await store.save(samples.session("a")) == 1

    async def test_lease_outlives_its_session(self, store: SessionStore) -> None:
        """O13: Deleting a session leaves its lease; epochs never go down."""
        lease = await store.acquire_lease("a", "one", 60)
        await store.save(samples.session("a"), lease_epoch=lease.epoch)
        await store.delete("a", lease_epoch=lease.epoch)
        assert await _held(store) == [lease]
        await store.release_lease(lease)
        await store.delete("a")
        assert (await store.acquire_lease("a", "one", 60)).epoch == lease.epoch + 1

    async def test_one_of_many_gets_it(self, store: SessionStore) -> None:
        """O14: Of those who ask for a free lease at the same time exactly one gets it, also when it is taken over."""
        await store.acquire_lease("a", "last", _MOMENT_SECONDS)
        await _expired(store, "a")
        outcomes = await asyncio.gather(
            *(store.acquire_lease("a", str(number), 60) for number in range(8)), return_exceptions=True
        )
        leases = [outcome for outcome in outcomes if isinstance(outcome, Lease)]
        assert [lease.epoch for lease in leases] == [2]
        assert sum(isinstance(outcome, LeaseHeldError) for outcome in outcomes) == 7
        assert await _held(store) == leases

    @pytest.mark.parametrize("ttl_seconds", [0, -1, 0.0001, 86_401, float("inf"), float("nan"), "5", None, True])
    async def test_times_out_of_bounds(self, store: SessionStore, ttl_seconds: float) -> None:
        """O15: A time below a millisecond or above a day is an InvalidArgumentError for `ttl_seconds`."""
        lease = await store.acquire_lease("a", "one", 60)
        for call in (partial(store.acquire_lease, "a", "one"), partial(store.renew_lease, lease)):
            with pytest.raises(InvalidArgumentError) as caught:
                await call(ttl_seconds)
            assert caught.value.field == "ttl_seconds"
        assert await _held(store) == [lease]

    @pytest.mark.parametrize("text", BAD_IDS.values(), ids=BAD_IDS)
    async def test_bad_ids_and_holders(self, store: SessionStore, text: str) -> None:
        """O16: Ids and holders follow I1 and I2, by the names `session_id` and `holder`."""
        for field, arguments in (("session_id", (text, "one")), ("holder", ("a", text))):
            with pytest.raises(InvalidArgumentError) as caught:
                await store.acquire_lease(*arguments, 60)
            assert caught.value.field == field
        assert await _held(store) == []


async def _held(store: SessionStore) -> list[Lease]:
    return [lease async for lease in store.list_leases()]


async def _taken_over(store: SessionStore, session_id: str, holder: str, ttl_seconds: float) -> Lease:
    """Take a lease as soon as it has expired."""
    while True:
        try:
            return await store.acquire_lease(session_id, holder, ttl_seconds)
        except LeaseHeldError:
            continue


async def _expired(store: SessionStore, session_id: str) -> None:
    """Return when the lease of a session has expired."""
    while session_id in [lease.session_id for lease in await _held(store)]:
        pass


async def _refused(writing: Awaitable[object], epoch: int) -> None:
    with pytest.raises(StaleLeaseError) as caught:
        await writing
    assert caught.value == StaleLeaseError("a", epoch)
