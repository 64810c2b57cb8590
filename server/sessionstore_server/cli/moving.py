"""`sessionstore copy` and `verify`: sessions from store to store, and whether what a store holds can be read."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sessionstore import open_store
from sessionstore.moving import CopyOptions, CopyReport, VerifyReport, copy_store, verify_store
from sessionstore_server.cli.rendering import printable, printable_json
from sessionstore_server.cli.running import JsonOption, run

ConcurrencyOption = Annotated[
    int, typer.Option("--concurrency", min=1, max=64, help="How many sessions are under way at the same time.")
]
_CONCURRENCY = 4


def copy(
    source: Annotated[str, typer.Option("--from", help="URL of the store to copy from; it is not changed.")],
    target: Annotated[str, typer.Option("--to", help="URL of the store to copy to; it is made if there is none.")],
    prefix: Annotated[
        str, typer.Option("--prefix", help="Only sessions, runs and workflows with ids that begin like this.")
    ] = "",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what the target has otherwise under the same id.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing; say what would be copied.")] = False,
    concurrency: ConcurrencyOption = _CONCURRENCY,
    as_json: JsonOption = False,
) -> None:
    """Copy whole sessions and checkpoints from store to store, and compare digests of what both then hold.

    Repeat it after an interruption: it copies only what differs. Nothing is removed from the target, and what it has
    otherwise is skipped unless --overwrite is given. If anything was skipped or failed, the exit status is 1.
    """
    run(lambda: _copy(source, target, CopyOptions(prefix, overwrite, dry_run, concurrency), as_json))


def verify(
    store: Annotated[str, typer.Argument(metavar="URL", help="URL of the store.")],
    concurrency: ConcurrencyOption = _CONCURRENCY,
    as_json: JsonOption = False,
) -> None:
    """Read every session, record, artifact and checkpoint of a store, and say what is damaged.

    If anything is, the exit status is 1. Nothing is changed.
    """
    run(lambda: _verify(store, concurrency, as_json))


async def _copy(source_url: str, target_url: str, options: CopyOptions, as_json: bool) -> None:
    async with open_store(source_url, create=False) as source, open_store(target_url) as target:
        with _bar("copying") as progress:
            report = await copy_store(source, target, options, progress)
    _print(report, as_json)
    if not report.is_complete:
        raise typer.Exit(1)


async def _verify(url: str, concurrency: int, as_json: bool) -> None:
    async with open_store(url, create=False) as store:
        with _bar("verifying") as progress:
            report = await verify_store(store, progress, concurrency)
    _print(report, as_json)
    if report.damaged:
        raise typer.Exit(1)


def _print(report: CopyReport | VerifyReport, as_json: bool) -> None:
    typer.echo(printable_json(report.to_json()) if as_json else printable(str(report)))


@contextmanager
def _bar(verb: str) -> Iterator[Callable[[int, int], None]]:
    """Show on a terminal how far it is; give what tells that."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(verb, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
