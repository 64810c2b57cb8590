"""Assembles and runs the gRPC server, and drains it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from sessionstore.channel import SERVER_OPTIONS
from sessionstore.errors import InvalidArgumentError
from sessionstore.store import SessionStore
from sessionstore_server.rpc import generic_handlers
from sessionstore_server.services.custom.services import services_of_store
from sessionstore_server.services.handlers import Services
from sessionstore_server.stores import LocalSessionStore

DEFAULT_GRACE_SECONDS = 10.0
SWEEP_SECONDS = 3600.0
"""How often a server removes what nothing refers to any more."""
_MAX_PORT = 65_535

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that takes calls at `address`, a host and the port that was really bound."""

    address: str


@asynccontextmanager
async def running_server(
    store: SessionStore,
    listen: str = "127.0.0.1:0",
    grace_seconds: float = DEFAULT_GRACE_SECONDS,
    *,
    shares_port: bool = False,
    sweeps: bool = True,
) -> AsyncIterator[RunningServer]:
    """Serve `store` at `listen`, a host and a port (0: any free one), until the block ends.

    Then health says NOT_SERVING, no new call is taken, calls under way have `grace_seconds` to end, and the store is
    closed. With `shares_port` other processes of this user may listen there as well, each for a part of the clients;
    one of those who serve a store `sweeps` it. Errors: InvalidArgumentError when the address cannot be bound, and what
    opening the store raises.
    """
    services = _services(store)
    await services.open()
    options = {**dict(SERVER_OPTIONS), "grpc.so_reuseport": int(shares_port)}
    server = grpc.aio.server(options=list(options.items()))
    draining = asyncio.Event()
    server.add_generic_rpc_handlers(tuple(generic_handlers(services, draining)))
    status = _add_standard_services(server, services)
    try:
        address = _bind(server, listen)
        await server.start()
        await _set_health(status, services, health_pb2.HealthCheckResponse.SERVING)
        _log.info("serving", address=address, store=services.name)
        async with _sweeping(services) if sweeps else nullcontext():
            yield RunningServer(address)
    finally:
        await _set_health(status, services, health_pb2.HealthCheckResponse.NOT_SERVING)
        draining.set()
        await server.stop(grace_seconds)
        await services.aclose()
        _log.info("stopped", store=services.name)


@asynccontextmanager
async def _sweeping(services: Services) -> AsyncIterator[None]:
    sweeping = asyncio.create_task(_sweep_regularly(services))
    try:
        yield
    finally:
        sweeping.cancel()
        await asyncio.wait([sweeping])


async def _sweep_regularly(services: Services) -> None:
    while True:
        try:
            await services.sweep()
        except Exception as error:  # noqa: BLE001 - the next sweep may succeed
            _log.error("sweep failed", exc_info=error)
        await asyncio.sleep(SWEEP_SECONDS)


def _services(store: SessionStore) -> Services:
    return store.services if isinstance(store, LocalSessionStore) else services_of_store(store)


def _bind(server: grpc.aio.Server, listen: str) -> str:
    # Not checked before, gRPC would listen on a port of its own choice.
    host, _ = split_address(listen)
    try:
        port = server.add_insecure_port(listen)
    except RuntimeError as error:
        raise cannot_listen(listen) from error
    return f"{host}:{port}"


def split_address(listen: str) -> tuple[str, int]:
    """Return the host and the port of `listen`. Errors: InvalidArgumentError when it has not both."""
    host, _, port = listen.rpartition(":")
    if not (host and port.isdecimal() and int(port) <= _MAX_PORT):
        raise InvalidArgumentError(field="listen", problem=f"{listen!r} must have the form HOST:PORT")
    return host, int(port)


def cannot_listen(listen: str) -> InvalidArgumentError:
    """Make the error that says that `listen` cannot be bound."""
    problem = f"cannot listen on {listen!r}: give a HOST:PORT of this machine that is free"
    return InvalidArgumentError(field="listen", problem=problem)


def _add_standard_services(server: grpc.aio.Server, services: Services) -> health.aio.HealthServicer:
    status = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(status, server)
    names = (*_service_names(services), health.SERVICE_NAME, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    return status


async def _set_health(
    status: health.aio.HealthServicer, services: Services, value: health_pb2.HealthCheckResponse.ServingStatus
) -> None:
    for name in ("", *_service_names(services)):
        await status.set(name, value)


def _service_names(services: Services) -> list[str]:
    return sorted({method.service for method in services.handlers})
