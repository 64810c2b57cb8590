"""Several processes serve one port: they start, end and replace each other, and clients need not know of them."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Protocol, Self

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from sessionstore import (
    InternalError,
    InvalidArgumentError,
    MemorySessionStore,
    RemoteSessionStore,
    SessionStore,
    connection,
)
from sessionstore.adapter import ServiceAdapter
from sessionstore.channel import CLIENT_OPTIONS
from sessionstore.testing import AnotherClient, ConversationContract, RecordConversationContract, samples
from sessionstore.v1 import snapshot_pb2, snapshot_pb2_grpc
from sessionstore.wire.snapshot import snapshot_to_parts
from sessionstore_server import workers
from sessionstore_server.server import running_server
from sessionstore_server.services.handlers import Services

WORKERS = ("--workers", "2", "--log-format", "json")
SCHEMES = ("file", "sqlite")
OWN_CONNECTION = ("grpc.use_local_subchannel_pool", 1)


class Server(Protocol):
    address: str

    def log(self) -> str: ...


ClientOfEach = Callable[[Server], Awaitable[tuple[SessionStore, ...]]]


def logged(server: Server, event: str) -> list[dict]:
    lines = map(json.loads, server.log().splitlines())
    return [line for line in lines if line["event"] == event]


def pids(server: Server) -> dict[int, int]:
    """Return the present process of each worker."""
    return {line["worker"]: line["pid"] for line in logged(server, "worker listens")}


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what other processes do without telling us."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def worker_of(server: Server, client: SessionStore) -> int:
    """Return the worker that answers a client: a call that it refuses leaves a line in its log."""
    with pytest.raises(InvalidArgumentError):
        await client.load("")
    return logged(server, "call refused")[-1]["worker"]


@pytest.fixture
async def client_of_each(monkeypatch) -> AsyncIterator[ClientOfEach]:
    """Open clients, each with a connection of its own, until each worker answers one; return these."""
    monkeypatch.setattr(connection, "CLIENT_OPTIONS", [*CLIENT_OPTIONS, OWN_CONNECTION])
    async with AsyncExitStack() as stack:

        async def connect(server: Server) -> tuple[SessionStore, ...]:
            clients: dict[int, SessionStore] = {}
            while len(clients) < 2:
                client = await stack.enter_async_context(RemoteSessionStore(server.address, multiplex=False))
                clients[await worker_of(server, client)] = client
            return clients[1], clients[2]

        yield connect


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_what_one_worker_acknowledged_all_know(serve, folder, client_of_each: ClientOfEach, scheme: str) -> None:
    """Also after both were killed, and others took their places; clients go on."""
    server = await serve(f"{scheme}:{folder}", *WORKERS)
    clients = await client_of_each(server)
    for client, session_id in zip(clients, "ab", strict=True):
        await client.save_snapshot(samples.snapshot(session_id))
    killed = pids(server)
    for pid in killed.values():
        os.kill(pid, signal.SIGKILL)
    await until(lambda: not set(pids(server).values()) & set(killed.values()))
    for client in (*clients, *await client_of_each(server)):
        assert await client.list() == ["a", "b"]
        assert [await client.load_snapshot(name) for name in "ab"] == [samples.snapshot(name) for name in "ab"]
    assert [line["status"] for line in logged(server, "worker ended")] == [-signal.SIGKILL] * 2
    assert await server.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_workers_drain_together(serve, folder, number: int) -> None:
    """Uploads under way are finished, whichever worker takes them."""
    server = await serve(f"file:{folder}", *WORKERS)
    ids = [str(number) for number in range(8)]
    async with AsyncExitStack() as stack:
        uploads = [await stack.enter_async_context(Upload(server.address, session_id)) for session_id in ids]
        server.send(number)
        await asyncio.gather(*(upload.finish_while_draining() for upload in uploads))
    assert await server.ended() == (0, "")
    assert {line["worker"] for line in logged(server, "stopped")} == {1, 2}
    restarted = await serve(f"file:{folder}")
    async with restarted.store() as store:
        assert await store.list() == ids


class Upload:
    """An upload of a snapshot over a connection of its own, of which the server has the first part."""

    def __init__(self, address: str, session_id: str) -> None:
        self._channel = grpc.aio.insecure_channel(address, [OWN_CONNECTION])
        self._parts = snapshot_to_parts(samples.snapshot(session_id), snapshot_pb2.SaveSnapshotRequest)

    async def __aenter__(self) -> Self:
        self._call = snapshot_pb2_grpc.SnapshotServiceStub(self._channel).SaveSnapshot()
        await self._call.write(next(self._parts))
        self._health = health_pb2_grpc.HealthStub(self._channel).Watch(health_pb2.HealthCheckRequest())
        assert (await self._health.read()).status == health_pb2.HealthCheckResponse.SERVING
        return self

    async def finish_while_draining(self) -> None:
        assert (await self._health.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        self._health.cancel()
        for part in self._parts:
            await self._call.write(part)
        await self._call.done_writing()
        assert (await self._call).revision == 1

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()


async def test_workers_end_with_a_killed_supervisor(serve, folder) -> None:
    server = await serve(f"file:{folder}", *WORKERS)
    await server.stop(signal.SIGKILL)
    await until(lambda: {line["worker"] for line in logged(server, "stopped")} == {1, 2})
    await serve(f"file:{folder}", *WORKERS, listen=server.address)


async def test_a_store_that_processes_cannot_share_is_refused(run_cli) -> None:
    status, output, errors = await run_cli("serve", "--store=memory:", "--listen=127.0.0.1:0", *WORKERS)
    assert (status, output) == (1, "")
    assert errors.startswith("error: workers: processes cannot share a store of the kind 'memory'")
    assert errors.count("\n") == 1


@pytest.mark.parametrize("shared", [False, True])
async def test_an_address_in_use_is_refused(run_cli, folder, shared: bool) -> None:
    """Also one that others would share."""
    with socket.create_server(("127.0.0.1", 0), reuse_port=shared) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        status, output, errors = await run_cli("serve", "--store", f"file:{folder}", "--listen", listen, *WORKERS)
    assert (status, output) == (1, "")
    assert errors.startswith(f"error: listen: cannot listen on '{listen}'")
    assert errors.count("\n") == 1


async def test_a_store_that_cannot_open_ends_all(run_cli, tmp_path) -> None:
    (tmp_path / "taken").write_text("no folder")
    store = f"file:{tmp_path / 'taken'}"
    status, output, errors = await run_cli("serve", "--store", store, "--listen=127.0.0.1:0", *WORKERS)
    assert (status, output) == (1, "")
    first, second = errors.splitlines()
    assert first.startswith(f"error: {tmp_path / 'taken'}")
    assert second.startswith("error: worker 1 failed: it ended with status 1 before it listened")


LISTEN = "import pathlib, signal, socket, sys; line = socket.socket(fileno=0); line.send(b'listening\\n')"


def python(script: str, *arguments: object) -> tuple[str, ...]:
    return (sys.executable, "-c", script, *map(str, arguments))


async def test_a_worker_that_cannot_start_again_ends_all(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(workers, "_FIRST_PAUSE_SECONDS", 0.0)
    starts, drained = tmp_path / "starts", tmp_path / "drained"
    steady = python(f"{LISTEN}; line.recv(1); pathlib.Path(sys.argv[1]).touch()", drained)
    note = "import sys; starts = open(sys.argv[1], 'a+'); starts.write('.'); starts.flush()"
    dying = python(f"{note}\nif starts.tell() > 1: sys.exit(3)\n{LISTEN}", starts)
    listening = asyncio.Event()
    with pytest.raises(InternalError, match="worker 2 failed: it ended with status 3 before it listened"):
        await workers.supervise([steady, dying], 0.0, listening.set)
    assert listening.is_set()
    assert drained.exists()
    assert len(starts.read_text()) == 1 + workers._STARTS


async def test_a_worker_that_does_not_drain_is_killed(monkeypatch) -> None:
    monkeypatch.setattr(workers, "_CLOSING_SECONDS", 0.0)
    listening = asyncio.Event()
    supervising = asyncio.create_task(workers.supervise([python(f"{LISTEN}; signal.pause()")], 0.0, listening.set))
    await listening.wait()
    supervising.cancel()
    with pytest.raises(asyncio.CancelledError):
        await supervising


async def test_a_worker_that_is_starting_is_ended(tmp_path) -> None:
    begun = tmp_path / "begun"
    slow = python("import pathlib, signal, sys; pathlib.Path(sys.argv[1]).touch(); signal.pause()", begun)
    supervising = asyncio.create_task(workers.supervise([slow], 0.0, lambda: None))
    await until(begun.exists)
    supervising.cancel()
    with pytest.raises(asyncio.CancelledError):
        await supervising


@pytest.mark.parametrize("sweeps", [False, True])
async def test_one_of_those_who_share_a_store_sweeps_it(sweeps: bool) -> None:
    swept = asyncio.Event()

    class Swept(MemorySessionStore):
        @property
        def services(self) -> Services:
            async def sweep() -> None:
                swept.set()

            return replace(super().services, sweep=sweep)

    async with running_server(Swept(), sweeps=sweeps) as server, RemoteSessionStore(server.address) as store:
        await store.health_check()
    assert swept.is_set() is sweeps


class SharedServer:
    """A server that outlives a test."""

    def __init__(self, url: str, log: Path) -> None:
        command = (sys.executable, "-m", "sessionstore_server.cli", "serve", "--store", url, *WORKERS)
        with log.open("wb") as stderr:
            self._process = subprocess.Popen(
                (*command, "--listen", "127.0.0.1:0"), stdout=subprocess.PIPE, stderr=stderr, text=True
            )
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().removeprefix("listening on ").strip()
        self._log = log

    def log(self) -> str:
        return self._log.read_text()

    def stop(self) -> None:
        self._process.terminate()
        self._process.communicate()
        assert self._process.returncode == 0


@pytest.fixture(scope="module", params=SCHEMES)
def shared_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedServer]:
    folder = tmp_path_factory.mktemp("workers")
    server = SharedServer(f"{request.param}:{folder / 'store'}", folder / "log")
    yield server
    server.stop()


class TestConversationsThroughWorkers(ConversationContract, RecordConversationContract):
    """The store is one worker, and the other client another."""

    @pytest.fixture
    async def clients(self, shared_server, client_of_each: ClientOfEach) -> tuple[SessionStore, ...]:
        clients = await client_of_each(shared_server)
        for session_id in await clients[0].list():
            await clients[0].delete(session_id)
        return clients

    @pytest.fixture
    def store(self, clients) -> SessionStore:
        return clients[0]

    @pytest.fixture
    def another_client(self, clients) -> AnotherClient:
        return lambda: ServiceAdapter(clients[1]._transport)
