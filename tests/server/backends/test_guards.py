"""What every backend promises about guards: a change takes effect only while another key holds something."""

import asyncio
from hashlib import sha256
from typing import Any

import pytest

from sessionstore.errors import InvalidArgumentError
from sessionstore_server.backends.base import Backend, Change, Guard, GuardError, Key, LogRange, Request, Splice

LEASE = Key("elsewhere", "leases", "one")
ALL = LogRange()


def guarded(record: bytes = b"1", *, document: str = "lease", request: Request | None = None) -> Change:
    return Change({"a": b"1"}, {"l": Splice([b"x"])}, request=request, guard=Guard(LEASE, document, record))


async def hold(backend: Backend, record: bytes | None) -> None:
    await backend.commit(LEASE, Change({"lease": record}))


async def length(backend: Backend, key: Key) -> int:
    view = await backend.read(key, logs={"l": ALL})
    return view.logs["l"].length if view else 0


async def test_a_guard_that_holds(backend: Backend, key: Key) -> None:
    """Whatever else changes there."""
    await hold(backend, b"1")
    assert (await backend.commit(key, guarded())).revision == 1
    await backend.commit(LEASE, Change({"other": b"2"}))
    assert (await backend.commit(key, guarded())).revision == 2
    view = await backend.read(LEASE, ["lease", "other"])
    assert view is not None
    assert (view.revision, dict(view.documents)) == (2, {"lease": b"1", "other": b"2"})


async def test_a_guard_that_does_not_hold(backend: Backend, key: Key) -> None:
    """The refused change changes nothing, also when the key is absent."""
    await hold(backend, b"1")
    for change in (guarded(b"0"), guarded(b""), guarded(b"11"), guarded(document="other"), guarded(document="lease/")):
        with pytest.raises(GuardError):
            await backend.commit(key, change)
    assert await backend.read(key) is None
    await backend.commit(key, guarded())
    with pytest.raises(GuardError):
        await backend.commit(key, guarded(b"2"))
    view = await backend.read(key, logs={"l": ALL})
    assert view is not None
    assert (view.revision, view.logs["l"].length) == (1, 1)


@pytest.mark.parametrize("gone", ["never made", "removed", "deleted", "swept"])
async def test_a_guard_on_what_is_absent(backend: Backend, key: Key, gone: str) -> None:
    if gone != "never made":
        await hold(backend, b"1")
        await backend.commit(key, guarded())
    match gone:
        case "removed":
            await hold(backend, None)
        case "deleted" | "swept":
            await backend.delete(LEASE)
    if gone == "swept":
        await backend.sweep_deleted(0)
    for record in (b"1", b""):
        with pytest.raises(GuardError):
            await backend.commit(key, guarded(record))


async def test_a_guard_that_holds_again(backend: Backend, key: Key) -> None:
    await hold(backend, b"1")
    await hold(backend, b"2")
    with pytest.raises(GuardError):
        await backend.commit(key, guarded())
    await hold(backend, b"1")
    assert (await backend.commit(key, guarded())).revision == 1


async def test_an_empty_record_is_a_record(backend: Backend, key: Key) -> None:
    await hold(backend, b"")
    assert (await backend.commit(key, guarded(b""))).revision == 1


async def test_a_repeat_is_answered_before_the_guard_is_looked_at(backend: Backend, key: Key) -> None:
    change = guarded(request=Request("r", sha256(b"").hexdigest()))
    with pytest.raises(GuardError):
        await backend.commit(key, change)
    await hold(backend, b"1")
    first = await backend.commit(key, change)
    await hold(backend, b"2")
    assert await backend.commit(key, change) == first
    assert await length(backend, key) == 1


async def test_a_takeover_ends_what_was_guarded(backend: Backend, key: Key) -> None:
    await check_takeover(backend, backend, key)


async def test_a_takeover_by_another_ends_what_was_guarded(backend: Backend, another: Backend, key: Key) -> None:
    await check_takeover(backend, another, key)


async def check_takeover(writer: Backend, taker: Backend, key: Key) -> None:
    """Once the guard was changed, nothing is added any more."""
    keys, busy, written = [key, Key("default", "sessions", "two")], asyncio.Event(), []

    async def write(key: Key) -> None:
        while True:
            written.append(await writer.commit(key, guarded()))
            if len(written) == 12:
                busy.set()
            await asyncio.sleep(0)

    await hold(writer, b"1")
    writing = [asyncio.create_task(write(one)) for one in keys * 3]
    await busy.wait()
    await hold(taker, b"2")
    lengths = [await length(taker, one) for one in keys]
    outcomes = await asyncio.gather(*writing, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [GuardError] * 6
    assert [await length(writer, one) for one in keys] == lengths
    assert sum(lengths) == len(written)


async def test_a_guard_is_not_shared(backend: Backend, key: Key) -> None:
    await hold(backend, b"1")
    record: Any = bytearray(b"1")
    commit = asyncio.create_task(backend.commit(key, guarded(record)))
    await asyncio.sleep(0)
    record[:] = b"2"
    assert (await commit).revision == 1


async def test_a_guarded_deletion(backend: Backend, key: Key) -> None:
    """Refused, it leaves everything; carried out, its repeat is answered whatever holds then."""
    guard, request = Guard(LEASE, "lease", b"1"), Request("r", sha256(b"").hexdigest())
    await backend.commit(key, Change(logs={"l": Splice([b"x"])}))
    for record in (None, b"2"):
        await hold(backend, record)
        with pytest.raises(GuardError):
            await backend.delete(key, guard=guard)
        with pytest.raises(GuardError):
            await backend.delete(key, 1, request, guard)
    assert await length(backend, key) == 1
    await hold(backend, b"1")
    assert await backend.delete(key, 1, request, guard)
    await hold(backend, b"2")
    await backend.commit(key, Change(logs={"l": Splice([b"x"])}))
    assert await backend.delete(key, request=request, guard=guard)
    assert await length(backend, key) == 1


@pytest.mark.parametrize(
    ("guard", "named"),
    [
        (Guard(Key("", "leases", "one"), "lease", b""), "namespace"),
        (Guard(Key("n", "leases", "nul\0"), "lease", b""), "id"),
        (Guard(LEASE, "", b""), "guard"),
        (Guard(LEASE, "\ud800", b""), "guard"),
    ],
)
async def test_refused_guards(backend: Backend, key: Key, guard: Guard, named: str) -> None:
    for call in (backend.commit(key, Change(guard=guard)), backend.delete(key, guard=guard)):
        with pytest.raises(InvalidArgumentError) as refused:
            await call
        assert refused.value.field == named
