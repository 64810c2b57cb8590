"""`sessionstore serve`."""

import asyncio
import signal
from typing import Annotated

import typer

from sessionstore.errors import InvalidArgumentError
from sessionstore.opening import load_store_class
from sessionstore.store import SessionStore
from sessionstore_server.cli.running import StoreOption, run
from sessionstore_server.logs import LogFormat, LogLevel, configure_logs
from sessionstore_server.server import DEFAULT_GRACE_SECONDS, running_server
from sessionstore_server.services.retention import UNLIMITED, Retention
from sessionstore_server.stores import LocalSessionStore

DEFAULT_STORE = "file:data"
DEFAULT_LISTEN = "127.0.0.1:50051"


def serve(
    store: StoreOption = DEFAULT_STORE,
    listen: Annotated[
        str, typer.Option(envvar="SESSIONSTORE_LISTEN", help="HOST:PORT to listen on; port 0 takes any free one.")
    ] = DEFAULT_LISTEN,
    grace_seconds: Annotated[
        float,
        typer.Option(min=0, envvar="SESSIONSTORE_GRACE_SECONDS", help="How long calls may go on after SIGTERM."),
    ] = DEFAULT_GRACE_SECONDS,
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
) -> None:
    """Serve a store over gRPC until SIGTERM or Ctrl-C, then drain.

    Prints one line, `listening on HOST:PORT`, once calls are taken.
    """
    configure_logs(log_format, log_level)
    retention = Retention(max_runs, max_run_events, max_run_bytes)
    run(lambda: _serve(store, retention, listen, grace_seconds))


async def _serve(url: str, retention: Retention, listen: str, grace_seconds: float) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running_server(_store(url, retention), listen, grace_seconds) as server:
        print(f"listening on {server.address}", flush=True)  # noqa: T201 - the one line that scripts wait for
        await stop.wait()


def _store(url: str, retention: Retention) -> SessionStore:
    store_class = load_store_class(url.partition(":")[0])
    if retention == UNLIMITED:
        return store_class.from_url(url)
    if not issubclass(store_class, LocalSessionStore):
        problem = f"{url!r} keeps runs by its own rules: leave out --max-runs, --max-run-events and --max-run-bytes"
        raise InvalidArgumentError(field="store", problem=problem)
    return store_class.from_url(url, retention=retention)
