"""How often each operation of the file backend waits for the medium, as its documentation says."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from hashlib import sha256

import pytest

from sessionstore_server.backends.base import Change, Key, LogRange, Origin, Query, Request, Splice
from sessionstore_server.backends.file import FileBackend

DIGEST = sha256(b"content").hexdigest()
NEW = Key("default", "sessions", "new")
GONE = Key("default", "sessions", "gone")
BLOBBED = Key("default", "sessions", "blobbed")
UPLOADED = sha256(b"uploaded").hexdigest()
REQUEST = Request("r", DIGEST)

COSTS: dict[str, tuple[Callable[[FileBackend, Key], Awaitable[object]], int]] = {
    "documents only": (lambda files, key: files.commit(key, Change({"a": b"2"})), 1),
    "append to a log": (lambda files, key: files.commit(key, Change(logs={"l": Splice([b"2"])})), 2),
    "new log": (lambda files, key: files.commit(key, Change(logs={"new": Splice([b"2"])})), 3),
    "shorter log": (lambda files, key: files.commit(key, Change(logs={"l": Splice([b"2"], keep=0)})), 3),
    "new blobs": (lambda files, key: files.commit(key, Change(blobs=frozenset([DIGEST]))), 4),
    "a blob less": (lambda files, _: files.commit(BLOBBED, Change(blobs=frozenset())), 2),
    "after a deletion": (lambda files, _: files.commit(GONE, Change({"a": b"1"}, {"l": Splice([b"1"])})), 4),
    "fork": (lambda files, key: files.commit(NEW, Change({"a": b"2"}, origin=Origin(key, 1))), 7),
    "fork that goes on": (
        lambda files, key: files.commit(NEW, Change(logs={"l": Splice([b"2"])}, origin=Origin(key, 1))),
        8,
    ),
    "first of a key": (lambda files, _: files.commit(NEW, Change({"a": b"1"}, {"l": Splice([b"1"])})), 6),
    "delete": (lambda files, key: files.delete(key), 4),
    "delete with a request": (lambda files, key: files.delete(key, request=Request("delete", DIGEST)), 4),
    "delete an absent key": (lambda files, _: files.delete(NEW), 0),
    "delete an absent key with a request": (lambda files, _: files.delete(NEW, request=REQUEST), 7),
    "repeat of a request": (lambda files, key: files.commit(key, Change(request=REQUEST)), 3),
    "put_blob": (lambda files, _: files.put_blob(sha256(b"").hexdigest(), pieces(b"")), 3),
    "extend_upload": (lambda files, _: files.extend_upload(UPLOADED, 0, b"more"), 0),
    "finish_upload": (lambda files, _: files.finish_upload(UPLOADED), 3),
    "read": (lambda files, key: files.read(key, ["a"], {"l": LogRange()}), 0),
    "list": (lambda files, _: files.list("default", "sessions", Query(), None, 9), 0),
    "feed": (lambda files, _: files.feed("default", "sessions", None, 9), 0),
}


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    yield content


@pytest.mark.parametrize("operation", COSTS)
async def test_syncs(files: FileBackend, key: Key, operation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await files.put_blob(DIGEST, pieces(b"content"))
    await files.commit(key, Change({"a": b"1"}, {"l": Splice([b"1"])}, request=REQUEST))
    await files.commit(BLOBBED, Change(blobs=frozenset([DIGEST])))
    await files.extend_upload(UPLOADED, 0, b"uploaded")
    await files.commit(GONE, Change())
    await files.delete(GONE)
    synced: list[int] = []
    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, counting(getattr(os, name), synced))
    call, expected = COSTS[operation]
    await call(files, key)
    assert len(synced) == expected


def counting(sync: Callable[[int], None], synced: list[int]) -> Callable[[int], None]:
    def counted(descriptor: int) -> None:
        sync(descriptor)
        synced.append(descriptor)

    return counted
