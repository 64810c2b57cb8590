"""What every backend promises about keys, documents and logs."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from sessionstore.errors import InvalidArgumentError, RevisionConflictError, StaleBaseError, StoreClosedError
from sessionstore_server.backends.base import Backend, Change, Key, LogRange, Splice

ALL = LogRange()


async def append(backend: Backend, key: Key, *records: bytes, log: str = "messages") -> int:
    return (await backend.commit(key, Change(logs={log: Splice(records)}))).revision


async def log_of(backend: Backend, key: Key, log: str = "messages", span: LogRange = ALL) -> list[bytes]:
    view = await backend.read(key, logs={log: span})
    assert view is not None
    return list(view.logs[log].records)


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
    await backend.commit(key, Change({"a": b"1", "b": b"2"}, {"x": Splice([b"3"])}, summary=b"s"))
    await backend.commit(key, Change({"b": b"4"}))
    view = await backend.read(key, ["a", "b", "absent"], {"x": ALL, "absent": ALL})
    assert view is not None
    assert dict(view.documents) == {"a": b"1", "b": b"4"}
    assert {name: list(log.records) for name, log in view.logs.items()} == {"x": [b"3"]}
    assert [(one.id, one.revision, one.summary) for one in await backend.list("default", "sessions", None, 9)] == [
        ("one", 2, b"s")
    ]


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


async def test_a_removed_log_starts_anew(backend: Backend, key: Key) -> None:
    await append(backend, key, b"1", b"2")
    await backend.commit(key, Change(logs={"messages": None}))
    await append(backend, key, b"3")
    view = await backend.read(key, logs={"messages": ALL})
    assert view is not None
    assert (list(view.logs["messages"].records), view.logs["messages"].shortened_at) == ([b"3"], 3)


async def test_any_bytes_come_back(backend: Backend, key: Key) -> None:
    record = bytes(range(256))
    await backend.commit(key, Change({"d": record, "empty": b""}, {"l": Splice([record, b"", b"\n"])}, summary=b""))
    view = await backend.read(key, ["d", "empty"], {"l": ALL})
    assert view is not None
    assert dict(view.documents) == {"d": record, "empty": b""}
    assert list(view.logs["l"].records) == [record, b"", b"\n"]
    assert [one.summary for one in await backend.list("default", "sessions", None, 1)] == [b""]


async def test_a_log_exists_from_its_first_splice(backend: Backend, key: Key) -> None:
    await backend.commit(key, Change(logs={"empty": Splice()}))
    view = await backend.read(key, logs={"empty": ALL, "never": ALL})
    assert view is not None
    assert {name: log.length for name, log in view.logs.items()} == {"empty": 0}


async def test_appending_and_shortening(backend: Backend, key: Key) -> None:
    await append(backend, key, b"0", b"1", b"2")
    await append(backend, key, b"3")
    await backend.commit(key, Change(logs={"messages": Splice([b"4"], keep=4)}))
    view = await backend.read(key, logs={"messages": ALL})
    assert view is not None
    assert view.logs["messages"].shortened_at == 1
    await backend.commit(key, Change(logs={"messages": Splice([b"x", b"y"], keep=2)}))
    await append(backend, key, b"z")
    view = await backend.read(key, logs={"messages": ALL})
    assert view is not None
    log = view.logs["messages"]
    assert (list(log.records), log.length, log.shortened_at) == ([b"0", b"1", b"x", b"y", b"z"], 5, 4)


async def test_emptying_a_log(backend: Backend, key: Key) -> None:
    await append(backend, key, b"0")
    await backend.commit(key, Change(logs={"messages": Splice(keep=0)}))
    assert await log_of(backend, key) == []
    await append(backend, key, b"1")
    assert await log_of(backend, key) == [b"1"]


async def test_a_shortened_long_log_keeps_its_prefix(backend: Backend, key: Key) -> None:
    records = [b"%06d" % number * 2000 for number in range(200)]
    for start in range(0, 200, 10):
        await append(backend, key, *records[start : start + 10])
    await backend.commit(key, Change(logs={"messages": Splice([b"end"], keep=155)}))
    assert await log_of(backend, key) == [*records[:155], b"end"]
    assert await log_of(backend, key, span=LogRange(150, 156)) == [*records[150:155], b"end"]


@pytest.mark.parametrize("keep", [-1, 3])
async def test_keeping_more_than_there_is(backend: Backend, key: Key, keep: int) -> None:
    await append(backend, key, b"0", b"1")
    with pytest.raises(InvalidArgumentError, match=r"logs\['messages'\].keep"):
        await backend.commit(key, Change({"a": b"1"}, {"b": Splice([b"2"]), "messages": Splice([], keep=keep)}))
    view = await backend.read(key, ["a"], {"b": ALL, "messages": ALL})
    assert view is not None
    assert (view.revision, dict(view.documents), set(view.logs)) == (1, {}, {"messages"})


async def test_keeping_records_of_a_new_log(backend: Backend, key: Key) -> None:
    with pytest.raises(InvalidArgumentError):
        await backend.commit(key, Change(logs={"messages": Splice([], keep=1)}))
    assert await backend.read(key) is None


async def test_a_base_that_is_still_there(backend: Backend, key: Key) -> None:
    """Records that were added after it do not matter, nor does a splice that shortens nothing."""
    seen = await append(backend, key, b"0", b"1")
    await append(backend, key, b"2")
    await backend.commit(key, Change(logs={"messages": Splice([b"x"], keep=2, since=seen)}))
    assert await log_of(backend, key) == [b"0", b"1", b"x"]


@pytest.mark.parametrize("between", ["shortened", "emptied", "removed", "deleted", "made again"])
async def test_a_base_that_is_gone(backend: Backend, key: Key, between: str) -> None:
    """Also when there are as many records again; the refused change changes nothing."""
    seen = await append(backend, key, b"0", b"1")
    match between:
        case "shortened":
            await backend.commit(key, Change(logs={"messages": Splice([b"y"], keep=1)}))
        case "emptied":
            await backend.commit(key, Change(logs={"messages": Splice(keep=0)}))
        case "removed":
            await backend.commit(key, Change(logs={"messages": None}))
        case "deleted":
            await backend.delete(key)
        case "made again":
            await backend.delete(key)
            await append(backend, key, b"0", b"1")
    before = await backend.read(key, ["a"], {"messages": ALL})
    for keep in (2, 1, None):
        with pytest.raises(StaleBaseError) as stale:
            await backend.commit(key, Change({"a": b"1"}, {"messages": Splice([b"x"], keep, since=seen)}))
        assert stale.value == StaleBaseError("one", "messages")
    assert await backend.read(key, ["a"], {"messages": ALL}) == before


async def test_a_base_longer_than_the_log(backend: Backend, key: Key) -> None:
    seen = await append(backend, key, b"0")
    with pytest.raises(StaleBaseError):
        await backend.commit(key, Change(logs={"messages": Splice([b"x"], keep=2, since=seen)}))


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        (LogRange(0, 3), ["0", "1", "2"]),
        (LogRange(8), ["8", "9"]),
        (LogRange(4, 5), ["4"]),
        (LogRange(8, 100), ["8", "9"]),
        (LogRange(10), []),
        (LogRange(50, 60), []),
        (LogRange(5, 2), []),
    ],
)
async def test_ranges(backend: Backend, key: Key, span: LogRange, expected: list[str]) -> None:
    await append(backend, key, *(b"%d" % number for number in range(10)))
    view = await backend.read(key, logs={"messages": span})
    assert view is not None
    log = view.logs["messages"]
    assert ([record.decode() for record in log.records], log.start, log.length) == (expected, span.start, 10)


async def test_ranges_of_a_long_log(backend: Backend, key: Key) -> None:
    records = [b"%05d" % number * 1000 for number in range(300)]
    for start in range(0, 300, 7):
        await append(backend, key, *records[start : start + 7])
    for start, stop in [(0, 300), (0, 1), (299, 300), (49, 50), (48, 51), (100, 250), (7, 7)]:
        assert await log_of(backend, key, span=LogRange(start, stop)) == records[start:stop]


async def test_negative_ranges_are_refused(backend: Backend, key: Key) -> None:
    await append(backend, key, b"0")
    for span in (LogRange(-1), LogRange(0, -1)):
        with pytest.raises(InvalidArgumentError, match=r"logs\['messages'\]"):
            await backend.read(key, logs={"messages": span})


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


async def test_concurrent_appends_all_arrive(backend: Backend, key: Key) -> None:
    revisions = await asyncio.gather(*(append(backend, key, b"%d" % number) for number in range(16)))
    assert sorted(revisions) == list(range(1, 17))
    assert sorted(await log_of(backend, key), key=int) == [b"%d" % number for number in range(16)]


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
    commit = asyncio.create_task(backend.commit(key, Change(documents, {"l": Splice(records)}, summary=document)))
    await asyncio.sleep(0)
    document[:] = record[:] = b"after!"
    documents["e"] = b"late"
    records.append(b"late")
    await commit
    view = await backend.read(key, ["d", "e"], {"l": ALL})
    assert view is not None
    assert (dict(view.documents), list(view.logs["l"].records)) == ({"d": b"before"}, [b"before"])
    assert [one.summary for one in await backend.list("default", "sessions", None, 1)] == [b"before"]


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
        backend.list("n", "c", None, 1),
        backend.missing_blobs([]),
        backend.sweep_blobs(0),
        backend.sweep_deleted(0),
        backend.check_health(),
    ):
        with pytest.raises(StoreClosedError):
            await call
