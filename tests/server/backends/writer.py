"""A process of its own that writes to a file backend; the tests start it, and some kill it.

writer.py count ROOT COMMITS    when told so, count up one document against everybody else
writer.py endless ROOT EVENTS   commit without end; print the number of each round that was acknowledged; die, as
                                if killed, before so many file operations are done (0: only when killed)
writer.py opens ROOT TIMES      when told so, open the store, write and close it, so many times
writer.py reader ROOT           as somebody who may not write: read all there is and try to write; print what was seen
writer.py limited ROOT          meet a limit on the size of files; print what was seen
writer.py requests ROOT SEED    when told so, make 100 requests in an order of its own; print the answers
writer.py deaths ROOT           let a child make some requests and die before each of its file operations in turn;
                                print what their repeats were answered, what there was in the end, and what a
                                watcher was told
writer.py forks ROOT            the same with a key, its fork, and the deletion of the key
"""

import asyncio
import concurrent.futures.thread  # noqa: F401 - asyncio loads it late, when it may not be readable any more
import itertools
import json
import os
import random
import resource
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from sessionstore.errors import RevisionConflictError, StorageError
from sessionstore_server.backends.base import Backend, Change, Key, LogRange, Origin, Query, Request, Splice, Summary
from sessionstore_server.backends.file import FileBackend
from sessionstore_server.backends.file.feed_writer import boot

T = TypeVar("T")

HOT = Key("default", "sessions", "hot")
DIGEST = sha256(b"").hexdigest()
NOBODY = 65534


async def count(backend: Backend, commits: int) -> None:
    say("ready")
    sys.stdin.readline()
    done = 0
    while done < commits:
        view = await backend.read(HOT, ["count"])
        revision, value = (view.revision, int(view.documents["count"])) if view else (0, 0)
        change = Change({"count": b"%d" % (value + 1)}, {"values": Splice([b"%d" % value])}, summary=Summary(b"hot"))
        try:
            await backend.commit(HOT, change, expected_revision=revision)
            done += 1
        except RevisionConflictError:
            continue


async def endless(backend: Backend, events: int) -> None:
    """Each round writes every kind of file: a new key with a blob, an append, a shorter log, a large document."""
    if events:
        sys.addaudithook(dying_after(events))
    view = await backend.read(HOT, logs={"values": LogRange()})
    number = view.logs["values"].length if view else 0
    while True:
        content = b"content %d" % number
        digest = sha256(content).hexdigest()
        await backend.put_blob(digest, pieces(content))
        new = Key("default", "sessions", f"new-{number}")
        await backend.commit(
            new, Change({"session": content}, {"l": Splice([content], keep=0)}, Summary(b"s"), frozenset([digest]))
        )
        shortened = Splice([b"%d" % number], keep=number // 2)
        values = Splice([b"%d" % value for value in range(number // 2, number + 1)], keep=number // 2)
        splice = values if number % 3 == 0 else Splice([b"%d" % number])
        big = b"%d" % number * 2000
        await backend.commit(
            HOT, Change({"big": big}, {"values": splice, "other": shortened}, Summary(b"s"), frozenset([digest]))
        )
        await backend.delete(Key("default", "sessions", f"new-{number - 3}"))
        say(number)
        number += 1


async def opens(root: Path, times: int) -> None:
    say("ready")
    sys.stdin.readline()
    for _ in range(times):
        await on(root, lambda backend: backend.check_health())
    say(times)


async def reader(backend: Backend) -> None:
    view = await backend.read(HOT, ["a"], {"l": LogRange()})
    assert view is not None
    listed = await backend.list("default", "sessions", Query(), None, 9)
    content = b"".join([piece async for piece in backend.get_blob(DIGEST)])
    position = (await backend.feed("default", "sessions", None, 9)).position
    told = await backend.feed("default", "sessions", position, 9)
    seen = [view.documents["a"].decode(), len(view.logs["l"].records), [one.id for one in listed], len(content)]
    say(json.dumps([*seen, len(told.entries), len(await backend.history(HOT))]))
    for call in (
        lambda: backend.commit(HOT, Change({"a": b"2"})),
        lambda: backend.commit(Key("default", "sessions", "new"), Change()),
        lambda: backend.delete(HOT),
        lambda: backend.put_blob(DIGEST, pieces(b"")),
        backend.check_health,
    ):
        try:
            await call()
        except StorageError as error:
            say(error)


def dying_after(events: int) -> Callable[[str, object], None]:
    """Kill this process at its n-th opening, renaming, removing, linking or locking of a file."""
    left = itertools.count(events, -1)

    def hook(event: str, _: object) -> None:
        if event.startswith(("open", "os.", "shutil.", "fcntl.")) and next(left) == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return hook


async def limited(backend: Backend) -> None:
    """Fill a file up to a limit, as if the disk were full, then lift it; what failed must not be seen."""
    await backend.commit(HOT, Change({"a": b"1"}, {"values": Splice([b"1"])}))
    outcomes = []
    for name, change in {
        "append": Change({"a": b"2"}, {"values": Splice([b"2" * 100_000])}),
        "new log": Change({"a": b"2"}, {"new": Splice([b"2" * 100_000])}),
        "document": Change({"a": b"2" * 100_000}, {"values": Splice([b"2"])}),
    }.items():
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))
        for key in (HOT, Key("default", "sessions", "never")):
            try:
                await backend.commit(key, change)
            except StorageError as error:
                outcomes.append([name, key.id, error.location, error.problem])
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        view = await backend.read(HOT, ["a"], {"values": LogRange(), "new": LogRange()})
        assert view is not None
        assert (view.revision, dict(view.documents), set(view.logs)) == (1, {"a": b"1"}, {"values"})
        assert list(view.logs["values"].records) == [b"1"]
        assert await backend.read(Key("default", "sessions", "never")) is None
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    try:
        await backend.check_health()
    except StorageError as error:
        outcomes.append(["health", "", error.location, error.problem])
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert (await backend.commit(HOT, Change({"a": b"2"}, {"values": Splice([b"2"])}))).revision == 2
    say(json.dumps(outcomes))


async def requests(backend: Backend, seed: int) -> None:
    say("ready")
    sys.stdin.readline()
    numbers = list(range(100))
    random.Random(seed).shuffle(numbers)
    answers = {}
    for number in numbers:
        change = Change(logs={"values": Splice([b"%d" % number])}, request=Request(str(number), DIGEST))
        commit = await backend.commit(HOT, change)
        answers[number] = (commit.revision, commit.commit_time.isoformat())
    say(json.dumps(answers, sort_keys=True))


def deaths(root: Path, lifetime: Callable[[Backend], Awaitable[list[object]]]) -> None:
    for events in itertools.count(1):
        folder = root / str(events)
        child = os.fork()
        if not child:
            sys.addaudithook(dying_after(events))
            asyncio.run(on(folder, lifetime))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        answers = asyncio.run(on(folder, lifetime))
        files = sorted(str(path.relative_to(folder / "default")) for path in folder.glob("default/**/*"))
        lines = (folder / "default/sessions/hot/commits.jsonl").read_text().count("\n")
        say(json.dumps([answers, files, lines, asyncio.run(on(folder, all_told))]))
        if status == 0:
            return


async def all_told(backend: Backend) -> list[str]:
    """Return what a watcher from the beginning is told."""
    feed = await backend.feed("default", "sessions", f"{backend.incarnation}.{boot()}", 100)
    return [f"{entry.id} {entry.revision}" for entry in feed.entries]


async def lifetime(backend: Backend) -> list[object]:
    """Make a key, change it, delete it, make it again."""
    digest = sha256(b"content").hexdigest()
    await backend.put_blob(digest, pieces(b"content"))
    made = Change({"a": b"1"}, {"old": Splice([b"1"])}, Summary(b"s"), frozenset([digest]), Request("make", DIGEST))
    changed = Change({"a": b"2"}, {"old": Splice([b"2"])}, request=Request("change", DIGEST))
    again = Change(logs={"new": Splice([b"3"])}, request=Request("again", DIGEST))
    answers = [
        (await backend.commit(HOT, made)).revision,
        (await backend.commit(HOT, changed)).revision,
        await backend.delete(HOT, request=Request("delete", DIGEST)),
        (await backend.commit(HOT, again)).revision,
    ]
    view = await backend.read(HOT, ["a"], {"old": LogRange(), "new": LogRange()})
    assert view is not None
    return [*answers, view.revision, list(view.documents), {name: log.length for name, log in view.logs.items()}]


async def forking(backend: Backend) -> list[object]:
    """Make a key, fork it, let both go on, delete the key."""
    fork = Key("default", "sessions", "fork")
    digest = sha256(b"content").hexdigest()
    await backend.put_blob(digest, pieces(b"content"))
    made = Change({"a": b"1"}, {"values": Splice([b"1"])}, None, frozenset([digest]), Request("make", DIGEST))
    changed = Change(logs={"values": Splice([b"2"])}, request=Request("change", DIGEST))
    again = Change(logs={"values": Splice([b"fork"])}, request=Request("again", DIGEST))
    answers = [(await backend.commit(HOT, made)).revision, (await backend.commit(HOT, changed)).revision]
    forked = Change(request=Request("fork", DIGEST), origin=Origin(HOT, 1))
    answers += [(await backend.commit(fork, forked)).revision, (await backend.commit(fork, again)).revision]
    existed = await backend.delete(HOT, request=Request("delete", DIGEST))
    view = await backend.read(fork, logs={"values": LogRange()})
    assert view is not None
    return [*answers, existed, [record.decode() for record in view.logs["values"].records]]


def say(answer: object) -> None:
    sys.stdout.write(f"{answer}\n")
    sys.stdout.flush()


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def on(root: Path, work: Callable[[Backend], Awaitable[T]]) -> T:
    backend = FileBackend(root)
    await backend.open()
    result = await work(backend)
    await backend.aclose()
    return result


def unprivileged(root: Path, _: int) -> None:
    os.setuid(NOBODY)
    asyncio.run(on(root, reader))


JOBS: dict[str, Callable[[Path, int], None]] = {
    "count": lambda root, number: asyncio.run(on(root, lambda backend: count(backend, number))),
    "endless": lambda root, number: asyncio.run(on(root, lambda backend: endless(backend, number))),
    "opens": lambda root, number: asyncio.run(opens(root, number)),
    "reader": unprivileged,
    "limited": lambda root, _: asyncio.run(on(root, limited)),
    "requests": lambda root, number: asyncio.run(on(root, lambda backend: requests(backend, number))),
    "deaths": lambda root, _: deaths(root, lifetime),
    "forks": lambda root, _: deaths(root, forking),
}


if __name__ == "__main__":
    JOBS[sys.argv[1]](Path(sys.argv[2]), int((*sys.argv, "0")[3]))
