"""`sessionstore serve`."""

import asyncio
import gc
import signal
import sys
from contextlib import suppress
from typing import Annotated

import typer

from sessionstore.errors import InvalidArgumentError
from sessionstore.opening import load_store_class
from sessionstore.store import SessionStore
from sessionstore_server.cli.running import StoreOption, run
from sessionstore_server.logs import LogFormat, LogLevel, configure_logs
from sessionstore_server.server import DEFAULT_GRACE_SECONDS, running_server
from sessionstore_server.services.records.retention import UNLIMITED, Retention
from sessionstore_server.stores import LocalSessionStore
from sessionstore_server.workers import obey_supervisor, reserved_port, supervise

DEFAULT_STORE = "file:data"
DEFAULT_LISTEN = "127.0.0.1:50051"

_COLLECTOR_THRESHOLDS = (10_000, 5, 100)
"""Under load, Python's own (700, 10, 10) take a fifth of the processor time, in pauses of up to half a second."""


def serve(
    store: StoreOption = DEFAULT_STORE,
    listen: Annotated[
        str, typer.Option(envvar="SESSIONSTORE_LISTEN", help="HOST:PORT to listen on; port 0 takes any free one.")
    ] = DEFAULT_LISTEN,
    grace_seconds: Annotated[
        float,
        typer.Option(min=0, envvar="SESSIONSTORE_GRACE_SECONDS", help="How long calls may go on after SIGTERM."),
    ] = DEFAULT_GRACE_SECONDS,
    workers: Annotated[
        int, typer.Option(min=1, envvar="SESSIONSTORE_WORKERS", help="How many processes take calls at the address.")
    ] = 1,
    max_runs: Annotated[
        int | None,
        typer.Option(min=1, envvar="SESSIONSTORE_MAX_RUNS", help="How many runs of a session are kept, the latest."),
    ] = None,
    max_run_events: Annotated[
        int | None,
        typer.Option(
            min=1, envvar="SESSIONSTORE_MAX_RUN_EVENTS", help="How many events of a run are kept, the latest."
        ),
    ] = None,
    max_run_bytes: Annotated[
        int | None,
        typer.Option(
            min=1, envvar="SESSIONSTORE_MAX_RUN_BYTES", help="How many bytes of events of a run are kept, as JSON."
        ),
    ] = None,
    log_format: Annotated[
        LogFormat, typer.Option(envvar="SESSIONSTORE_LOG_FORMAT", help="How log lines look, on standard error.")
    ] = LogFormat.TEXT,
    log_level: Annotated[
        LogLevel, typer.Option(envvar="SESSIONSTORE_LOG_LEVEL", help="Which log lines are written: this and worse.")
    ] = LogLevel.INFO,
    worker: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Serve a store over gRPC until SIGTERM or Ctrl-C, then drain.

    Prints one line, `listening on HOST:PORT`, once calls are taken.
    """
    configure_logs(log_format, log_level, worker)
    retention = Retention(max_runs, max_run_events, max_run_bytes)
    if worker is not None:
        run(lambda: _work(worker, _store(store, retention), listen, grace_seconds))
    elif workers > 1:
        run(lambda: _supervise(workers, store, listen, grace_seconds))
    else:
        run(lambda: _serve(_store(store, retention), listen, grace_seconds))


async def _serve(store: SessionStore, listen: str, grace_seconds: float) -> None:
    stop = _signalled()
    async with running_server(store, listen, grace_seconds) as server:
        _spare_the_collector()
        _tell_address(server.address)
        await stop.wait()


async def _work(number: int, store: SessionStore, listen: str, grace_seconds: float) -> None:
    # Signals are for the supervisor, who may get them a little later.
    _signalled()
    async with running_server(store, listen, grace_seconds, shares_port=True, sweeps=number == 1):
        _spare_the_collector()
        await obey_supervisor()


async def _supervise(count: int, url: str, listen: str, grace_seconds: float) -> None:
    scheme = url.partition(":")[0]
    if not load_store_class(scheme).shared_by_processes:
        problem = f"processes cannot share a store of the kind {scheme!r}: serve it with one worker, or another store"
        raise InvalidArgumentError(field="workers", problem=problem)
    stop = _signalled()
    with reserved_port(listen) as address:
        # The same command again, so that workers get what was asked for in the same way, secrets too.
        command = (sys.executable, "-m", "sessionstore_server.cli", *sys.argv[1:], "--listen", address, "--worker")
        commands = [(*command, str(number)) for number in range(1, count + 1)]
        supervising = asyncio.create_task(supervise(commands, grace_seconds, lambda: _tell_address(address)))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait((supervising, stopping), return_when=asyncio.FIRST_COMPLETED)
        supervising.cancel()
        stopping.cancel()
        with suppress(asyncio.CancelledError):
            await supervising


def _signalled() -> asyncio.Event:
    """Return what is set by the signals that end a server."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _tell_address(address: str) -> None:
    print(f"listening on {address}", flush=True)  # noqa: T201 - the one line that scripts wait for


def _spare_the_collector() -> None:
    """Let the garbage collector look rarely, and never at what lives as long as the server: calls wait meanwhile."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECTOR_THRESHOLDS)


def _store(url: str, retention: Retention) -> SessionStore:
    store_class = load_store_class(url.partition(":")[0])
    if retention == UNLIMITED:
        return store_class.from_url(url)
    if not issubclass(store_class, LocalSessionStore):
        problem = f"{url!r} keeps runs by its own rules: leave out --max-runs, --max-run-events and --max-run-bytes"
        raise InvalidArgumentError(field="store", problem=problem)
    return store_class.from_url(url, retention=retention)
