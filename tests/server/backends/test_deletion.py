"""What every backend promises about deletion: it is a commit, and the revision goes on."""

import asyncio
from hashlib import sha256

import pytest

from sessionstore.errors import RevisionConflictError
from sessionstore_server.backends.base import (
    Backend,
    Change,
    Key,
    ListPosition,
    LogRange,
    Query,
    Request,
    Splice,
    Summary,
)

ALL = LogRange()
FULL = Change({"a": b"1"}, {"l": Splice([b"1"])}, summary=Summary(b"s"))
REQUEST = Request("r", "0" * 64)


async def test_a_deleted_key_reads_as_absent(backend: Backend, key: Key) -> None:
    await backend.commit(key, FULL)
    assert await backend.delete(key)
    assert await backend.read(key, ["a"], {"l": ALL}) is None
    assert await backend.list("default", "sessions", Query(), None, 9) == []
    assert not await backend.delete(key)


async def test_the_revision_goes_on(backend: Backend, key: Key) -> None:
    """Deleting what is absent is no commit."""
    assert not await backend.delete(key)
    for revision in (1, 3, 5):
        assert (await backend.commit(key, FULL, expected_revision=0)).revision == revision
        assert await backend.delete(key)
        assert not await backend.delete(key)


async def test_nothing_comes_back(backend: Backend, key: Key) -> None:
    await backend.commit(key, FULL)
    await backend.delete(key)
    assert (await backend.commit(key, Change())).revision == 3
    view = await backend.read(key, ["a"], {"l": ALL})
    assert view is not None
    assert (view.revision, dict(view.documents), dict(view.logs)) == (3, {}, {})
    assert await backend.list("default", "sessions", Query(), None, 9) == []


async def test_a_held_prefix_is_never_that_of_a_deleted_log(backend: Backend, key: Key) -> None:
    held = (await backend.commit(key, FULL)).revision
    await backend.delete(key)
    await backend.commit(key, FULL)
    view = await backend.read(key, logs={"l": ALL})
    assert view is not None
    assert (list(view.logs["l"].records), view.logs["l"].shortened_at) == ([b"1"], 3)
    assert view.logs["l"].shortened_at > held


async def test_deleting_at_a_revision(backend: Backend, key: Key) -> None:
    with pytest.raises(RevisionConflictError):
        await backend.delete(key, expected_revision=1)
    assert not await backend.delete(key, expected_revision=0)
    await backend.commit(key, Change())
    with pytest.raises(RevisionConflictError) as conflict:
        await backend.delete(key, expected_revision=2)
    assert conflict.value == RevisionConflictError("one", 2, 1)
    assert await backend.delete(key, expected_revision=1)


async def test_a_deleted_key_has_no_revision_for_callers(backend: Backend, key: Key) -> None:
    await backend.commit(key, FULL)
    await backend.delete(key)
    for call in (backend.commit(key, FULL, expected_revision=2), backend.delete(key, expected_revision=2)):
        with pytest.raises(RevisionConflictError) as conflict:
            await call
        assert conflict.value == RevisionConflictError("one", 2, 0)
    assert not await backend.delete(key, expected_revision=0)


async def test_one_of_many_concurrent_deletes_finds_it(backend: Backend, key: Key) -> None:
    await backend.commit(key, Change())
    assert sorted(await asyncio.gather(*(backend.delete(key) for _ in range(8)))) == [False] * 7 + [True]


async def test_readers_and_deletes(backend: Backend, key: Key) -> None:
    async def recreate() -> None:
        for _ in range(30):
            await backend.commit(key, FULL)
            assert await backend.delete(key)

    writing = asyncio.create_task(recreate())
    seen = [0]
    while not writing.done():
        view = await backend.read(key, ["a"], {"l": ALL})
        if view is not None:
            assert (view.documents["a"], list(view.logs["l"].records)) == (b"1", [b"1"])
            seen.append(view.revision)
        await asyncio.sleep(0)
    await writing
    assert all(revision % 2 for revision in seen[1:])
    assert seen == sorted(seen)


async def test_lists_pass_over_deleted_keys(backend: Backend) -> None:
    keys = [Key("default", "sessions", f"{number}") for number in range(9)]
    for key in keys:
        await backend.commit(key, FULL)
    for key in keys[::2]:
        await backend.delete(key)
    assert [one.id for one in await backend.list("default", "sessions", Query(), None, 3)] == ["1", "3", "5"]
    assert [one.id for one in await backend.list("default", "sessions", Query(), ListPosition(None, "3"), 3)] == [
        "5",
        "7",
    ]


async def test_sweeping_forgets_deleted_keys(backend: Backend, key: Key) -> None:
    """Also one of which nothing but a request is known; what is young or lives again stays."""
    alive, revived, refused = (Key("default", "sessions", id_) for id_ in ("alive", "revived", "~" * 300))
    for one in (key, alive, revived):
        await backend.commit(one, FULL)
    await backend.delete(key, request=REQUEST)
    await backend.delete(revived)
    await backend.commit(revived, FULL)
    assert not await backend.delete(refused, request=REQUEST)
    assert await backend.sweep_deleted(3600) == 0
    assert (await backend.commit(key, FULL)).revision == 3
    await backend.delete(key)
    assert await backend.sweep_deleted(0) == 2
    assert await backend.sweep_deleted(0) == 0
    assert [one.id for one in await backend.list("default", "sessions", Query(), None, 9)] == ["alive", "revived"]
    for one, revision in ((key, 1), (refused, 1), (alive, 2), (revived, 4)):
        assert (await backend.commit(one, FULL)).revision == revision
    assert await backend.delete(key, request=REQUEST)


async def test_sweeps_and_writers(backend: Backend, key: Key) -> None:
    """A key is swept between any two calls of its writer, and never while it holds something."""

    async def recreate() -> None:
        for _ in range(20):
            commit = await backend.commit(key, FULL, expected_revision=0)
            view = await backend.read(key, ["a"], {"l": ALL})
            assert view is not None
            assert (view.revision, view.documents["a"], list(view.logs["l"].records)) == (
                commit.revision,
                b"1",
                [b"1"],
            )
            assert await backend.delete(key, expected_revision=commit.revision)
            await asyncio.sleep(0)

    writing = asyncio.create_task(recreate())
    while not writing.done():
        await backend.sweep_deleted(0)
        await asyncio.sleep(0)
    await writing


async def test_blobs_of_a_deleted_key_go_once(backend: Backend, key: Key) -> None:
    digest = sha256(b"").hexdigest()

    async def nothing():
        return
        yield

    await backend.put_blob(digest, nothing())
    await backend.commit(key, Change(blobs=frozenset([digest])))
    await backend.delete(key)
    assert await backend.missing_blobs([digest]) == {digest}
    await backend.put_blob(digest, nothing())
    assert not await backend.delete(key, request=REQUEST)
    await backend.commit(key, Change())
    assert await backend.missing_blobs([digest]) == set()
    assert await backend.sweep_blobs(0) == 1
