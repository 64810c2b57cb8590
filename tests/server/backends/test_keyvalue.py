"""What the key-value backend promises beyond the shared rules: what it writes, what it leaves behind, damage."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from hashlib import sha256

import pytest

from sessionstore.errors import (
    DataCorruptionError,
    InvalidArgumentError,
    RevisionConflictError,
    RevisionNotKeptError,
    StorageError,
)
from sessionstore_server.backends.base import (
    FEED_KEPT,
    REVISIONS_KEPT,
    Backend,
    Change,
    Guard,
    GuardError,
    Key,
    LogRange,
    Origin,
    Query,
    Request,
    Splice,
    Summary,
)
from sessionstore_server.backends.keyvalue import KeyValueBackend, Write

ALL = LogRange()
FORK = Key("default", "sessions", "fork")


@pytest.fixture
def engine(new_engine):
    return new_engine()


@pytest.fixture
async def backend(engine) -> AsyncIterator[KeyValueBackend]:
    backend = KeyValueBackend(engine)
    await backend.open()
    yield backend
    await backend.aclose()


@pytest.fixture
def space(engine) -> dict[bytes, bytes]:
    return engine.space


@pytest.fixture
def puts(engine, monkeypatch) -> list[Write]:
    """Every write that changes something, as it is made."""
    writes: list[Write] = []
    write = engine.write

    async def noting(one: Write) -> bool:
        writes.append(one)
        return await write(one)

    monkeypatch.setattr(engine, "write", noting)
    return writes


async def put(backend: Backend, content: bytes) -> str:
    async def pieces() -> AsyncIterator[bytes]:
        yield content

    digest = sha256(content).hexdigest()
    await backend.put_blob(digest, pieces())
    return digest


def kinds(space: dict[bytes, bytes]) -> set[bytes]:
    """What the keys in the space begin with."""
    return {key.partition(b"\0")[0] for key in space}


def size(writes: list[Write]) -> int:
    return sum(len(key) + len(value) for write in writes for key, value in write.puts.items())


async def records(backend: Backend, key: Key) -> list[bytes]:
    view = await backend.read(key, logs={"l": ALL})
    assert view is not None
    return list(view.logs["l"].records)


async def test_an_append_costs_what_it_appends(backend: Backend, key: Key, puts: list[Write]) -> None:
    costs = []
    for number in range(300):
        puts.clear()
        await backend.commit(
            key, Change({"d": b"x"}, {"l": Splice([b"%d" % number])}, request=Request(f"{number}", "0" * 64))
        )
        costs.append(size(puts))
    assert max(costs[200:]) < costs[REVISIONS_KEPT + 5] + 50


async def test_a_fork_costs_nothing_for_its_records(backend: Backend, key: Key, puts: list[Write]) -> None:
    await backend.commit(key, Change(logs={"l": Splice([bytes(1000)] * 1000)}))
    puts.clear()
    await backend.commit(FORK, Change(origin=Origin(key, 1)))
    assert size(puts) < 2000
    assert len(await records(backend, FORK)) == 1000


async def test_replacing_the_end_again_and_again(backend: Backend, key: Key, puts: list[Write], space) -> None:
    """The description of the log stays short, no record is copied often, and what was replaced goes."""
    expected: list[bytes] = []
    for number in range(300):
        expected[-1:] = [b"%d" % number, b"end"]
        keep = len(expected) - 2 if number else None
        await backend.commit(key, Change(logs={"l": Splice(expected[-2:], keep)}))
    assert await records(backend, key) == expected
    assert size(puts) < 300 * 2500
    item = next(value for at, value in space.items() if at.startswith(b"item\0"))
    assert len(item) < 1000
    held = sum(at.startswith(b"piece\0") for at in space)
    assert held < 3 * len(expected) + 4 * REVISIONS_KEPT


async def test_nothing_is_left_of_a_deleted_key(backend: Backend, key: Key, space) -> None:
    """But what the next revision and repeats need, and this goes with the sweep."""
    digests = [await put(backend, content) for content in (b"1", b"2")]
    await backend.commit(key, Change({"a": b"1"}, {"l": Splice([b"0"] * 100)}, Summary(b"s"), frozenset(digests)))
    await backend.commit(key, Change({"a": b"2"}, {"l": Splice([b"1"], keep=3), "m": Splice()}))
    await backend.commit(key, Change({"a": None}, {"l": None}))
    await backend.delete(key, request=Request("r", "0" * 64))
    assert kinds(space) == {b"incarnation", b"head", b"tombstone", b"answer", b"feed", b"feed_end"}
    await backend.sweep_deleted(0)
    assert kinds(space) == {b"incarnation", b"feed", b"feed_end"}


async def test_shared_records_go_with_the_last_who_has_them(backend: Backend, key: Key, space) -> None:
    await backend.commit(key, Change(logs={"l": Splice([b"0"] * 10)}))
    await backend.commit(FORK, Change(origin=Origin(key, 1)))
    await backend.delete(key)
    assert await records(backend, FORK) == [b"0"] * 10
    await backend.delete(FORK)
    assert not kinds(space) & {b"piece", b"users", b"garbage", b"item"}


async def test_removed_records_go_with_the_last_revision_that_has_them(backend: Backend, key: Key, space) -> None:
    await backend.commit(key, Change(logs={"l": Splice([b"0"] * 10)}))
    await backend.commit(key, Change(logs={"l": Splice(keep=0)}))
    for _ in range(REVISIONS_KEPT - 2):
        await backend.commit(key, Change())
    assert b"piece" in kinds(space)
    await backend.commit(key, Change())
    assert not kinds(space) & {b"piece", b"users", b"garbage", b"undo"}


async def test_what_a_kill_leaves_behind_goes_with_the_sweep(backend: Backend, key: Key, engine, monkeypatch) -> None:
    """The commit is made; what it gave up is removed by later writes, which never come."""
    digest = await put(backend, b"blob")
    await backend.commit(key, Change(logs={"l": Splice([b"0"])}, blobs=frozenset([digest])))
    write = engine.write

    async def killed(one: Write) -> bool:
        if not one.conditions:
            raise StorageError("the space", "the machine is gone")
        return await write(one)

    monkeypatch.setattr(engine, "write", killed)
    assert await backend.delete(key)
    assert await backend.missing_blobs([digest]) == {digest}
    monkeypatch.undo()
    assert kinds(engine.space) >= {b"garbage", b"piece"}
    await backend.sweep_blobs(3600)
    assert not kinds(engine.space) & {b"garbage", b"piece"}


async def test_a_feed_keeps_its_last_commits(backend: Backend, key: Key, space, monkeypatch) -> None:
    monkeypatch.setattr("sessionstore_server.backends.keyvalue.draft.FEED_KEPT", 5)
    assert FEED_KEPT > 5
    for _ in range(12):
        await backend.commit(key, Change())
    feed = await backend.feed("default", "sessions", f"{backend.incarnation}-7", 100)
    assert [entry.revision for entry in feed.entries] == [8, 9, 10, 11, 12]
    assert sum(at.startswith(b"feed\0") for at in space) == 5


@pytest.mark.parametrize("damaged", [b"head\0", b"item\0"])
async def test_a_damaged_key(backend: Backend, key: Key, space, damaged: bytes) -> None:
    """It is listed, says so when it is read, and can be deleted; nothing old comes back."""
    await backend.commit(key, Change({}, {"l": Splice([b"0"])}, request=Request("r", "0" * 64)))
    await backend.commit(key, Change({}, {"l": Splice([b"1"], keep=0)}))
    at = next(at for at in space if at.startswith(damaged))
    space[at] = b"{"
    with pytest.raises(DataCorruptionError):
        await backend.read(key, logs={"l": ALL})
    if damaged == b"head\0":
        (listed,) = await backend.list("default", "sessions", Query(), None, 9)
        assert listed.damage == "the head of 'one' is damaged: b'{' is none"
        with pytest.raises(DataCorruptionError):
            await backend.delete(key, expected_revision=2)
    assert await backend.delete(key)
    assert await backend.read(key) is None
    await backend.commit(key, Change(logs={"l": Splice([b"anew"], length=0)}))
    assert await records(backend, key) == [b"anew"]
    assert len(await backend.history(key)) == 1


@pytest.fixture
async def between(engine, new_engine, monkeypatch) -> AsyncIterator[Callable[..., None]]:
    """Let another process act once, right after the engine was asked for something, or right before it writes."""
    another = KeyValueBackend(new_engine())
    await another.open()

    def arrange(call: str, act: Callable[[Backend], Awaitable[object]]) -> None:
        original = getattr(engine, call)

        async def interrupted(*arguments: object) -> object:
            monkeypatch.undo()
            if call == "write":
                await act(another)
                return await original(*arguments)
            found = await original(*arguments)
            await act(another)
            return found

        monkeypatch.setattr(engine, call, interrupted)

    yield arrange
    await another.aclose()


async def test_a_takeover_right_before_the_write(backend: Backend, key: Key, between) -> None:
    await backend.commit(FORK, Change({"lease": b"1"}))
    between("write", lambda another: another.commit(FORK, Change({"lease": b"2"})))
    with pytest.raises(GuardError):
        await backend.commit(key, Change({"a": b"1"}, guard=Guard(FORK, "lease", b"1")))
    assert await backend.read(key) is None


async def test_a_blob_that_goes_right_before_the_write(backend: Backend, key: Key, between) -> None:
    digest = await put(backend, b"blob")
    between("write", lambda another: another.sweep_blobs(0))
    with pytest.raises(InvalidArgumentError, match=digest):
        await backend.commit(key, Change(blobs=frozenset([digest])))
    assert await backend.read(key) is None


async def test_an_origin_that_goes_right_before_the_write(backend: Backend, key: Key, between) -> None:
    await backend.commit(key, Change(logs={"l": Splice([b"0"])}))
    between("write", lambda another: another.delete(key))
    with pytest.raises(RevisionNotKeptError):
        await backend.commit(FORK, Change(origin=Origin(key, 1)))
    assert await backend.read(FORK) is None


async def test_what_changes_while_it_is_looked_at(backend: Backend, key: Key, between) -> None:
    """The error is that of one moment: at revision 1 the log had one record, at revision 2 it is not revision 1."""
    await backend.commit(key, Change(logs={"l": Splice([b"0"])}))
    between("get", lambda another: another.commit(key, Change(logs={"l": Splice([b"1"])})))
    with pytest.raises(RevisionConflictError) as conflict:
        await backend.commit(key, Change(logs={"l": Splice([b"2"], length=1)}), expected_revision=1)
    assert conflict.value == RevisionConflictError("one", 1, 2)


async def test_a_read_of_what_is_deleted_and_made_again(backend: Backend, key: Key, between) -> None:
    async def make_again(another: Backend) -> None:
        await another.delete(key)
        await another.commit(key, Change({"a": b"2"}, {"l": Splice([b"2"])}))

    await backend.commit(key, Change({"a": b"1"}, {"l": Splice([b"1"])}))
    between("get", make_again)
    view = await backend.read(key, ["a"], {"l": ALL})
    assert view is not None
    assert (view.revision, dict(view.documents), list(view.logs["l"].records)) == (3, {"a": b"2"}, [b"2"])


async def test_a_cancelled_commit_is_made_whole_or_not(backend: Backend, key: Key, engine, monkeypatch) -> None:
    began, go = asyncio.Event(), asyncio.Event()
    write = engine.write

    async def slow(one: Write) -> bool:
        began.set()
        await go.wait()
        return await write(one)

    monkeypatch.setattr(engine, "write", slow)
    commit = asyncio.create_task(backend.commit(key, Change({"a": b"1"})))
    await began.wait()
    commit.cancel()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await commit
    assert (await backend.commit(key, Change({"b": b"2"}))).revision == 2
    view = await backend.read(key, ["a", "b"])
    assert view is not None
    assert dict(view.documents) == {"a": b"1", "b": b"2"}
