"""A process of its own that writes to a SQLite backend; the tests start it, and some kill it.

sqlite_writer.py count PATH COMMITS   when told so, count up one document against everybody else
sqlite_writer.py endless PATH         commit without end, several keys at once; print each round that was acknowledged
sqlite_writer.py opens PATH TIMES     when told so, open the store, write and close it, so many times
sqlite_writer.py limited PATH         meet a limit on the size of files; print what was seen
sqlite_writer.py unhealthy PATH       check the health at such a limit; print what it said
"""

import asyncio
import json
import resource
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

from sessionstore.errors import RevisionConflictError, StorageError
from sessionstore_server.backends.base import Backend, Change, Key, LogRange, Splice
from sessionstore_server.backends.sqlite import SqliteBackend

HOT = Key("default", "sessions", "hot")
WORKERS = 4


async def count(backend: Backend, commits: int) -> None:
    wait_for_the_word()
    done = 0
    while done < commits:
        view = await backend.read(HOT, ["count"])
        revision, value = (view.revision, int(view.documents["count"])) if view else (0, 0)
        change = Change({"count": b"%d" % (value + 1)}, {"values": Splice([b"%d" % value])})
        try:
            await backend.commit(HOT, change, expected_revision=revision)
            done += 1
        except RevisionConflictError:
            continue


async def endless(backend: Backend) -> None:
    await asyncio.gather(*(rounds(backend, number) for number in range(WORKERS)))


async def rounds(backend: Backend, worker: int) -> None:
    """Each round appends, shortens, replaces a document and brings a blob in place of the one before."""
    key = Key("default", "sessions", f"{worker}")
    view = await backend.read(key, logs={"values": LogRange()})
    number = view.logs["values"].length if view else 0
    while True:
        content = b"%d of %d" % (number, worker)
        digest = sha256(content).hexdigest()
        await backend.put_blob(digest, pieces(content))
        shortened = Splice([b"%d" % number], keep=number // 2)
        change = Change(
            {"big": b"%d" % number * 2000},
            {"values": Splice([b"%d" % number]), "halves": shortened},
            blobs=frozenset([digest]),
        )
        await backend.commit(key, change)
        say(f"{worker} {number}")
        number += 1


async def opens(path: Path, times: int) -> None:
    wait_for_the_word()
    for _ in range(times):
        async with opened(path) as backend:
            await backend.check_health()
    say(times)


async def limited(backend: Backend) -> None:
    """Fill the files up to a limit, as if the disk were full, then lift it; what failed must not be seen.

    The large change does not fit into the memory of SQLite, so it fails while it is carried out.
    """
    await backend.commit(HOT, Change({"a": b"1"}, {"values": Splice([b"1"])}))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
    large = Change({"a": b"2"}, {"values": Splice([b"2" * 20_000_000])})
    small = [Change({"a": b"3"})] * 3
    outcomes = await asyncio.gather(
        *(backend.commit(HOT, change) for change in [large, *small]), return_exceptions=True
    )
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    failures = [outcome for outcome in outcomes if isinstance(outcome, StorageError)]
    view = await backend.read(HOT, ["a"], {"values": LogRange()})
    assert view is not None
    seen = [view.revision, view.logs["values"].length]
    again = await backend.commit(HOT, large)
    say(json.dumps([[(error.location, error.problem) for error in failures], seen, again.revision]))


def wait_for_the_word() -> None:
    say("ready")
    sys.stdin.readline()


async def unhealthy(backend: Backend) -> None:
    """Say what a check of health does when no file can have more than a few pages, and when it can again."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (32_000, resource.RLIM_INFINITY))
    try:
        await backend.check_health()
        problem = None
    except StorageError as error:
        problem = error.problem
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await backend.check_health()
    say(json.dumps([problem, await backend.sweep_blobs(0)]))


def say(answer: object) -> None:
    sys.stdout.write(f"{answer}\n")
    sys.stdout.flush()


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    yield content


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Backend]:
    backend = SqliteBackend(path)
    await backend.open()
    yield backend
    await backend.aclose()


async def main(kind: str, path: str, number: str = "0") -> None:
    if kind == "opens":
        await opens(Path(path), int(number))
        return
    async with opened(Path(path)) as backend:
        match kind:
            case "count":
                await count(backend, int(number))
            case "endless":
                await endless(backend)
            case "limited":
                await limited(backend)
            case "unhealthy":
                await unhealthy(backend)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
