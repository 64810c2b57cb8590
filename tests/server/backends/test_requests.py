"""What every backend promises about request ids: a repeat is answered as the first time and changes nothing."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sessionstore.errors import InvalidArgumentError, RequestIdReusedError, RevisionConflictError
from sessionstore_server.backends.base import REQUESTS_KEPT, Backend, Change, Key, LogRange, Request, Splice

ALL = LogRange()


def request(id_: str, content: bytes = b"") -> Request:
    return Request(id_, sha256(content).hexdigest())


def appending(record: bytes, id_: str) -> Change:
    return Change({"last": record}, {"l": Splice([record])}, request=request(id_, record))


async def records(backend: Backend, key: Key) -> list[bytes]:
    view = await backend.read(key, logs={"l": ALL})
    return list(view.logs["l"].records) if view else []


async def test_a_repeat_has_no_effect(backend: Backend, key: Key) -> None:
    """Whatever revision it expects, and whatever was committed since."""
    first = await backend.commit(key, appending(b"1", "r1"), expected_revision=0)
    second = await backend.commit(key, appending(b"2", "r2"), expected_revision=1)
    for expected in (None, 0, 1, 99):
        assert await backend.commit(key, appending(b"1", "r1"), expected) == first
        assert await backend.commit(key, appending(b"2", "r2"), expected) == second
    view = await backend.read(key, ["last"], {"l": ALL})
    assert view is not None
    assert (view.revision, dict(view.documents), list(view.logs["l"].records)) == (2, {"last": b"2"}, [b"1", b"2"])


async def test_a_change_that_carries_only_a_request(backend: Backend, key: Key) -> None:
    first = await backend.commit(key, Change(request=request("r")))
    assert first.revision == 1
    assert await backend.commit(key, Change(request=request("r"))) == first
    assert (await backend.commit(key, Change())).revision == 2


async def test_a_repeated_deletion(backend: Backend, key: Key) -> None:
    """Also one that found nothing: it must not remove what was made since."""
    assert not await backend.delete(key, request=request("nothing"))
    await backend.commit(key, appending(b"1", "r1"))
    assert not await backend.delete(key, request=request("nothing"))
    assert await backend.delete(key, request=request("something"))
    assert await backend.delete(key, request=request("something"))
    await backend.commit(key, appending(b"2", "r2"))
    assert await backend.delete(key, 99, request("something"))
    assert await records(backend, key) == [b"2"]
    assert (await backend.commit(key, Change())).revision == 5


async def test_a_commit_is_remembered_after_a_deletion(backend: Backend, key: Key) -> None:
    first = await backend.commit(key, appending(b"1", "r1"))
    await backend.delete(key)
    assert await backend.commit(key, appending(b"1", "r1")) == first
    assert await backend.read(key) is None


async def test_the_same_id_for_another_request(backend: Backend, key: Key) -> None:
    await backend.commit(key, appending(b"1", "r"))
    await backend.delete(key, request=request("d"))
    calls = [
        backend.commit(key, appending(b"2", "r")),
        backend.commit(key, appending(b"2", "r"), expected_revision=99),
        backend.delete(key, request=request("r", b"1")),
        backend.delete(key, request=request("r", b"2")),
    ]
    for call in calls:
        with pytest.raises(RequestIdReusedError) as refused:
            await call
        assert refused.value == RequestIdReusedError("r")
    for change in (Change(request=request("d")), Change(request=request("d", b"2"))):
        with pytest.raises(RequestIdReusedError):
            await backend.commit(key, change)
    assert await backend.read(key) is None
    assert (await backend.commit(key, Change())).revision == 3


async def test_a_request_that_failed_is_not_remembered(backend: Backend, key: Key) -> None:
    with pytest.raises(RevisionConflictError):
        await backend.commit(key, appending(b"1", "r"), expected_revision=1)
    with pytest.raises(RevisionConflictError):
        await backend.delete(key, expected_revision=1, request=request("d"))
    with pytest.raises(InvalidArgumentError, match="blobs"):
        await backend.commit(key, replace(appending(b"1", "r"), blobs=frozenset(["0" * 64])))
    assert (await backend.commit(key, appending(b"2", "r"))).revision == 1
    assert await backend.delete(key, request=request("d", b"other"))


async def test_keys_have_ledgers_of_their_own(backend: Backend, key: Key) -> None:
    others = [Key("default", "sessions", "two"), Key("default", "runs", "one"), Key("other", "sessions", "one")]
    for number, one in enumerate([key, *others]):
        assert (await backend.commit(one, appending(b"%d" % number, "r"))).revision == 1


async def test_the_oldest_requests_are_forgotten_first(backend: Backend, key: Key) -> None:
    for number in range(REQUESTS_KEPT + 1):
        await backend.commit(key, appending(b"%d" % number, f"r{number}"))
    for number in range(1, REQUESTS_KEPT + 1):
        assert (await backend.commit(key, appending(b"%d" % number, f"r{number}"))).revision == number + 1
    assert (await backend.commit(key, appending(b"0", "r0"))).revision == REQUESTS_KEPT + 2


async def test_concurrent_repeats_have_one_effect(backend: Backend, key: Key) -> None:
    for number in (1, 2):
        commits = await asyncio.gather(*(backend.commit(key, appending(b"x", f"r{number}"), 0) for _ in range(8)))
        assert [commit.revision for commit in commits] == [2 * number - 1] * 8
        assert len(set(commits)) == 1
        assert await records(backend, key) == [b"x"]
        assert (
            await asyncio.gather(*(backend.delete(key, request=request(f"d{number}")) for _ in range(8))) == [True] * 8
        )


@pytest.mark.parametrize("id_", ["emoji 🚀", '"\\\n', "x" * 512, "\U0010ffff" * 128, "../../etc"])
async def test_odd_request_ids(backend: Backend, key: Key, id_: str) -> None:
    first = await backend.commit(key, appending(b"1", id_))
    assert await backend.commit(key, appending(b"1", id_)) == first
    assert await records(backend, key) == [b"1"]


@pytest.mark.parametrize(
    ("refused", "named"),
    [
        (request(""), "request_id"),
        (request("nul\0"), "request_id"),
        (request("x" * 513), "request_id"),
        (request("\ud800"), "request_id"),
        (Request("r", "no digest"), "request_digest"),
    ],
)
async def test_refused_requests(backend: Backend, key: Key, refused: Request, named: str) -> None:
    for call in (backend.commit(key, Change({"a": b"1"}, request=refused)), backend.delete(key, request=refused)):
        with pytest.raises(InvalidArgumentError) as error:
            await call
        assert error.value.field == named
    assert await backend.read(key) is None


@dataclass
class Model:
    """What a key must be after some calls, kept in the plainest way."""

    revision: int = 0
    contents: list[bytes] | None = None
    ledger: OrderedDict[str, tuple[object, object]] = field(default_factory=OrderedDict)

    def call(self, kind: str, id_: str | None, content: bytes, expected: int | None) -> object:
        asked = (kind, content)
        if id_ in self.ledger:
            known, answer = self.ledger[id_]
            return answer if known == asked else RequestIdReusedError
        if expected not in (None, self.revision if self.contents is not None else 0):
            return RevisionConflictError
        answer = self.commit(content) if kind == "commit" else self.delete(has_request=id_ is not None)
        if id_ is not None:
            self.ledger[id_] = (asked, answer)
        return answer

    def commit(self, content: bytes) -> int:
        self.revision += 1
        self.contents = [*(self.contents or []), content]
        return self.revision

    def delete(self, *, has_request: bool) -> bool:
        existed, self.contents = self.contents is not None, None
        self.revision += existed or has_request
        return existed


CALLS = st.tuples(
    st.sampled_from(["commit", "commit", "delete", "reopen", "sweep"]),
    st.sampled_from([None, "a", "b", "c"]),
    st.sampled_from([b"x", b"x", b"y"]),
    st.sampled_from([None, None, None, 0, 1, 2]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=st.lists(CALLS, min_size=5, max_size=25))
async def test_any_calls_in_any_order(kind: str, backend: Backend, key: Key, calls: list[Any]) -> None:
    await backend.delete(key)
    await backend.sweep_deleted(0)
    model = Model()
    for operation, id_, content, expected in calls:
        match operation:
            case "commit" | "delete":
                answer = await called(backend, key, operation, id_, content, expected)
                assert answer == model.call(operation, id_, content, expected)
            case "reopen" if kind != "memory":
                await backend.aclose()
                await backend.open()
            case "sweep" if model.contents is None:
                assert await backend.sweep_deleted(0) == bool(model.revision)
                model = Model()
        assert await records(backend, key) == (model.contents or [])


async def called(
    backend: Backend, key: Key, operation: str, id_: str | None, content: bytes, expected: int | None
) -> object:
    made = None if id_ is None else request(id_, operation.encode() + content)
    try:
        if operation == "delete":
            return await backend.delete(key, expected, made)
        change = Change(logs={"l": Splice([content])}, request=made)
        return (await backend.commit(key, change, expected)).revision
    except (RequestIdReusedError, RevisionConflictError) as error:
        return type(error)
