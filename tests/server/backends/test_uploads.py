"""What every backend promises about uploads that come in pieces and can go on after an interruption."""

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256

import pytest

from sessionstore.errors import InvalidArgumentError
from sessionstore_server.backends.base import BLOB_PIECE_BYTES, Backend, Change, Key

CONTENT = bytes(range(256)) * 40
DIGEST = sha256(CONTENT).hexdigest()


async def get(backend: Backend, digest: str = DIGEST) -> bytes:
    return b"".join([piece async for piece in backend.get_blob(digest)])


async def upload(backend: Backend, content: bytes, size: int = 1000, digest: str = DIGEST) -> None:
    """Add what is missing, as a client does."""
    offset = await backend.upload_size(digest)
    while offset < len(content):
        offset = await backend.extend_upload(digest, offset, content[offset : offset + size])


async def put(backend: Backend, content: bytes) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield content

    await backend.put_blob(sha256(content).hexdigest(), pieces())


async def test_an_upload_becomes_a_blob(backend: Backend, key: Key) -> None:
    assert await backend.upload_size(DIGEST) == 0
    assert await backend.extend_upload(DIGEST, 0, CONTENT[:5]) == 5
    assert await backend.extend_upload(DIGEST, 5, CONTENT[5:]) == len(CONTENT)
    assert await backend.upload_size(DIGEST) == len(CONTENT)
    assert await backend.missing_blobs([DIGEST]) == {DIGEST}
    await backend.finish_upload(DIGEST)
    assert await backend.upload_size(DIGEST) == 0
    assert await backend.missing_blobs([DIGEST]) == set()
    assert await get(backend) == CONTENT
    await backend.commit(key, Change(blobs=frozenset([DIGEST])))
    await backend.delete(key)
    assert await backend.missing_blobs([DIGEST]) == {DIGEST}


async def test_an_unfinished_upload_is_no_blob(backend: Backend, key: Key) -> None:
    await backend.extend_upload(DIGEST, 0, CONTENT)
    assert await backend.blob_size(DIGEST) is None
    with pytest.raises(InvalidArgumentError, match="blobs"):
        await backend.commit(key, Change(blobs=frozenset([DIGEST])))


@pytest.mark.parametrize("offset", [0, 1, 4, 6, 1 << 40])
async def test_a_piece_for_another_offset_is_not_added(backend: Backend, offset: int) -> None:
    await backend.extend_upload(DIGEST, 0, CONTENT[:5])
    assert await backend.extend_upload(DIGEST, offset, b"xxxx") == 5
    assert await backend.extend_upload(sha256(b"").hexdigest(), offset or 1, b"xxxx") == 0
    await upload(backend, CONTENT)
    await backend.finish_upload(DIGEST)
    assert await get(backend) == CONTENT


async def test_another_content_has_to_start_anew(backend: Backend) -> None:
    await backend.extend_upload(DIGEST, 0, b"wrong")
    with pytest.raises(InvalidArgumentError) as refused:
        await backend.finish_upload(DIGEST)
    assert refused.value.field == "digest"
    assert await backend.upload_size(DIGEST) == 0
    assert await backend.missing_blobs([DIGEST]) == {DIGEST}
    await upload(backend, CONTENT)
    await backend.finish_upload(DIGEST)
    assert await get(backend) == CONTENT


async def test_finishing_what_never_began(backend: Backend) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        await backend.finish_upload(DIGEST)
    assert refused.value.field == "digest"


async def test_finishing_what_is_stored_already(backend: Backend) -> None:
    """Also with half of it uploaded, and again."""
    await backend.extend_upload(DIGEST, 0, CONTENT[:5])
    await put(backend, CONTENT)
    for _ in range(2):
        await backend.finish_upload(DIGEST)
        assert await backend.upload_size(DIGEST) == 0
    assert await get(backend) == CONTENT


async def test_an_empty_upload(backend: Backend) -> None:
    digest = sha256(b"").hexdigest()
    assert await backend.extend_upload(digest, 0, b"") == 0
    await backend.finish_upload(digest)
    assert (await get(backend, digest), await backend.blob_size(digest)) == (b"", 0)


async def test_a_large_upload(backend: Backend) -> None:
    content = bytes(2 * BLOB_PIECE_BYTES) + b"end"
    digest = sha256(content).hexdigest()
    await upload(backend, content, BLOB_PIECE_BYTES + 1, digest)
    await backend.finish_upload(digest)
    sizes = [len(piece) async for piece in backend.get_blob(digest)]
    assert (sum(sizes), max(sizes)) == (len(content), BLOB_PIECE_BYTES)
    assert await get(backend, digest) == content


async def test_many_uploaders_share_an_upload(backend: Backend) -> None:
    await asyncio.gather(*(upload(backend, CONTENT, size) for size in (100, 333, 1000, 1001)))
    await asyncio.gather(*(backend.finish_upload(DIGEST) for _ in range(4)))
    assert await get(backend) == CONTENT
    assert await backend.upload_size(DIGEST) == 0


async def test_finishing_while_others_do(backend: Backend) -> None:
    """At any time there is the upload or the blob, so nobody takes the one that just ended for empty content."""
    for number in range(4):
        content = bytes([number]) * (3 * BLOB_PIECE_BYTES)
        digest = sha256(content).hexdigest()
        await upload(backend, content, BLOB_PIECE_BYTES, digest)
        calls = [asyncio.create_task(backend.finish_upload(digest))]
        while not calls[0].done():
            await asyncio.sleep(0)
            if await backend.upload_size(digest) == 0:
                assert await backend.missing_blobs([digest]) == set()
            calls.append(asyncio.create_task(backend.finish_upload(digest)))
        await asyncio.gather(*calls, put(backend, content))
        assert await backend.upload_size(digest) == 0
        assert await get(backend, digest) == content


async def test_uploads_never_mix(backend: Backend) -> None:
    contents = [CONTENT + b"%d" % number for number in range(4)]
    digests = [sha256(content).hexdigest() for content in contents]
    both = list(zip(digests, contents, strict=True))
    await asyncio.gather(*(upload(backend, content, 3000, digest) for digest, content in both))
    for digest, content in both:
        await backend.finish_upload(digest)
        assert await get(backend, digest) == content


async def test_another_goes_on(backend: Backend, another: Backend) -> None:
    """As after a restart."""
    await backend.extend_upload(DIGEST, 0, CONTENT[:5])
    assert await another.upload_size(DIGEST) == 5
    await another.extend_upload(DIGEST, 5, CONTENT[5:9])
    await backend.aclose()
    await backend.open()
    assert await backend.upload_size(DIGEST) == 9
    await asyncio.gather(*(upload(one, CONTENT, size) for one, size in ((backend, 500), (another, 700))))
    await another.finish_upload(DIGEST)
    assert await backend.upload_size(DIGEST) == 0
    assert await get(backend) == CONTENT


async def test_sweeping_uploads(backend: Backend) -> None:
    """They are not counted; one that is young stays."""
    await backend.extend_upload(DIGEST, 0, CONTENT[:5])
    assert await backend.sweep_blobs(3600) == 0
    assert await backend.upload_size(DIGEST) == 5
    assert await backend.sweep_blobs(0) == 0
    assert await backend.upload_size(DIGEST) == 0
    await upload(backend, CONTENT)
    await backend.finish_upload(DIGEST)
    assert await backend.sweep_blobs(3600) == 0
    assert await backend.sweep_blobs(0) == 1


async def test_the_size_of_a_blob(backend: Backend, key: Key) -> None:
    assert await backend.blob_size(DIGEST) is None
    await put(backend, CONTENT)
    assert await backend.blob_size(DIGEST) == len(CONTENT)
    await backend.commit(key, Change(blobs=frozenset([DIGEST])))
    await backend.delete(key)
    assert await backend.blob_size(DIGEST) is None


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "A" * 64, "a" * 63, "a" * 64 + "\n"])
async def test_what_is_not_a_digest(backend: Backend, digest: str) -> None:
    for call in (
        backend.extend_upload(digest, 0, b""),
        backend.upload_size(digest),
        backend.finish_upload(digest),
        backend.blob_size(digest),
    ):
        with pytest.raises(InvalidArgumentError, match="sha256"):
            await call
