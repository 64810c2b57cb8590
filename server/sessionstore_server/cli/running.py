"""What every command shares: running to the end, and saying in one line what went wrong."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, NoReturn

import typer

from sessionstore.errors import SessionStoreError
from sessionstore_server.cli.rendering import printable

StoreOption = Annotated[
    str,
    typer.Option(
        "--store", envvar="SESSIONSTORE_STORE", help="URL of the store: memory:, file:PATH, grpc://HOST:PORT."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]


def run(command: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a command; an error of a store ends the program with its message and status 1."""
    try:
        asyncio.run(command())
    except SessionStoreError as error:
        fail(str(error))


def fail(message: str) -> NoReturn:
    """End the program with a message and status 1."""
    print(f"error: {printable(message)}", file=sys.stderr)  # noqa: T201 - what people read
    raise typer.Exit(1)
