"""What the file backend remembers of requests, and what that costs."""

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

from sessionstore_server.backends.base import REQUESTS_KEPT, Change, Key, LogRange, Request, Splice
from sessionstore_server.backends.file import FileBackend

Opened = Callable[..., AbstractAsyncContextManager[FileBackend]]

DIGEST = sha256(b"").hexdigest()
FIRST = Change({"a": b"1"}, {"l": Splice([b"1"])}, request=Request("first", DIGEST))


async def test_the_ledger_outlives_a_new_commit_file(opened: Opened, folder: Path, key: Key) -> None:
    async with opened() as backend:
        first = await backend.commit(key, FIRST)
        for number in range(200):
            await backend.commit(key, Change({"a": b"%d" % number * 500}))
        first_line = (folder / "commits.jsonl").read_bytes().splitlines()[0]
        assert json.loads(first_line)["revision"] > first.revision
        assert await backend.commit(key, FIRST) == first
    async with opened() as backend:
        assert await backend.commit(key, FIRST) == first
        await backend.delete(key)
        assert await backend.commit(key, FIRST) == first


async def test_the_ledger_is_bounded(opened: Opened, folder: Path, key: Key) -> None:
    """A commit file is at most twice what the kept revisions need; a request takes about 220 bytes of that."""
    async with opened() as backend:
        sizes = []
        for number in range(1000):
            await backend.commit(key, Change(request=Request(f"{number:032}", DIGEST)))
            sizes.append((folder / "commits.jsonl").stat().st_size)
        assert max(sizes) < 5 * 220 * REQUESTS_KEPT
        assert sum(later < size for size, later in pairwise(sizes)) < 6
        await backend.delete(key)
        assert 0 < (folder / "commits.jsonl").stat().st_size < 240 * REQUESTS_KEPT
    async with opened() as backend:
        assert (await backend.commit(key, Change(request=Request(f"{999:032}", DIGEST)))).revision == 1000


async def test_a_torn_line_holds_no_request(opened: Opened, folder: Path, key: Key) -> None:
    """Wherever it is cut, the repeat takes effect once."""
    again = Change({"a": b"2"}, {"l": Splice([b"2"])}, request=Request("again", DIGEST))
    async with opened() as backend:
        await backend.commit(key, FIRST)
        await backend.commit(key, again)
    whole, log = (folder / "commits.jsonl").read_bytes(), (folder / "l.1.jsonl").read_bytes()
    for end in range(whole.index(b"\n") + 1, len(whole), 5):
        (folder / "commits.jsonl").write_bytes(whole[:end])
        (folder / "l.1.jsonl").write_bytes(log)
        async with opened() as backend:
            commits = [await backend.commit(key, again) for _ in range(2)]
            assert [commit.revision for commit in commits] == [2, 2]
            view = await backend.read(key, logs={"l": LogRange()})
            assert view is not None
            assert list(view.logs["l"].records) == [b"1", b"2"]


async def test_two_backends_repeat_each_other(opened: Opened, key: Key) -> None:
    async with opened() as one, opened() as other:
        for number in range(20):
            change = Change(logs={"l": Splice([b"%d" % number])}, request=Request(str(number), DIGEST))
            commits = await asyncio.gather(*(backend.commit(key, change) for backend in (one, other, one, other)))
            assert commits == [commits[0]] * 4
        view = await one.read(key, logs={"l": LogRange()})
        assert view is not None
        assert list(view.logs["l"].records) == [b"%d" % number for number in range(20)]
