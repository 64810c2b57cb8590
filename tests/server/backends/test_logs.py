"""What every backend promises about logs: appending, shortening, ranges, and splices made on a base."""

import asyncio

import pytest

from sessionstore.errors import InvalidArgumentError, StaleBaseError
from sessionstore_server.backends.base import Backend, Change, Key, LogRange, Splice

ALL = LogRange()


async def append(backend: Backend, key: Key, *records: bytes) -> int:
    return (await backend.commit(key, Change(logs={"messages": Splice(records)}))).revision


async def log_of(backend: Backend, key: Key, span: LogRange = ALL) -> list[bytes]:
    view = await backend.read(key, logs={"messages": span})
    assert view is not None
    return list(view.logs["messages"].records)


async def test_a_removed_log_starts_anew(backend: Backend, key: Key) -> None:
    await append(backend, key, b"1", b"2")
    await backend.commit(key, Change(logs={"messages": None}))
    await append(backend, key, b"3")
    view = await backend.read(key, logs={"messages": ALL})
    assert view is not None
    assert (list(view.logs["messages"].records), view.logs["messages"].shortened_at) == ([b"3"], 3)


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


@pytest.mark.parametrize("length", [0, 1, 3])
async def test_appending_at_another_length(backend: Backend, key: Key, length: int) -> None:
    await append(backend, key, b"0", b"1")
    with pytest.raises(StaleBaseError) as stale:
        await backend.commit(key, Change({"a": b"1"}, {"messages": Splice([b"x"], length=length)}))
    assert stale.value == StaleBaseError("one", "messages")
    view = await backend.read(key, ["a"], {"messages": ALL})
    assert view is not None
    assert (view.revision, dict(view.documents), view.logs["messages"].length) == (1, {}, 2)


async def test_appending_at_the_length(backend: Backend, key: Key) -> None:
    """An absent log has no records, and the length is that before anything is removed."""
    for length in range(3):
        await backend.commit(key, Change(logs={"messages": Splice([b"%d" % length], length=length)}))
    await backend.commit(key, Change(logs={"messages": Splice([b"x"], keep=1, length=3)}))
    assert await log_of(backend, key) == [b"0", b"x"]


async def test_concurrent_appends_all_arrive(backend: Backend, key: Key) -> None:
    revisions = await asyncio.gather(*(append(backend, key, b"%d" % number) for number in range(16)))
    assert sorted(revisions) == list(range(1, 17))
    assert sorted(await log_of(backend, key), key=int) == [b"%d" % number for number in range(16)]


async def test_one_of_many_appends_at_the_length_wins(backend: Backend, key: Key) -> None:
    for length in range(3):
        change = Change(logs={"messages": Splice([b"x"], length=length)})
        outcomes = await asyncio.gather(*(backend.commit(key, change) for _ in range(8)), return_exceptions=True)
        assert outcomes.count(StaleBaseError("one", "messages")) == 7
    assert await log_of(backend, key) == [b"x"] * 3


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
