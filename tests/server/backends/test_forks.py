"""What every backend promises about keys that start from what another one held."""

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sessionstore.errors import InvalidArgumentError, RevisionConflictError, RevisionNotKeptError, StaleBaseError
from sessionstore_server.backends.base import (
    REVISIONS_KEPT,
    Backend,
    Change,
    Key,
    LogRange,
    Origin,
    Query,
    Request,
    Splice,
    Summary,
)

ALL = LogRange()
FORK = Key("default", "sessions", "fork")
FULL = Change(
    {"a": b"1", "runs/1": b"r"}, {"l": Splice([b"0", b"1", b"2"]), "runs/1/events": Splice([b"e"])}, Summary(b"s")
)
REQUEST = Request("r", sha256(b"").hexdigest())


class Held(NamedTuple):
    """What a key holds."""

    documents: dict[str, bytes]
    logs: dict[str, list[bytes]]


async def held(backend: Backend, key: Key, revision: int | None = None) -> Held:
    view = await backend.read(key, ["a", "b", "runs/"], {"l": ALL, "runs/": ALL}, revision)
    assert view is not None
    return Held(dict(view.documents), {name: list(log.records) for name, log in view.logs.items()})


async def fork(backend: Backend, key: Key, revision: int, change: Change = Change(), to: Key = FORK) -> int:  # noqa: B008
    forking = Change(change.documents, change.logs, change.summary, change.blobs, origin=Origin(key, revision))
    return (await backend.commit(to, forking)).revision


async def blob(backend: Backend, content: bytes) -> str:
    async def pieces() -> AsyncIterator[bytes]:
        yield content

    digest = sha256(content).hexdigest()
    await backend.put_blob(digest, pieces())
    return digest


async def test_a_fork_starts_with_everything(backend: Backend, key: Key) -> None:
    await backend.commit(key, FULL)
    assert await fork(backend, key, 1) == 1
    assert await held(backend, FORK) == await held(backend, key)
    listed = await backend.list("default", "sessions", Query(), None, 9)
    assert [(one.id, one.revision, one.summary) for one in listed] == [("fork", 1, b"s"), ("one", 1, b"s")]


async def test_what_a_fork_holds_is_new_to_it(backend: Backend, key: Key) -> None:
    """Nobody can hold a prefix of its logs from before; its history starts with it."""
    await backend.commit(key, FULL)
    for _ in range(3):
        await backend.commit(key, Change({"a": b"2"}))
    await backend.commit(FORK, Change())
    await backend.delete(FORK)
    assert await fork(backend, key, 4) == 3
    view = await backend.read(FORK, logs={"l": ALL})
    assert view is not None
    assert (view.logs["l"].length, view.logs["l"].shortened_at) == (3, 3)
    assert [commit.revision for commit in await backend.history(FORK)] == [3]
    with pytest.raises(RevisionNotKeptError):
        await backend.read(FORK, revision=2)


async def test_the_rest_of_the_change_is_applied_over_the_origin(backend: Backend, key: Key) -> None:
    await backend.commit(key, FULL)
    change = Change(
        {"a": b"mine", "b": b"new", "runs/": None},
        {"l": Splice([b"x"], keep=2, length=3), "runs/": None, "runs/2/events": Splice([b"f"])},
        Summary(b"fork"),
    )
    await fork(backend, key, 1, change)
    assert await held(backend, FORK) == Held(
        {"a": b"mine", "b": b"new"}, {"l": [b"0", b"1", b"x"], "runs/2/events": [b"f"]}
    )
    listed = await backend.list("default", "sessions", Query(), None, 9)
    assert [one.summary for one in listed] == [b"fork", b"s"]
    assert (await held(backend, key)).logs == {"l": [b"0", b"1", b"2"], "runs/1/events": [b"e"]}


@pytest.mark.parametrize("splice", [Splice([b"x"], length=0), Splice([b"x"], since=1), Splice([b"x"], since=2)])
async def test_splices_on_another_base(backend: Backend, key: Key, splice: Splice) -> None:
    """What was seen of the origin was not seen of the fork."""
    await backend.commit(key, FULL)
    await backend.commit(key, Change())
    with pytest.raises(StaleBaseError) as stale:
        await fork(backend, key, 2, Change(logs={"l": splice}))
    assert stale.value == StaleBaseError("fork", "l")
    with pytest.raises(InvalidArgumentError):
        await fork(backend, key, 2, Change(logs={"l": Splice(keep=4)}))
    assert await backend.read(FORK) is None
    assert await held(backend, key) == Held(
        {"a": b"1", "runs/1": b"r"}, {"l": [b"0", b"1", b"2"], "runs/1/events": [b"e"]}
    )


async def test_a_fork_of_the_past(backend: Backend, key: Key) -> None:
    await backend.commit(key, FULL)
    await backend.commit(key, Change({"a": b"2"}, {"l": Splice([b"3"])}))
    await backend.commit(key, Change({"b": b"3"}, {"l": Splice([b"x"], keep=1), "runs/": None}))
    keys = [Key("default", "sessions", f"fork {revision}") for revision in (1, 2, 3)]
    for revision, one in enumerate(keys, start=1):
        await fork(backend, key, revision, to=one)
    for revision, one in enumerate(keys, start=1):
        assert await held(backend, one) == await held(backend, key, revision)


@pytest.mark.parametrize(
    "change",
    [
        Change({"a": b"new"}, {"l": Splice([b"x"])}),
        Change(logs={"l": Splice([b"x", b"y"], keep=1)}),
        Change(logs={"l": Splice(keep=0)}),
        Change({"runs/": None}, {"l": None, "runs/": None}),
        None,
    ],
)
@pytest.mark.parametrize("changed", ["origin", "fork"])
async def test_both_live_on_by_themselves(backend: Backend, key: Key, change: Change | None, changed: str) -> None:
    """None: a deletion."""
    await backend.commit(key, FULL)
    await fork(backend, key, 1)
    before = await held(backend, key)
    first, second = (key, FORK) if changed == "origin" else (FORK, key)
    if change is None:
        await backend.delete(first)
        await backend.sweep_deleted(0)
    else:
        await backend.commit(first, change)
    assert await held(backend, second) == before
    await backend.commit(second, Change(logs={"l": Splice([b"mine"])}))
    assert (await held(backend, second)).logs["l"] == [b"0", b"1", b"2", b"mine"]
    await backend.commit(first, Change(logs={"l": Splice([b"yours"])}))
    assert (await held(backend, first)).logs["l"][-1] == b"yours"
    assert (await held(backend, second)).logs["l"] == [b"0", b"1", b"2", b"mine"]


async def test_the_origin_goes_on_while_its_past_is_forked(backend: Backend, key: Key) -> None:
    """The records that were removed from it are still those of the fork when they left its history."""
    await backend.commit(key, FULL)
    await backend.commit(key, Change(logs={"l": Splice([b"x"], keep=1)}))
    await fork(backend, key, 1)
    for _ in range(REVISIONS_KEPT + 1):
        await backend.commit(key, Change(logs={"l": Splice([b"y"], keep=1)}))
    assert (await held(backend, FORK)).logs["l"] == [b"0", b"1", b"2"]


async def test_forks_of_forks(backend: Backend, key: Key) -> None:
    await backend.commit(key, FULL)
    keys = [key, *(Key("default", "sessions", f"fork {number}") for number in range(4))]
    for number, (before, after) in enumerate(pairwise(keys)):
        await fork(backend, before, 1, Change(logs={"l": Splice([b"%d" % number])}), to=after)
    for one in keys[:-1]:
        await backend.delete(one)
    assert (await held(backend, keys[-1])).logs["l"] == [b"0", b"1", b"2", b"0", b"1", b"2", b"3"]


async def test_a_fork_may_live_elsewhere(backend: Backend, key: Key) -> None:
    await backend.commit(key, FULL)
    far = Key("other", "archive", "a/b")
    await fork(backend, key, 1, to=far)
    await backend.delete(key)
    assert (await held(backend, far)).logs["l"] == [b"0", b"1", b"2"]


async def test_an_origin_that_cannot_be_read(backend: Backend, key: Key) -> None:
    async def check(revision: int) -> None:
        with pytest.raises(RevisionNotKeptError) as refused:
            await fork(backend, key, revision)
        assert refused.value == RevisionNotKeptError("one", revision)
        assert await backend.read(FORK) is None

    await check(1)
    await backend.commit(key, FULL)
    await check(0)
    await check(2)
    for _ in range(REVISIONS_KEPT):
        await backend.commit(key, Change())
    await check(1)
    await backend.delete(key)
    await check(REVISIONS_KEPT)


async def test_a_fork_of_what_is_there_already(backend: Backend, key: Key) -> None:
    await backend.commit(key, FULL)
    await backend.commit(FORK, Change({"b": b"2"}))
    await backend.commit(FORK, Change())
    with pytest.raises(RevisionConflictError) as conflict:
        await fork(backend, key, 1)
    assert conflict.value == RevisionConflictError("fork", 0, 2)
    assert await held(backend, FORK) == Held({"b": b"2"}, {})


async def test_a_repeated_fork_has_one_effect(backend: Backend, key: Key) -> None:
    """The ledger of the origin is not that of the fork."""
    await backend.commit(key, Change(FULL.documents, FULL.logs, request=REQUEST))
    change = Change(origin=Origin(key, 1), request=REQUEST)
    first = await backend.commit(FORK, change)
    assert (first.revision, await held(backend, FORK)) == (1, await held(backend, key))
    await backend.delete(key)
    assert await asyncio.gather(*(backend.commit(FORK, change) for _ in range(4))) == [first] * 4


async def test_one_of_many_forks_wins(backend: Backend, key: Key) -> None:
    await backend.commit(key, FULL)
    changes = [Change({"a": b"%d" % number}, {"l": Splice([b"%d" % number])}) for number in range(8)]
    outcomes = await asyncio.gather(*(fork(backend, key, 1, change) for change in changes), return_exceptions=True)
    assert outcomes.count(RevisionConflictError("fork", 0, 1)) == 7
    winner = b"%d" % outcomes.index(1)
    found = await held(backend, FORK)
    assert (found.documents["a"], found.logs["l"]) == (winner, [b"0", b"1", b"2", winner])


async def test_blobs_of_a_fork(backend: Backend, key: Key) -> None:
    """It refers to them as the origin did, and they go with the last who does."""
    first, second = await blob(backend, b"1"), await blob(backend, b"2")
    await backend.commit(key, Change(blobs=frozenset([first])))
    await backend.commit(key, Change(blobs=frozenset([first, second])))
    await fork(backend, key, 1)
    await backend.delete(key)
    assert await backend.sweep_blobs(0) == 0
    assert await backend.missing_blobs([first, second]) == {second}
    await backend.delete(FORK)
    assert await backend.missing_blobs([first]) == {first}


async def test_a_fork_may_refer_to_other_blobs(backend: Backend, key: Key) -> None:
    first, second = await blob(backend, b"1"), await blob(backend, b"2")
    await backend.commit(key, Change(blobs=frozenset([first])))
    with pytest.raises(InvalidArgumentError, match="blobs"):
        await fork(backend, key, 1, Change(blobs=frozenset(["0" * 64])))
    await fork(backend, key, 1, Change(blobs=frozenset([second])))
    await backend.delete(key)
    assert await backend.missing_blobs([first, second]) == {first}


async def test_forking_while_the_origin_is_written(backend: Backend, key: Key) -> None:
    """Each fork holds exactly what the revision held."""

    async def write() -> None:
        for number in range(1, REVISIONS_KEPT):
            keep = 1 if number % 5 == 0 else None
            await backend.commit(key, Change({"a": b"%d" % number}, {"l": Splice([b"%d" % number], keep)}))
            await asyncio.sleep(0)

    writing = asyncio.create_task(write())
    forks: list[tuple[Key, int]] = []
    while not writing.done():
        for commit in (await backend.history(key))[-1:]:
            forks.append((Key("default", "forks", f"{len(forks)}"), commit.revision))
            await fork(backend, key, commit.revision, to=forks[-1][0])
        await asyncio.sleep(0)
    await writing
    assert forks
    for one, revision in forks:
        found = await held(backend, one)
        assert found.documents["a"] == found.logs["l"][-1] == b"%d" % revision
        assert len(found.logs["l"]) == (revision if revision < 5 else revision % 5 + 2)


async def test_another_reads_and_writes_a_fork(backend: Backend, another: Backend, key: Key) -> None:
    await backend.commit(key, FULL)
    await fork(another, key, 1)
    await backend.commit(key, Change(logs={"l": Splice([b"3"])}))
    await backend.commit(FORK, Change(logs={"l": Splice([b"x"])}))
    await another.commit(FORK, Change(logs={"l": Splice([b"y"])}))
    for reader in (backend, another):
        assert (await held(reader, key)).logs["l"] == [b"0", b"1", b"2", b"3"]
        assert (await held(reader, FORK)).logs["l"] == [b"0", b"1", b"2", b"x", b"y"]


KEYS = [Key("default", "sessions", name) for name in "abc"]


class Model:
    """What the keys must hold at each revision, as lists that share nothing, beside the backend that is compared."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.histories: dict[Key, dict[int, list[bytes]]] = {key: {} for key in KEYS}
        self.last = dict.fromkeys(KEYS, 0)

    async def step(self, operation: str, key: Key, number: int, record: bytes) -> None:
        present = self.histories[key].get(self.last[key], [])
        match operation:
            case "append":
                records = [record] * number
                await self.commit(key, Change(logs={"l": Splice(records, length=len(present))}), present + records)
            case "shorten":
                kept = present[:number]
                await self.commit(key, Change(logs={"l": Splice([record], len(kept))}), [*kept, record])
            case "fork" if not self.histories[key]:
                await self.fork(key, KEYS[KEYS.index(key) - 1 - number % 2], number)
            case "delete" if self.histories[key]:
                assert await self.backend.delete(key)
                self.histories[key] = {}
                self.last[key] += 1

    async def fork(self, key: Key, origin: Key, age: int) -> None:
        for revision in list(self.histories[origin])[-1 - age :][:1]:
            await self.commit(key, Change(origin=Origin(origin, revision)), self.histories[origin][revision])

    async def commit(self, key: Key, change: Change, expected: list[bytes]) -> None:
        self.last[key] = (await self.backend.commit(key, change)).revision
        self.histories[key][self.last[key]] = expected

    async def check(self) -> None:
        for key, expected in self.histories.items():
            kept = [commit.revision for commit in await self.backend.history(key)]
            found = {revision: await held(self.backend, key, revision) for revision in kept}
            assert {revision: one.logs.get("l", []) for revision, one in found.items()} == expected


STEPS = st.tuples(
    st.sampled_from(["append", "append", "shorten", "fork", "fork", "delete", "reopen"]),
    st.sampled_from(KEYS),
    st.integers(0, 3),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=8, max_size=25))
async def test_any_forks_in_any_order(kind: str, backend: Backend, steps: list[tuple[str, Key, int]]) -> None:
    for key in KEYS:
        await backend.delete(key)
    await backend.sweep_deleted(0)
    model = Model(backend)
    for turn, (operation, key, number) in enumerate(steps):
        if operation == "reopen" and kind != "memory":
            await backend.aclose()
            await backend.open()
        await model.step(operation, key, number, b"%d" % turn)
    await model.check()
