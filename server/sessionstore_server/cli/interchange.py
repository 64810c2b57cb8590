"""`sessionstore import-a3s` and `export-a3s`: sessions in and out of folders of the reference."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sessionstore import SessionStore, open_store
from sessionstore.interchange import Report
from sessionstore.interchange import export_a3s as export_folder
from sessionstore.interchange import import_a3s as import_folder
from sessionstore_server.cli.rendering import printable_json
from sessionstore_server.cli.running import StoreOption, run

Transfer = Callable[[Path, SessionStore, Callable[[int, int], None]], Awaitable[Report]]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the report as JSON, for machines.")]


def import_a3s(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder written by A3S Code.", exists=True, file_okay=False)
    ],
    store: StoreOption,
    as_json: JsonOption = False,
) -> None:
    """Bring the sessions and checkpoints of an A3S Code folder, of either layout, into a store.

    Prints what came in, and what was skipped and why; if anything was, the exit status is 1. The folder is not changed.
    """
    run(lambda: _transfer("importing", import_folder, folder, open_store(store), as_json))


def export_a3s(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to write to.", file_okay=False)],
    store: StoreOption,
    as_json: JsonOption = False,
) -> None:
    """Write all sessions and checkpoints of a store as a folder that A3S Code reads.

    Files of the same ids are replaced, other files stay. Prints what went out, and what was skipped and why; if
    anything was, the exit status is 1.
    """
    run(lambda: _transfer("exporting", export_folder, folder, open_store(store, create=False), as_json))


async def _transfer(
    verb: str, transfer: Transfer, folder: Path, opened: AbstractAsyncContextManager[SessionStore], as_json: bool
) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    async with opened as store:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
            task = progress.add_task(verb, total=None)
            report = await transfer(
                folder, store, lambda done, total: progress.update(task, completed=done, total=total)
            )
    typer.echo(printable_json(report.to_json()) if as_json else str(report))
    if report.skipped:
        raise typer.Exit(1)
