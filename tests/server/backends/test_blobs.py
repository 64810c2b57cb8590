"""What every backend promises about blobs."""

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256

import pytest

from sessionstore.errors import DataCorruptionError, InvalidArgumentError
from sessionstore_server.backends.base import BLOB_PIECE_BYTES, Backend, Change, Key

OTHER = Key("elsewhere", "sessions", "two")


async def pieces(content: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def put(backend: Backend, content: bytes) -> str:
    digest = sha256(content).hexdigest()
    await backend.put_blob(digest, pieces(content))
    return digest


async def get(backend: Backend, digest: str, start: int = 0, stop: int | None = None) -> bytes:
    return b"".join([piece async for piece in backend.get_blob(digest, start, stop)])


async def refer(backend: Backend, key: Key, *digests: str) -> None:
    await backend.commit(key, Change(blobs=frozenset(digests)))


@pytest.mark.parametrize("content", [b"", b"one", bytes(range(256)) * 100])
async def test_a_blob_comes_back(backend: Backend, content: bytes) -> None:
    digest = await put(backend, content)
    await put(backend, content)
    assert await get(backend, digest) == content


async def test_large_blobs_come_in_pieces(backend: Backend) -> None:
    content = bytes(2 * BLOB_PIECE_BYTES + 5)
    digest = sha256(content).hexdigest()
    await backend.put_blob(digest, pieces(content, 3 * BLOB_PIECE_BYTES))
    sizes = [len(piece) async for piece in backend.get_blob(digest)]
    assert sizes == [BLOB_PIECE_BYTES, BLOB_PIECE_BYTES, 5]


async def test_ranges_of_a_blob(backend: Backend) -> None:
    digest = await put(backend, b"0123456789")
    assert await get(backend, digest, 3) == b"3456789"
    assert await get(backend, digest, 3, 5) == b"34"
    assert await get(backend, digest, 8, 100) == b"89"
    assert await get(backend, digest, 10) == await get(backend, digest, 5, 2) == b""
    for start, stop in ((-1, None), (0, -1)):
        with pytest.raises(InvalidArgumentError):
            await get(backend, digest, start, stop)


async def test_content_with_another_digest_is_refused(backend: Backend) -> None:
    digest = sha256(b"right").hexdigest()
    with pytest.raises(InvalidArgumentError) as refused:
        await backend.put_blob(digest, pieces(b"wrong"))
    assert refused.value.field == "digest"
    assert await backend.missing_blobs([digest, sha256(b"wrong").hexdigest()]) == {
        digest,
        sha256(b"wrong").hexdigest(),
    }


async def test_an_interrupted_upload_leaves_nothing(backend: Backend) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise ConnectionError

    digest = sha256(b"half").hexdigest()
    with pytest.raises(ConnectionError):
        await backend.put_blob(digest, broken())
    assert await backend.missing_blobs([digest]) == {digest}


async def test_what_is_not_stored(backend: Backend, key: Key) -> None:
    digest = sha256(b"never").hexdigest()
    with pytest.raises(DataCorruptionError, match=digest):
        await get(backend, digest)
    with pytest.raises(InvalidArgumentError, match=digest) as refused:
        await backend.commit(key, Change({"a": b"1"}, blobs=frozenset([digest])))
    assert refused.value.field == "blobs"
    assert await backend.read(key) is None


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "A" * 64, "a" * 63, "a" * 64 + "\n"])
async def test_what_is_not_a_digest(backend: Backend, key: Key, digest: str) -> None:
    for call in (
        backend.put_blob(digest, pieces(b"")),
        get(backend, digest),
        backend.missing_blobs([digest]),
        backend.commit(key, Change(blobs=frozenset([digest]))),
    ):
        with pytest.raises(InvalidArgumentError, match="sha256"):
            await call


async def test_missing_blobs(backend: Backend) -> None:
    stored, absent = await put(backend, b"here"), sha256(b"there").hexdigest()
    assert await backend.missing_blobs([stored, absent]) == {absent}
    assert await backend.missing_blobs([]) == set()


async def test_references_keep_a_blob(backend: Backend, key: Key) -> None:
    digest = await put(backend, b"shared")
    await refer(backend, key, digest)
    await refer(backend, OTHER, digest)
    assert await backend.sweep_blobs(0) == 0
    await backend.delete(key)
    assert await get(backend, digest) == b"shared"
    await backend.delete(OTHER)
    assert await backend.missing_blobs([digest]) == {digest}


async def test_a_commit_without_blobs_keeps_the_references(backend: Backend, key: Key) -> None:
    digest = await put(backend, b"kept")
    await refer(backend, key, digest)
    await backend.commit(key, Change({"a": b"1"}))
    await refer(backend, key, digest)
    assert await backend.sweep_blobs(0) == 0
    assert await get(backend, digest) == b"kept"


async def test_dropped_references(backend: Backend, key: Key) -> None:
    first, second, third = [await put(backend, content) for content in (b"1", b"2", b"3")]
    await refer(backend, key, first, second)
    await refer(backend, key, second, third)
    assert await backend.missing_blobs([first, second, third]) == {first}
    await refer(backend, key)
    assert await backend.missing_blobs([second, third]) == {second, third}


async def test_a_refused_commit_changes_no_references(backend: Backend, key: Key) -> None:
    first, second = await put(backend, b"1"), await put(backend, b"2")
    await refer(backend, key, first)
    with pytest.raises(InvalidArgumentError):
        await refer(backend, key, second, "0" * 64)
    assert await backend.missing_blobs([first, second]) == set()
    assert await backend.sweep_blobs(0) == 1
    assert await backend.missing_blobs([first, second]) == {second}


async def test_sweeping_leaves_what_is_young(backend: Backend, key: Key) -> None:
    used, unused = await put(backend, b"used"), await put(backend, b"unused")
    await refer(backend, key, used)
    assert await backend.sweep_blobs(3600) == 0
    assert await backend.missing_blobs([unused]) == set()
    assert await backend.sweep_blobs(0) == 1
    assert await backend.missing_blobs([used, unused]) == {unused}


async def test_a_reader_finishes_a_blob_that_goes(backend: Backend, key: Key) -> None:
    content = bytes(2 * BLOB_PIECE_BYTES)
    digest = await put(backend, content)
    await refer(backend, key, digest)
    reading = backend.get_blob(digest)
    received = await anext(reading)
    await backend.delete(key)
    async for piece in reading:
        received += piece
    assert received == content


async def test_references_never_dangle(backend: Backend) -> None:
    """Keys take and drop one blob at the same time: a commit fails plainly, or its blob is stored."""
    content = b"fought over"
    digest = sha256(content).hexdigest()

    async def take_and_drop(number: int) -> None:
        key = Key("default", "sessions", str(number))
        for _ in range(12):
            await put(backend, content)
            try:
                await refer(backend, key, digest)
            except InvalidArgumentError:
                continue
            assert await get(backend, digest) == content
            await backend.delete(key)

    await asyncio.gather(*(take_and_drop(number) for number in range(6)))
    assert await backend.missing_blobs([digest]) in (set(), {digest})
