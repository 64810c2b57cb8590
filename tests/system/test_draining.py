"""A server that is told to end finishes what it began, takes nothing new, and loses nothing."""

import signal

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from sessionstore import SessionSnapshot, StoreUnavailableError
from sessionstore.testing import samples
from sessionstore.v1 import snapshot_pb2, snapshot_pb2_grpc
from sessionstore.wire.snapshot import snapshot_to_parts

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def large_snapshot() -> SessionSnapshot:
    """A snapshot that travels in several parts."""
    snapshot = samples.snapshot("large")
    snapshot.session.messages = [samples.messages()[0].model_copy(update={"role": "u" * 700_000}) for _ in range(4)]
    return snapshot


async def until_refused(store) -> StoreUnavailableError:
    while True:
        try:
            await store.exists("large")
        except StoreUnavailableError as error:
            return error


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_drain_finishes_the_upload_under_way(serve, folder, number: int) -> None:
    server = await serve(f"file:{folder}")
    first, second, *rest = snapshot_to_parts(large_snapshot(), snapshot_pb2.SaveSnapshotRequest)
    assert len(rest) > 4
    async with grpc.aio.insecure_channel(server.address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        upload = snapshot_pb2_grpc.SnapshotServiceStub(channel).SaveSnapshot()
        await upload.write(first)
        await upload.write(second)
        watch = health.Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == SERVING

        server.send(number)
        assert (await watch.read()).status == NOT_SERVING
        watch.cancel()
        async with server.store(connect_seconds=0.2) as store:
            assert (await until_refused(store)).target == server.address

        for part in rest:
            await upload.write(part)
        await upload.done_writing()
        assert (await upload).revision == 1
    assert await server.ended() == (0, "")

    restarted = await serve(f"file:{folder}")
    async with restarted.store() as store:
        assert await store.load_snapshot("large") == large_snapshot()


async def test_a_drain_ends_after_the_grace_period(serve, folder) -> None:
    """A call that never ends is cut off, and writes nothing."""
    server = await serve(f"file:{folder}", "--grace-seconds", "0.1")
    header, *_ = snapshot_to_parts(large_snapshot(), snapshot_pb2.SaveSnapshotRequest)
    async with grpc.aio.insecure_channel(server.address) as channel:
        upload = snapshot_pb2_grpc.SnapshotServiceStub(channel).SaveSnapshot()
        await upload.write(header)
        await channel.channel_ready()
        assert await server.stop() == 0
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await upload
    assert caught.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
    restarted = await serve(f"file:{folder}")
    async with restarted.store() as store:
        assert await store.list() == []


async def test_a_second_signal_changes_nothing(serve, folder) -> None:
    server = await serve(f"file:{folder}")
    async with server.store() as store:
        await store.save(samples.session())
    server.send(signal.SIGTERM)
    server.send(signal.SIGTERM)
    assert await server.ended() == (0, "")
