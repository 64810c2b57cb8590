"""Content as it comes in from any client: resumed, doubled, or not what it should be."""

import asyncio
import io
from collections.abc import AsyncIterator
from hashlib import sha256

import pytest

from sessionstore.adapter import ServiceAdapter
from sessionstore.errors import InvalidArgumentError
from sessionstore.transport import A, Method, Q
from sessionstore.v1 import artifact_pb2 as pb
from sessionstore.wire.methods import FIND_MISSING_BLOBS, READ_BLOB, WRITE_BLOB
from sessionstore_server.backends.memory import MemoryBackend
from sessionstore_server.local import LocalTransport
from sessionstore_server.services.assembly import services_over

CONTENT = bytes(range(256)) * 40
DIGEST = sha256(CONTENT).hexdigest()
SIZE = len(CONTENT)


@pytest.fixture
async def transport() -> AsyncIterator[LocalTransport]:
    transport = LocalTransport(services_over(MemoryBackend()))
    yield transport
    await transport.aclose()


async def requests(
    start: int = 0, stop: int = SIZE, content: bytes = CONTENT, size: int = SIZE, step: int = 1000
) -> AsyncIterator[pb.WriteBlobRequest]:
    """Yield what sends a part of the content."""
    yield pb.WriteBlobRequest(sha256=DIGEST, offset=start, size=size, piece=content[start : min(start + step, stop)])
    for first in range(start + step, stop, step):
        yield pb.WriteBlobRequest(piece=content[first : min(first + step, stop)])


class AskedTwice(LocalTransport):
    """Answers two times how much was received: before an upload, and before the one that starts anew."""

    times = 0

    async def unary(self, method: Method[Q, A], request: Q) -> A:
        self.times += 1
        assert self.times <= 2
        return await super().unary(method, request)


class Spoiled(AskedTwice):
    """Whenever a client asks, somebody else has just uploaded other content."""

    async def unary(self, method: Method[Q, A], request: Q) -> A:
        with pytest.raises(InvalidArgumentError):
            await self.upload(WRITE_BLOB, requests(0, 5000, CONTENT[::-1]))
        return await super().unary(method, request)


async def upload_too_much(transport: LocalTransport) -> None:
    """Break off an upload that has more bytes than the content."""
    with pytest.raises(InvalidArgumentError):
        await transport.upload(WRITE_BLOB, requests(0, SIZE + 500, bytes(2 * SIZE), 2 * SIZE))


async def received(transport: LocalTransport) -> int | None:
    """Return how much of the content is there, None when it is stored."""
    response = await transport.unary(FIND_MISSING_BLOBS, pb.FindMissingBlobsRequest(sha256=[DIGEST]))
    return response.missing[0].received if response.missing else None


async def read(transport: LocalTransport) -> bytes:
    responses = transport.download(READ_BLOB, pb.ReadBlobRequest(sha256=DIGEST))
    return b"".join([response.piece async for response in responses])


async def test_content_that_broke_off_goes_on_from_there(transport: LocalTransport) -> None:
    with pytest.raises(InvalidArgumentError, match=r"size: .* from 2500 on"):
        await transport.upload(WRITE_BLOB, requests(0, 2500))
    assert await received(transport) == 2500
    answer = await transport.upload(WRITE_BLOB, requests(2500))
    assert answer.size == SIZE
    assert await received(transport) is None
    assert await read(transport) == CONTENT


@pytest.mark.parametrize("offset", [2499, 0])
async def test_what_was_received_may_come_again(transport: LocalTransport, offset: int) -> None:
    with pytest.raises(InvalidArgumentError):
        await transport.upload(WRITE_BLOB, requests(0, 2500))
    await transport.upload(WRITE_BLOB, requests(offset))
    assert await read(transport) == CONTENT


async def test_a_gap_is_refused_and_loses_nothing(transport: LocalTransport) -> None:
    with pytest.raises(InvalidArgumentError):
        await transport.upload(WRITE_BLOB, requests(0, 2500))
    for start in (2501, SIZE):
        with pytest.raises(InvalidArgumentError, match=f"offset: is {start}, but 2500 bytes were received"):
            await transport.upload(WRITE_BLOB, requests(start))
        assert await received(transport) == 2500


async def test_wrong_content_is_refused_and_forgotten(transport: LocalTransport) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        await transport.upload(WRITE_BLOB, requests(content=CONTENT[::-1]))
    assert caught.value.field == "sha256"
    assert await received(transport) == 0
    await transport.upload(WRITE_BLOB, requests())
    assert await read(transport) == CONTENT


async def test_an_upload_longer_than_the_content_starts_anew(transport: LocalTransport) -> None:
    await upload_too_much(transport)
    assert await received(transport) == SIZE + 500
    await transport.upload(WRITE_BLOB, requests())
    assert await read(transport) == CONTENT


async def test_a_client_gets_past_an_upload_longer_than_the_content() -> None:
    transport = AskedTwice(services_over(MemoryBackend()))
    await upload_too_much(transport)
    await ServiceAdapter(transport).write_blob(io.BytesIO(CONTENT))
    assert await read(transport) == CONTENT
    await transport.aclose()


async def test_a_client_starts_anew_once() -> None:
    transport = Spoiled(services_over(MemoryBackend()))
    with pytest.raises(InvalidArgumentError, match="sha256"):
        await ServiceAdapter(transport).write_blob(io.BytesIO(CONTENT))
    assert transport.times == 2
    await transport.aclose()


async def test_content_larger_than_said_is_refused(transport: LocalTransport) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        await transport.upload(WRITE_BLOB, requests(size=SIZE - 1))
    assert caught.value.field == "size"


async def test_two_clients_send_the_same_content_side_by_side(transport: LocalTransport) -> None:
    uploads = [transport.upload(WRITE_BLOB, requests(step=step)) for step in (7, 100, 333)]
    assert [answer.size for answer in await asyncio.gather(*uploads)] == [SIZE] * 3
    assert await read(transport) == CONTENT


async def test_what_is_stored_is_young_again(transport: LocalTransport) -> None:
    """A client that found the content stored has as much time to commit as one that sent it."""
    backend = MemoryBackend()
    transport = LocalTransport(services_over(backend))
    await transport.upload(WRITE_BLOB, requests())
    (before,) = (blob.stored_at for blob in backend._blobs._blobs.values())
    await transport.upload(WRITE_BLOB, requests(SIZE))
    (after,) = (blob.stored_at for blob in backend._blobs._blobs.values())
    assert after > before
    await transport.aclose()


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.WriteBlobRequest(piece=b"x"), "sha256"),
        (pb.WriteBlobRequest(sha256="none", size=1), "sha256"),
        (pb.WriteBlobRequest(sha256=DIGEST, size=5 << 20, piece=bytes(5 << 20)), "piece"),
    ],
)
async def test_a_faulty_beginning(transport: LocalTransport, request_: pb.WriteBlobRequest, field: str) -> None:
    async def one() -> AsyncIterator[pb.WriteBlobRequest]:
        yield request_

    with pytest.raises(InvalidArgumentError) as caught:
        await transport.upload(WRITE_BLOB, one())
    assert caught.value.field == field


async def test_an_upload_without_a_message(transport: LocalTransport) -> None:
    async def nothing() -> AsyncIterator[pb.WriteBlobRequest]:
        return
        yield

    with pytest.raises(InvalidArgumentError, match="sha256"):
        await transport.upload(WRITE_BLOB, nothing())


async def test_too_many_questions(transport: LocalTransport) -> None:
    with pytest.raises(InvalidArgumentError, match="1000"):
        await transport.unary(FIND_MISSING_BLOBS, pb.FindMissingBlobsRequest(sha256=[DIGEST] * 1001))
