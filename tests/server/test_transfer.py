"""Calls too large for one message, against a real server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress

import grpc
import pytest

from sessionstore import (
    InvalidArgumentError,
    MemorySessionStore,
    Message,
    RemoteSessionStore,
    RevisionConflictError,
    SessionData,
    SessionSnapshot,
)
from sessionstore.channel import ANSWER_LIMIT_KEY, DIRECT_BYTES
from sessionstore.testing import CustomStore, assert_same
from sessionstore.testing.proxy import LosingProxy
from sessionstore.v1 import session_pb2, session_pb2_grpc, transfer_pb2
from sessionstore.wire.methods import LOAD_SESSION, SAVE_SNAPSHOT, TRANSFER
from sessionstore_server.server import running_server

LARGE = SessionData(id="a", messages=[Message.user("x" * (1 << 20)) for _ in range(5)])


@pytest.fixture(params=[MemorySessionStore, CustomStore])
async def address(request) -> AsyncIterator[str]:
    async with running_server(request.param()) as server:
        yield server.address


async def test_a_large_session_passes(address: str) -> None:
    async with RemoteSessionStore(address) as store, RemoteSessionStore(address) as other:
        await store.save(LARGE)
        assert_same(await other.load("a"), LARGE)


async def test_a_large_record_passes() -> None:
    session = SessionData(id="a", messages=[Message.user("x" * (5 << 20))])
    async with running_server(MemorySessionStore()) as server, RemoteSessionStore(server.address) as store:
        await store.save_snapshot(SessionSnapshot(session=session))
        assert_same((await store.load_snapshot("a")).session, session)


async def test_errors_are_those_of_the_call() -> None:
    async with running_server(MemorySessionStore()) as server, RemoteSessionStore(server.address) as store:
        await store.save(LARGE)
        with pytest.raises(RevisionConflictError) as caught:
            await store.save(
                LARGE.model_copy(update={"messages": [Message.user("y" * (5 << 20))]}), expected_revision=7
            )
    assert caught.value == RevisionConflictError("a", 7, 1)


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ([], "method"),
        ([transfer_pb2.TransferRequest(piece=b"x")], "method"),
        ([transfer_pb2.TransferRequest(method="/x.Y/Z")], "method"),
        ([transfer_pb2.TransferRequest(method=SAVE_SNAPSHOT.path)], "method"),
        ([transfer_pb2.TransferRequest(method=TRANSFER.path)], "method"),
        ([transfer_pb2.TransferRequest(method=LOAD_SESSION.path, piece=b"\xff")], "LoadSessionRequest"),
    ],
)
async def test_what_is_no_call(address: str, parts: list[transfer_pb2.TransferRequest], field: str) -> None:
    async def requests() -> AsyncIterator[transfer_pb2.TransferRequest]:
        for part in parts:
            yield part

    async with RemoteSessionStore(address) as store:
        with pytest.raises(InvalidArgumentError) as caught:
            _ = [part async for part in store._transport.duplex(TRANSFER, requests())]
    assert caught.value.field == field


async def test_a_plain_stub_gets_any_size_unless_it_sets_a_limit(address: str) -> None:
    async with (
        RemoteSessionStore(address) as store,
        grpc.aio.insecure_channel(address, [("grpc.max_receive_message_length", -1)]) as channel,
    ):
        await store.save(LARGE)
        stub = session_pb2_grpc.SessionServiceStub(channel)
        request = session_pb2.LoadSessionRequest(session_id="a")
        assert len((await stub.LoadSession(request)).messages) == 5
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.LoadSession(request, metadata=((ANSWER_LIMIT_KEY, str(DIRECT_BYTES)),))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert f"the limit is {DIRECT_BYTES}" in str(caught.value.details())


async def test_a_large_save_whose_answer_was_lost_has_one_effect() -> None:
    async with (
        running_server(MemorySessionStore()) as server,
        LosingProxy(server.address).running() as proxy,
        RemoteSessionStore(proxy.address) as store,
    ):
        proxy.lose_answers = 2
        assert await store.save(LARGE, expected_revision=0) == 1
        assert proxy.lost_answers == 2
        proxy.lose_answers = 2
        async with RemoteSessionStore(proxy.address) as other:
            assert_same(await other.load("a"), LARGE)
        assert proxy.lost_answers == 4


@asynccontextmanager
async def slow_link(target: str) -> AsyncIterator[str]:
    """Pass at most 2 MiB per second either way; yield the address that leads to `target`."""
    host, _, port = target.rpartition(":")
    served: set[asyncio.Future[list[None]]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await asyncio.sleep(len(data) / (2 << 20))
                await writer.drain()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, to_server = await asyncio.open_connection(host, int(port))
        both = asyncio.gather(pump(reader, to_server), pump(upstream, writer))
        served.add(both)
        await both

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await asyncio.wait(served)


async def test_a_slow_link_is_no_failure() -> None:
    async with (
        running_server(MemorySessionStore()) as server,
        slow_link(server.address) as address,
        RemoteSessionStore(address, timeout_seconds=1) as store,
        RemoteSessionStore(address, timeout_seconds=1) as other,
    ):
        started = asyncio.get_running_loop().time()
        await store.save(LARGE)
        assert_same(await other.load("a"), LARGE)
        assert asyncio.get_running_loop().time() - started > 2
