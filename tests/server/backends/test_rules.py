"""What every backend promises about commits and reads."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from sessionstore.errors import RevisionConflictError, StoreClosedError
from sessionstore_server.backends.base import Backend, Change, Key, LogRange, Query, Splice, Summary
from sessionstore_server.backends.memory import MemoryBackend

ALL = LogRange()
DIGEST = "0" * 64


async def test_an_absent_key_reads_as_none(backend: Backend, key: Key) -> None:
    assert await backend.read(key, ["session"]) is None


async def test_revisions_grow_by_one(backend: Backend, key: Key) -> None:
    before = datetime.now(UTC)
    commits = [await backend.commit(key, Change(documents={"session": b"%d" % number})) for number in range(5)]
    assert [commit.revision for commit in commits] == [1, 2, 3, 4, 5]
    view = await backend.read(key, ["session"])
    assert view is not None
    assert (view.revision, view.commit_time, dict(view.documents)) == (5, commits[-1].commit_time, {"session": b"4"})
    assert before <= commits[0].commit_time <= commits[-1].commit_time <= datetime.now(UTC)


async def test_an_empty_change_is_a_commit(backend: Backend, key: Key) -> None:
    assert (await backend.commit(key, Change())).revision == 1
    view = await backend.read(key, ["", "a/"], {"": ALL, "a/": ALL})
    assert view is not None
    assert (dict(view.documents), dict(view.logs)) == ({}, {})


async def test_what_is_not_named_stays(backend: Backend, key: Key) -> None:
    await backend.commit(key, Change({"a": b"1", "b": b"2"}, {"x": Splice([b"3"])}, summary=Summary(b"s")))
    await backend.commit(key, Change({"b": b"4"}))
    view = await backend.read(key, ["a", "b", "absent"], {"x": ALL, "absent": ALL})
    assert view is not None
    assert dict(view.documents) == {"a": b"1", "b": b"4"}
    assert {name: list(log.records) for name, log in view.logs.items()} == {"x": [b"3"]}
    assert [
        (one.id, one.revision, one.summary) for one in await backend.list("default", "sessions", Query(), None, 9)
    ] == [("one", 2, b"s")]


async def test_removing_documents_and_logs(backend: Backend, key: Key) -> None:
    await backend.commit(key, Change({"a": b"1", "b": b"2"}, {"x": Splice([b"3"]), "y": Splice()}))
    await backend.commit(key, Change({"a": None, "never": None}, {"x": None, "never": None}))
    view = await backend.read(key, ["a", "b"], {"x": ALL, "y": ALL})
    assert view is not None
    assert (dict(view.documents), set(view.logs)) == ({"b": b"2"}, {"y"})


async def test_removing_below_a_name_that_ends_in_a_slash(backend: Backend, key: Key) -> None:
    documents = {"runs": b"i", "runs/a": b"1", "runs/b": b"2", "runsx": b"3"}
    logs = {"runs/a/events": Splice([b"1"]), "runs/b/events": Splice([b"2"]), "x": Splice([b"3"])}
    await backend.commit(key, Change(documents, logs))
    change = Change({"runs/": None, "runs/b": b"new"}, {"runs/": None, "runs/b/events": Splice([b"3"], keep=1)})
    await backend.commit(key, change)
    view = await backend.read(key, ["runs", "runs/", "runsx"], {"runs/": ALL, "x": ALL})
    assert view is not None
    assert dict(view.documents) == {"runs": b"i", "runs/b": b"new", "runsx": b"3"}
    assert {name: list(log.records) for name, log in view.logs.items()} == {"runs/b/events": [b"2", b"3"], "x": [b"3"]}


async def test_any_bytes_come_back(backend: Backend, key: Key) -> None:
    record = bytes(range(256))
    await backend.commit(
        key, Change({"d": record, "empty": b""}, {"l": Splice([record, b"", b"\n"])}, summary=Summary(b""))
    )
    view = await backend.read(key, ["d", "empty"], {"l": ALL})
    assert view is not None
    assert dict(view.documents) == {"d": record, "empty": b""}
    assert list(view.logs["l"].records) == [record, b"", b"\n"]
    assert [one.summary for one in await backend.list("default", "sessions", Query(), None, 1)] == [b""]


async def test_a_name_that_ends_in_a_slash_is_a_prefix(backend: Backend, key: Key) -> None:
    names = ["runs/1", "runs/2", "runs/2/x", "runs", "runsx/1", "other", "runs/"]
    await backend.commit(key, Change(dict.fromkeys(names, b"d"), {name: Splice([b"0", b"1"]) for name in names}))
    view = await backend.read(key, ["runs/", "other"], {"runs/": LogRange(1), "runs/2": ALL, "runs/2/": LogRange(2)})
    assert view is not None
    assert set(view.documents) == {"runs/1", "runs/2", "runs/2/x", "runs/", "other"}
    assert {name: len(log.records) for name, log in view.logs.items()} == {
        "runs/": 1,
        "runs/1": 1,
        "runs/2": 2,
        "runs/2/x": 0,
    }


async def test_expected_revisions(backend: Backend, key: Key) -> None:
    with pytest.raises(RevisionConflictError) as conflict:
        await backend.commit(key, Change(), expected_revision=1)
    assert conflict.value == RevisionConflictError("one", 1, 0)
    await backend.commit(key, Change(), expected_revision=0)
    with pytest.raises(RevisionConflictError) as conflict:
        await backend.commit(key, Change({"a": b"1"}, {"l": Splice([b"1"])}), expected_revision=0)
    assert conflict.value == RevisionConflictError("one", 0, 1)
    view = await backend.read(key, ["a"], {"l": ALL})
    assert view is not None
    assert (view.revision, dict(view.documents), dict(view.logs)) == (1, {}, {})


async def test_one_of_many_concurrent_commits_wins(backend: Backend, key: Key) -> None:
    for revision in (0, 1):
        outcomes = await asyncio.gather(
            *(
                backend.commit(key, Change({"a": b"%d" % number}, {"l": Splice([b"%d" % number])}), revision)
                for number in range(16)
            ),
            return_exceptions=True,
        )
        conflicts = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        assert conflicts == [RevisionConflictError("one", revision, revision + 1)] * 15
        view = await backend.read(key, ["a"], {"l": ALL})
        assert view is not None
        assert view.revision == revision + 1
        assert view.logs["l"].length == revision + 1
        assert view.logs["l"].records[-1] == view.documents["a"]


async def test_a_read_sees_one_revision(backend: Backend, key: Key) -> None:
    """Every commit sets the document to the length of the log; some shorten the log, which changes its file."""

    async def write() -> None:
        length = 0
        for number in range(60):
            keep = None if number % 5 else length // 2
            length = (length if keep is None else keep) + 3
            change = Change({"length": b"%d" % length}, {"l": Splice([b"x"] * 3, keep)})
            await backend.commit(key, change)

    writing = asyncio.create_task(write())
    reads = 0
    while not writing.done():
        view = await backend.read(key, ["length"], {"l": ALL})
        if view is not None:
            assert int(view.documents["length"]) == view.logs["l"].length == len(view.logs["l"].records)
        reads += 1
        await asyncio.sleep(0)
    await writing
    assert reads > 0


async def test_nothing_handed_in_is_shared(backend: Backend, key: Key) -> None:
    document: Any = bytearray(b"before")
    record: Any = bytearray(b"before")
    documents: dict[str, bytes | None] = {"d": document}
    records: list[bytes] = [record]
    commit = asyncio.create_task(
        backend.commit(key, Change(documents, {"l": Splice(records)}, summary=Summary(document)))
    )
    await asyncio.sleep(0)
    document[:] = record[:] = b"after!"
    documents["e"] = b"late"
    records.append(b"late")
    await commit
    view = await backend.read(key, ["d", "e"], {"l": ALL})
    assert view is not None
    assert (dict(view.documents), list(view.logs["l"].records)) == ({"d": b"before"}, [b"before"])
    assert [one.summary for one in await backend.list("default", "sessions", Query(), None, 1)] == [b"before"]


async def test_nothing_handed_out_is_shared(backend: Backend, key: Key) -> None:
    await backend.commit(key, Change({"d": b"1"}, {"l": Splice([b"1"])}))
    view = await backend.read(key, ["d"], {"l": ALL})
    assert view is not None
    await backend.commit(key, Change({"d": b"2"}, {"l": Splice([b"2"], keep=0)}))
    assert (view.revision, view.documents["d"], list(view.logs["l"].records)) == (1, b"1", [b"1"])
    documents, records = view.documents, view.logs["l"].records
    if isinstance(documents, dict):
        documents["d"] = b"mine"
    if isinstance(records, list):
        records.append(b"mine")
    again = await backend.read(key, ["d"], {"l": ALL})
    assert again is not None
    assert (again.documents["d"], list(again.logs["l"].records)) == (b"2", [b"2"])


async def test_health(backend: Backend) -> None:
    await backend.check_health()


async def test_a_closed_backend_says_so(backend: Backend, key: Key) -> None:
    await backend.aclose()
    await backend.aclose()
    for call in (
        backend.commit(key, Change()),
        backend.read(key),
        backend.delete(key),
        backend.history(key),
        backend.list("n", "c", Query(), None, 1),
        backend.count("n", "c", Query()),
        backend.feed("n", "c", None, 1),
        backend.wait(key, 0),
        backend.extend_upload(DIGEST, 0, b""),
        backend.upload_size(DIGEST),
        backend.finish_upload(DIGEST),
        backend.blob_size(DIGEST),
        backend.missing_blobs([]),
        backend.sweep_blobs(0),
        backend.sweep_deleted(0),
        backend.check_health(),
    ):
        with pytest.raises(StoreClosedError):
            await call


async def test_data_that_begins_anew_has_another_incarnation(backend: Backend) -> None:
    anew = MemoryBackend()
    await anew.open()
    assert 0 <= backend.incarnation != anew.incarnation < 1 << 63
    await anew.aclose()
