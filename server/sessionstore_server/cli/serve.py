"""`sessionstore serve`."""

import asyncio
import signal
from typing import Annotated

import typer

from sessionstore.opening import load_store_class
from sessionstore_server.cli.running import StoreOption, run
from sessionstore_server.logs import LogFormat, LogLevel, configure_logs
from sessionstore_server.server import DEFAULT_GRACE_SECONDS, running_server

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
    run(lambda: _serve(store, listen, grace_seconds))


async def _serve(url: str, listen: str, grace_seconds: float) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    store = load_store_class(url.partition(":")[0]).from_url(url)
    async with running_server(store, listen, grace_seconds) as server:
        print(f"listening on {server.address}", flush=True)  # noqa: T201 - the one line that scripts wait for
        await stop.wait()
