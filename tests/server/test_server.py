"""The server, assembled and run in this process."""

import asyncio
import socket

import grpc
import pytest

from sessionstore import (
    FileSessionStore,
    InvalidArgumentError,
    MemorySessionStore,
    RemoteSessionStore,
    StorageError,
    StoreClosedError,
    StoreUnavailableError,
)
from sessionstore.testing import samples
from sessionstore_server.server import running_server


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "localhost:0"])
async def test_port_zero_takes_a_free_one(listen: str) -> None:
    async with running_server(MemorySessionStore(), listen) as first, running_server(MemorySessionStore()) as second:
        host, port = first.address.split(":")
        assert host == listen.split(":")[0]
        assert int(port) > 0
        assert first.address != second.address
        async with RemoteSessionStore(first.address) as store:
            await store.health_check()


@pytest.mark.parametrize(
    "listen", ["", ":", "127.0.0.1", "127.0.0.1:", ":0", "127.0.0.1:port", "127.0.0.1:-1", "127.0.0.1:65536"]
)
async def test_an_address_of_another_form_is_refused(listen: str) -> None:
    store = MemorySessionStore()
    with pytest.raises(InvalidArgumentError) as caught:
        async with running_server(store, listen):
            pass
    assert caught.value == InvalidArgumentError("listen", f"{listen!r} must have the form HOST:PORT")
    with pytest.raises(StoreClosedError):
        await store.list()


async def test_an_address_in_use_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(InvalidArgumentError, match="give a HOST:PORT of this machine that is free"):
            async with running_server(MemorySessionStore(), listen):
                pass


async def test_a_store_that_does_not_open_is_told(tmp_path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StorageError, match=str(tmp_path / "file")):
        async with running_server(FileSessionStore(tmp_path / "file")):
            pass


async def test_the_end_closes_the_store_and_refuses_calls() -> None:
    store = MemorySessionStore()
    async with running_server(store) as server:
        remote = RemoteSessionStore(server.address, connect_seconds=0.1)
        await remote.save(samples.session())
        assert await store.load(samples.session().id) == samples.session()
    with pytest.raises(StoreClosedError):
        await store.list()
    with pytest.raises(StoreUnavailableError):
        await remote.list()
    await remote.aclose()


async def test_many_calls_at_once() -> None:
    async with running_server(MemorySessionStore()) as server, RemoteSessionStore(server.address) as store:
        sessions = [samples.session(f"session-{number:03}") for number in range(100)]
        await asyncio.gather(*map(store.save, sessions))
        assert await asyncio.gather(*(store.load(session.id) for session in sessions)) == sessions
        assert await store.list() == [session.id for session in sessions]


async def test_bytes_that_are_no_message_do_no_harm() -> None:
    async with running_server(MemorySessionStore()) as server:
        async with grpc.aio.insecure_channel(server.address) as channel:
            with pytest.raises(grpc.aio.AioRpcError):
                await channel.unary_unary("/sessionstore.v1.SessionService/SaveSession")(b"\xff\xff")
        async with RemoteSessionStore(server.address) as store:
            assert await store.list() == []


async def test_a_long_error_reaches_the_caller() -> None:
    """Its facts travel in metadata, which gRPC limits."""
    uri = "a3s://" + "é" * 20_000
    first, second = (artifact.model_copy(update={"artifact_uri": uri}) for artifact in samples.artifacts())
    snapshot = samples.snapshot()
    snapshot.artifacts = [first, second]
    async with running_server(MemorySessionStore()) as server, RemoteSessionStore(server.address) as store:
        with pytest.raises(InvalidArgumentError) as caught:
            await store.save_snapshot(snapshot)
    assert "artifact_uri" in caught.value.field
