"""A fork shares the log files of its origin, and neither can harm the other."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, create_subprocess_exec
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from sessionstore.errors import DataCorruptionError
from sessionstore_server.backends.base import Change, Key, LogRange, Origin, Splice
from sessionstore_server.backends.file import FileBackend, RecordCodec

Opened = Callable[..., AbstractAsyncContextManager[FileBackend]]

WRITER = Path(__file__).with_name("writer.py")
FORK = Key("default", "sessions", "fork")
RECORD = b'"' + b"m" * 1022 + b'"'


async def log_of(backend: FileBackend, key: Key) -> list[bytes]:
    view = await backend.read(key, logs={"messages": LogRange()})
    assert view is not None
    return list(view.logs["messages"].records)


def appended(*records: bytes, keep: int | None = None) -> Change:
    return Change(logs={"messages": Splice(records, keep)})


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_a_fork_costs_the_same_however_long_the_log_is(
    opened: Opened, root: Path, folder: Path, key: Key, codec: RecordCodec, written: Callable[[], int]
) -> None:
    async with opened(codec) as backend:
        await backend.commit(key, Change(logs={"messages": Splice([RECORD] * 10_000), "traces": Splice([RECORD])}))
        before = written()
        await backend.commit(FORK, Change(origin=Origin(key, 1)))
        assert written() - before < 2_000
        before = written()
        await backend.commit(FORK, appended(RECORD))
        assert written() - before < len(RECORD) + 1_000
        assert await log_of(backend, FORK) == [RECORD] * 10_001
    shared = root / "default/sessions/fork/messages.1-0.jsonl"
    assert shared.samefile(folder / "messages.1.jsonl")
    assert (root / "default/sessions/fork/messages.2.jsonl").read_bytes() == RECORD + b"\n"


async def test_a_shorter_fork_copies_only_from_the_file_that_is_cut(
    opened: Opened, root: Path, key: Key, codec: RecordCodec, written: Callable[[], int]
) -> None:
    async with opened(codec) as backend:
        await backend.commit(key, appended(*[RECORD] * 1_000))
        await backend.commit(FORK, Change(origin=Origin(key, 1)))
        await backend.commit(FORK, appended(b"1", b"2", b"3"))
        before = written()
        await backend.commit(FORK, appended(b"4", keep=1_001))
        await backend.commit(FORK, appended(b"5", keep=1_000))
        assert written() - before < 3_000
        assert await log_of(backend, FORK) == [RECORD] * 1_000 + [b"5"]
        await backend.commit(FORK, appended(b"6", keep=500))
        assert await log_of(backend, FORK) == [RECORD] * 500 + [b"6"]
        assert len(await log_of(backend, key)) == 1_000
    assert (root / "default/sessions/fork/messages.5.jsonl").stat().st_size == 500 * (len(RECORD) + 1) + 2


async def test_both_go_on(opened: Opened, key: Key) -> None:
    """Also when each is read by another process, and after generations."""
    async with opened() as backend, opened() as reader:
        await backend.commit(key, appended(b"1"))
        for number in range(5):
            revision = (await backend.commit(key, appended(b"origin"))).revision
            await backend.commit(Key("default", "sessions", f"{number}"), Change(origin=Origin(key, revision)))
            key = Key("default", "sessions", f"{number}")
            await backend.commit(key, appended(b"%d" % number))
        expected = [b"1", b"origin"]
        for number in range(5):
            expected += [b"%d" % number, b"origin"]
            fork = Key("default", "sessions", f"{number}")
            assert await log_of(reader, fork) == (expected if number < 4 else expected[:-1])


@pytest.mark.parametrize("revision", [1, 2, 3])
async def test_an_interrupted_append_to_the_origin(
    opened: Opened, folder: Path, key: Key, revision: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The next commit of the origin cuts it off; the fork has nothing that is cut."""
    async with opened() as backend:
        for number in (b"1", b"2", b"3"):
            await backend.commit(key, appended(number))
        await backend.commit(FORK, Change(origin=Origin(key, revision)))
        with (folder / "messages.1.jsonl").open("ab") as file:
            file.write(b"half a rec")
        await backend.commit(key, appended(b"4"))
        assert "cut an interrupted write" in caplog.text
        await backend.commit(FORK, appended(b"fork"))
        assert await log_of(backend, FORK) == [*[b"1", b"2", b"3"][:revision], b"fork"]
        assert await log_of(backend, key) == [b"1", b"2", b"3", b"4"]


async def test_an_origin_that_is_made_again(files: FileBackend, folder: Path, key: Key) -> None:
    """It has other files then, whatever an interrupted deletion left of the old ones."""
    await files.commit(key, appended(b"1", b"2"))
    await files.commit(FORK, Change(origin=Origin(key, 1)))
    await files.delete(key)
    (folder / "messages.1.jsonl").hardlink_to(folder.parent / "fork" / "messages.1-0.jsonl")
    (folder / "messages.3.jsonl").hardlink_to(folder.parent / "fork" / "messages.1-0.jsonl")
    await files.commit(key, appended(b"other"))
    assert await log_of(files, key) == [b"other"]
    assert await log_of(files, FORK) == [b"1", b"2"]


async def test_what_is_deleted_gives_its_files_up(files: FileBackend, root: Path, folder: Path, key: Key) -> None:
    await files.commit(key, appended(b"1"))
    await files.commit(FORK, Change(origin=Origin(key, 1)))
    assert (folder / "messages.1.jsonl").stat().st_nlink == 2
    await files.delete(FORK)
    assert (folder / "messages.1.jsonl").stat().st_nlink == 1
    assert names_in(root / "default/sessions/fork") == ["commits.jsonl"]
    await files.commit(FORK, Change(logs={"messages": None}, origin=Origin(key, 1)))
    assert names_in(root / "default/sessions/fork") == ["commits.jsonl"]


async def test_an_origin_without_its_file(files: FileBackend, root: Path, folder: Path, key: Key) -> None:
    await files.commit(key, appended(b"1"))
    (folder / "messages.1.jsonl").unlink()
    with pytest.raises(DataCorruptionError, match=f"{folder}/messages.1.jsonl is damaged: the file is missing"):
        await files.commit(FORK, Change(origin=Origin(key, 1)))
    assert names_in(root / "default/sessions") == ["one"]


async def test_forks_while_the_origin_is_written(opened: Opened, key: Key) -> None:
    """Each fork has what the origin had at its revision, whichever process writes."""
    async with opened() as one, opened() as other:
        await one.commit(key, appended(b"1"))

        async def fork(number: int) -> None:
            revision = (await other.history(key))[-1].revision
            forked = Key("default", "sessions", f"{number}")
            await other.commit(forked, Change(logs={"messages": Splice([b"fork"])}, origin=Origin(key, revision)))
            assert await log_of(one, forked) == [b"%d" % record for record in range(1, revision + 1)] + [b"fork"]

        for number in range(2, 20):
            await asyncio.gather(one.commit(key, appended(b"%d" % number)), fork(number))


async def test_forks_after_every_death(root: Path) -> None:
    """Wherever a kill falls, the repeated requests end where they would have ended without it."""
    writer = await create_subprocess_exec(sys.executable, WRITER, "forks", root, stdout=PIPE, stderr=PIPE)
    output, errors = await writer.communicate()
    assert errors.count(b"Traceback") == 0
    outcomes = [json.loads(line) for line in output.splitlines()]
    assert len(outcomes) > 100
    in_place = [
        "sessions",
        "sessions/fork",
        "sessions/fork/blobs",
        "sessions/fork/blobs/ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73",
        "sessions/fork/commits.jsonl",
        "sessions/fork/values.1-0.jsonl",
        "sessions/fork/values.2.jsonl",
        "sessions/hot",
        "sessions/hot/blobs",
        "sessions/hot/commits.jsonl",
    ]
    for answers, files, lines, told in outcomes:
        assert (answers, files, lines) == ([1, 2, 1, 2, True, ["1", "fork"]], in_place, 1)
        assert list(dict.fromkeys(told)) == ["hot 1", "hot 2", "fork 1", "fork 2", "hot 3"]
