"""What a backend promises whose storage several processes use at the same time."""

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256

from sessionstore.errors import RevisionConflictError, StaleBaseError
from sessionstore_server.backends.base import Backend, Change, Key, LogRange, Request, Splice

ALL = LogRange()


async def records(backend: Backend, key: Key) -> list[bytes]:
    view = await backend.read(key, logs={"l": ALL})
    return list(view.logs["l"].records) if view else []


async def test_each_sees_what_the_other_committed(backend: Backend, another: Backend, key: Key) -> None:
    for number, (writer, reader) in enumerate([(backend, another), (another, backend)] * 3):
        change = Change({"a": b"%d" % number}, {"l": Splice([b"%d" % number], length=number)})
        commit = await writer.commit(key, change, expected_revision=number)
        view = await reader.read(key, ["a"], {"l": ALL})
        assert view is not None
        assert (view.revision, view.commit_time, view.documents["a"]) == (
            commit.revision,
            commit.commit_time,
            b"%d" % number,
        )
        assert list(view.logs["l"].records) == [b"%d" % one for one in range(number + 1)]


async def test_one_of_both_wins(backend: Backend, another: Backend, key: Key) -> None:
    for revision in range(12):
        outcomes = await asyncio.gather(
            *(one.commit(key, Change(logs={"l": Splice([b"x"])}), revision) for one in (backend, another)),
            return_exceptions=True,
        )
        assert outcomes.count(RevisionConflictError("one", revision, revision + 1)) == 1
    assert len(await records(backend, key)) == len(await records(another, key)) == 12


async def test_the_other_shortens(backend: Backend, another: Backend, key: Key) -> None:
    await backend.commit(key, Change(logs={"l": Splice([b"0", b"1", b"2"])}))
    await another.commit(key, Change(logs={"l": Splice([b"x"], keep=1)}))
    await backend.commit(key, Change(logs={"l": Splice([b"y"])}))
    assert await records(another, key) == [b"0", b"x", b"y"]
    outcomes = await asyncio.gather(
        backend.commit(key, Change(logs={"l": Splice([b"z"], since=1)})),
        another.commit(key, Change(logs={"l": Splice([b"z"], length=4)})),
        return_exceptions=True,
    )
    assert outcomes == [StaleBaseError("one", "l")] * 2


async def test_the_other_deletes(backend: Backend, another: Backend, key: Key) -> None:
    await backend.commit(key, Change({"a": b"1"}, {"l": Splice([b"0"])}))
    assert await another.delete(key, expected_revision=1)
    assert await backend.read(key) is None
    assert (await backend.commit(key, Change(logs={"l": Splice([b"1"], length=0)}), expected_revision=0)).revision == 3
    assert await records(another, key) == [b"1"]


async def test_appends_of_both_all_arrive(backend: Backend, another: Backend, key: Key) -> None:
    changes = [Change(logs={"l": Splice([b"%d" % number])}) for number in range(20)]
    commits = await asyncio.gather(
        *((backend if number % 2 else another).commit(key, change) for number, change in enumerate(changes))
    )
    assert sorted(commit.revision for commit in commits) == list(range(1, 21))
    assert sorted(await records(another, key), key=int) == [b"%d" % number for number in range(20)]


async def test_a_request_is_answered_by_both(backend: Backend, another: Backend, key: Key) -> None:
    for number in range(3):
        change = Change(logs={"l": Splice([b"x"])}, request=Request(f"{number}", sha256(b"").hexdigest()))
        commits = await asyncio.gather(*(one.commit(key, change) for one in (backend, another) * 3))
        assert [commit.revision for commit in commits] == [number + 1] * 6
        assert len(set(commits)) == 1
    assert await records(backend, key) == [b"x"] * 3


async def test_blobs_are_shared(backend: Backend, another: Backend, key: Key) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"blob"

    digest = sha256(b"blob").hexdigest()
    await backend.put_blob(digest, pieces())
    await another.commit(key, Change(blobs=frozenset([digest])))
    assert await backend.sweep_blobs(0) == 0
    assert b"".join([piece async for piece in another.get_blob(digest)]) == b"blob"
    await backend.delete(key)
    assert await another.missing_blobs([digest]) == {digest}


async def test_the_data_has_one_incarnation(backend: Backend, another: Backend, key: Key) -> None:
    incarnation = backend.incarnation
    assert 0 <= another.incarnation == incarnation < 1 << 63
    await backend.commit(key, Change())
    await backend.aclose()
    await backend.open()
    assert backend.incarnation == incarnation
