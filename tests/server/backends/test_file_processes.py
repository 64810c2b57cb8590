"""Several processes in one folder, processes that are killed, and a medium that takes no more."""

import asyncio
import json
import random
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

from sessionstore_server.backends.base import Key, LogRange, Query
from sessionstore_server.backends.file import FileBackend

WRITER = Path(__file__).with_name("writer.py")
HOT = Key("default", "sessions", "hot")
ROUNDS = 9


async def start(*arguments: object) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, WRITER, *map(str, arguments), stdin=PIPE, stdout=PIPE, stderr=PIPE
    )


async def test_two_processes_count_together(root: Path, files: FileBackend) -> None:
    writers = [await start("count", root, 200) for _ in range(2)]
    for writer in writers:
        assert writer.stdout is not None
        assert await writer.stdout.readline() == b"ready\n"
    outputs = await asyncio.gather(*(writer.communicate(b"go\n") for writer in writers))
    assert outputs == [(b"", b"")] * 2
    view = await files.read(HOT, ["count"], {"values": LogRange()})
    assert view is not None
    assert (view.revision, view.documents["count"]) == (400, b"400")
    assert [int(value) for value in view.logs["values"].records] == list(range(400))


async def test_many_processes_open_and_close_together(root: Path) -> None:
    openers = [await start("opens", root, 50) for _ in range(4)]
    for opener in openers:
        assert opener.stdout is not None
        assert await opener.stdout.readline() == b"ready\n"
    outputs = await asyncio.gather(*(opener.communicate(b"go\n") for opener in openers))
    assert outputs == [(b"50\n", b"")] * 4
    assert names_in(root / ".work") == []


async def test_two_processes_repeat_each_other(root: Path, files: FileBackend) -> None:
    writers = [await start("requests", root, seed) for seed in (1, 2)]
    for writer in writers:
        assert writer.stdout is not None
        assert await writer.stdout.readline() == b"ready\n"
    (one, _), (other, _) = await asyncio.gather(*(writer.communicate(b"go\n") for writer in writers))
    assert sorted(revision for revision, _ in json.loads(one).values()) == list(range(1, 101))
    assert one == other
    view = await files.read(HOT, logs={"values": LogRange()})
    assert view is not None
    assert view.revision == 100
    assert sorted(int(value) for value in view.logs["values"].records) == list(range(100))


async def test_repeats_after_every_death(root: Path) -> None:
    """Wherever a kill falls, the repeated requests end where they would have ended without it.

    And watchers are told of each commit that happened, of one perhaps twice.
    """
    writer = await start("deaths", root)
    output, errors = await writer.communicate()
    assert errors.count(b"Traceback") == 0
    outcomes = [json.loads(line) for line in output.splitlines()]
    assert len(outcomes) > 100
    in_place = [
        "sessions",
        "sessions/hot",
        "sessions/hot/blobs",
        "sessions/hot/commits.jsonl",
        "sessions/hot/new.4.jsonl",
    ]
    for answers, files, lines, told in outcomes:
        assert (answers, files, lines) == ([1, 2, True, 4, 4, [], {"new": 1}], in_place, 1)
        assert list(dict.fromkeys(told)) == ["hot 1", "hot 2", "hot 3", "hot 4"]
        assert len(told) <= 5


async def test_what_was_acknowledged_outlives_a_kill(root: Path) -> None:
    """Killed by us after some lines, or by itself between two operations on files."""
    chance = random.Random(20260131)
    acknowledged = -1
    for number in range(ROUNDS):
        events = chance.randint(1, 400) if number % 3 else 0
        writer = await start("endless", root, events)
        assert writer.stdout is not None
        if not events:
            seen = [await writer.stdout.readline() for _ in range(chance.randint(1, 12))]
            acknowledged = int(seen[-1])
            writer.kill()
        rest, errors = await writer.communicate()
        assert (writer.returncode, b"Traceback" in errors) == (-signal.SIGKILL, False)
        acknowledged = max([acknowledged, *map(int, rest.split())])
        acknowledged = await check(root, acknowledged)


async def check(root: Path, acknowledged: int) -> int:
    """Return the last round that is there: seen now, it stays, even if its writer did not come to tell of it."""
    backend = FileBackend(root)
    await backend.open()
    hot = await backend.read(HOT, ["big"], {"values": LogRange(), "other": LogRange()})
    assert hot is not None
    last = hot.logs["values"].length - 1
    assert last in (acknowledged, acknowledged + 1)
    assert [int(value) for value in hot.logs["values"].records] == list(range(last + 1))
    assert hot.documents["big"] == b"%d" % last * 2000
    assert hot.logs["other"].records[-1] == b"%d" % last
    for number in range(acknowledged - 2, acknowledged + 2):
        await check_new(backend, number, must_exist=acknowledged >= number > last - 3 and number >= 0)
    assert {one.id for one in await backend.list("default", "sessions", Query(), None, 100)} >= {
        "hot",
        f"new-{acknowledged}",
    }
    await backend.check_health()
    assert len(names_in(root / ".work")) == 1
    await backend.aclose()
    return last


async def check_new(backend: FileBackend, number: int, *, must_exist: bool) -> None:
    view = await backend.read(Key("default", "sessions", f"new-{number}"), ["session"], {"l": LogRange()})
    if view is None:
        assert not must_exist
        return
    content = b"content %d" % number
    assert (view.documents["session"], list(view.logs["l"].records)) == (content, [content])


async def test_blobs_outlive_a_kill(root: Path) -> None:
    writer = await start("endless", root, 0)
    assert writer.stdout is not None
    for _ in range(10):
        await writer.stdout.readline()
    writer.kill()
    await writer.communicate()
    backend = FileBackend(root)
    await backend.open()
    await backend.sweep_blobs(0)
    linked = linked_blobs(root)
    assert linked
    assert await backend.missing_blobs(linked) == set()
    for digest in linked:
        assert b"".join([piece async for piece in backend.get_blob(digest)]).startswith(b"content ")
    await backend.aclose()


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def linked_blobs(root: Path) -> set[str]:
    return {path.name for path in root.glob("default/sessions/*/blobs/*")}


async def test_a_full_medium_changes_nothing(root: Path) -> None:
    writer = await start("limited", root)
    output, _ = await writer.communicate()
    assert writer.returncode == 0
    outcomes = json.loads(output)
    assert [(name, id_) for name, id_, _, _ in outcomes] == [
        ("append", "hot"),
        ("append", "never"),
        ("new log", "hot"),
        ("new log", "never"),
        ("document", "hot"),
        ("document", "never"),
        ("health", ""),
    ]
    assert all(location.startswith(str(root)) and "too large" in problem for _, _, location, problem in outcomes)
    assert names_in(root / "default/sessions/hot") == ["commits.jsonl", "values.1.jsonl"]
