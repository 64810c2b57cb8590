"""What every backend promises about the past revisions of a key."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from hashlib import sha256

import pytest

from sessionstore.errors import RevisionNotKeptError, StaleBaseError
from sessionstore_server.backends.base import REVISIONS_KEPT, Backend, Change, Key, LogRange, Request, Splice, View

ALL = LogRange()


async def read(backend: Backend, key: Key, revision: int | None = None) -> View:
    view = await backend.read(key, ["a", "b", "runs/"], {"l": ALL, "runs/": ALL}, revision)
    assert view is not None
    return view


async def revisions(backend: Backend, key: Key) -> list[int]:
    return [commit.revision for commit in await backend.history(key)]


async def blob(backend: Backend, content: bytes) -> str:
    async def pieces() -> AsyncIterator[bytes]:
        yield content

    digest = sha256(content).hexdigest()
    await backend.put_blob(digest, pieces())
    return digest


CHANGES = [
    Change({"a": b"1", "runs/1": b"r"}, {"l": Splice([b"0", b"1", b"2"])}),
    Change({"a": b"2"}, {"runs/1/events": Splice([b"e"])}),
    Change({"b": b"3"}, {"l": Splice([b"3"])}),
    Change({"a": None}, {"l": Splice([b"x", b"y"], keep=1)}),
    Change(),
    Change({"runs/": None}, {"l": Splice(keep=0)}),
    Change({"a": b"7"}, {"l": None, "runs/": None}),
    Change({"a": b"8"}, {"l": Splice([b"z"]), "runs/1/events": Splice()}),
    Change({"a": b"9", "b": None}, {"l": Splice([b"0", b"1"])}),
]
"""Of every kind: added, replaced, removed, shortened, emptied, made again."""


async def test_past_revisions_read_as_they_were(backend: Backend, key: Key) -> None:
    views = []
    for change in CHANGES:
        await backend.commit(key, change)
        views.append(await read(backend, key))
    for view in views:
        assert await read(backend, key, view.revision) == view


async def test_past_revisions_in_the_words_of_the_rules(backend: Backend, key: Key) -> None:
    for change in CHANGES:
        await backend.commit(key, change)
    third, fourth, last = [await read(backend, key, revision) for revision in (3, 4, 9)]
    assert dict(third.documents) == {"a": b"2", "b": b"3", "runs/1": b"r"}
    assert (list(third.logs["l"].records), third.logs["l"].shortened_at) == ([b"0", b"1", b"2", b"3"], 1)
    assert dict(fourth.documents) == {"b": b"3", "runs/1": b"r"}
    assert (list(fourth.logs["l"].records), fourth.logs["l"].shortened_at) == ([b"0", b"x", b"y"], 4)
    assert dict(last.documents) == {"a": b"9"}
    assert (list(last.logs["l"].records), last.logs["l"].shortened_at) == ([b"z", b"0", b"1"], 8)


async def test_ranges_of_a_past_log(backend: Backend, key: Key) -> None:
    await backend.commit(key, Change(logs={"l": Splice([b"0", b"1", b"2"])}))
    await backend.commit(key, Change(logs={"l": Splice([b"3"])}))
    await backend.commit(key, Change(logs={"l": Splice([b"x"], keep=1)}))
    for span, expected in ((LogRange(1), [b"1", b"2"]), (LogRange(2, 9), [b"2"]), (LogRange(3), []), (LogRange(7), [])):
        view = await backend.read(key, logs={"l": span}, revision=1)
        assert view is not None
        assert (list(view.logs["l"].records), view.logs["l"].start, view.logs["l"].length) == (expected, span.start, 3)


async def test_the_history_tells_the_commits(backend: Backend, key: Key) -> None:
    """Also those that were not answered anew, once."""
    assert await backend.history(key) == []
    request = Request("r", sha256(b"").hexdigest())
    commits = [await backend.commit(key, change) for change in CHANGES]
    commits.append(await backend.commit(key, Change(request=request)))
    await backend.commit(key, Change(request=request))
    assert await backend.history(key) == commits
    assert all(isinstance(commit.commit_time, datetime) and commit.commit_time.tzinfo for commit in commits)


async def test_the_last_revisions_are_kept(backend: Backend, key: Key) -> None:
    """Each with its own records, however often the log was shortened in between."""
    last = 2 * REVISIONS_KEPT + 5
    for revision in range(1, last + 1):
        keep = None if revision % 7 else 2
        await backend.commit(key, Change({"a": b"%d" % revision}, {"l": Splice([b"%d" % revision] * 2, keep)}))
    kept = list(range(last - REVISIONS_KEPT + 1, last + 1))
    assert await revisions(backend, key) == kept
    for revision in kept:
        view = await read(backend, key, revision)
        assert (view.revision, view.documents["a"], view.logs["l"].records[-1]) == (revision, *[b"%d" % revision] * 2)
        assert view.logs["l"].length == len(view.logs["l"].records)
    with pytest.raises(RevisionNotKeptError):
        await read(backend, key, kept[0] - 1)


async def test_what_no_key_ever_held(backend: Backend, key: Key) -> None:
    assert await backend.read(key, revision=1) is None
    await backend.commit(key, Change())
    for revision in (-1, 0, 2, 1 << 62):
        with pytest.raises(RevisionNotKeptError) as refused:
            await backend.read(key, revision=revision)
        assert refused.value == RevisionNotKeptError("one", revision)


async def test_a_deletion_ends_the_history(backend: Backend, key: Key) -> None:
    await backend.commit(key, CHANGES[0])
    await backend.delete(key)
    assert await backend.history(key) == []
    assert await backend.read(key, revision=1) is None
    await backend.commit(key, Change())
    await backend.commit(key, Change())
    assert await revisions(backend, key) == [3, 4]
    for revision in (1, 2):
        with pytest.raises(RevisionNotKeptError):
            await backend.read(key, revision=revision)
    assert dict((await read(backend, key, 3)).documents) == {}


async def test_giving_up_a_blob_ends_the_history(backend: Backend, key: Key) -> None:
    """Taking one more does not."""
    first, second = await blob(backend, b"1"), await blob(backend, b"2")
    for digests in ([first], [first], [first, second]):
        await backend.commit(key, Change({"a": b"1"}, blobs=frozenset(digests)))
    await backend.commit(key, Change({"a": b"2"}))
    assert await revisions(backend, key) == [1, 2, 3, 4]
    await backend.commit(key, Change({"a": b"3"}, {"l": Splice([b"1"])}, blobs=frozenset([second])))
    assert await revisions(backend, key) == [5]
    assert await backend.missing_blobs([first, second]) == {first}
    with pytest.raises(RevisionNotKeptError):
        await read(backend, key, 4)
    await backend.commit(key, Change({"a": b"4"}, {"l": Splice(keep=0)}))
    assert await revisions(backend, key) == [5, 6]
    past = await read(backend, key, 5)
    assert (dict(past.documents), list(past.logs["l"].records)) == ({"a": b"3"}, [b"1"])


async def test_a_refused_commit_is_no_part_of_the_history(backend: Backend, key: Key) -> None:
    await backend.commit(key, CHANGES[0])
    with pytest.raises(StaleBaseError):
        await backend.commit(key, Change(logs={"l": Splice([b"x"], length=9)}))
    await backend.commit(key, Change(logs={"l": Splice([b"3"])}))
    assert await revisions(backend, key) == [1, 2]
    assert (await read(backend, key, 1)).logs["l"].length == 3


async def test_reading_the_past_while_it_goes_on(backend: Backend, key: Key) -> None:
    """A revision that the history told is read as it was, or is not kept any more."""

    async def write() -> None:
        for number in range(1, 3 * REVISIONS_KEPT):
            keep = 0 if number % 4 == 0 else None
            await backend.commit(key, Change({"a": b"%d" % number}, {"l": Splice([b"%d" % number], keep)}))
            await asyncio.sleep(0)

    writing = asyncio.create_task(write())
    while not writing.done():
        for revision in (await revisions(backend, key))[::8]:
            try:
                view = await read(backend, key, revision)
            except RevisionNotKeptError:
                continue
            assert view.documents["a"] == view.logs["l"].records[-1] == b"%d" % revision
            assert (
                view.logs["l"].length == len(view.logs["l"].records) == (revision % 4 + 1 if revision > 3 else revision)
            )
        await asyncio.sleep(0)
    await writing


async def test_the_history_outlives_the_backend(backend: Backend, another: Backend, key: Key) -> None:
    views = []
    for change in CHANGES:
        await backend.commit(key, change)
        views.append(await read(backend, key))
    await backend.aclose()
    await backend.open()
    for reader in (backend, another):
        assert await revisions(reader, key) == [view.revision for view in views]
        for view in views:
            assert await read(reader, key, view.revision) == view
