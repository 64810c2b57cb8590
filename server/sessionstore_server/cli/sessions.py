"""`sessionstore ls`, `show` and `rm`: a look into any store."""

import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from sessionstore import SessionPage, SessionStore, SessionSummary, open_store
from sessionstore_server.cli.rendering import printable_json, printable_line, render_snapshot
from sessionstore_server.cli.running import StoreOption, fail, run

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]

_WIDTH_OF_FILES = 10_000
"""Tables that no terminal shows are never folded."""
_COLUMNS = (
    Column("id", overflow="fold"),
    Column("name", overflow="ellipsis", no_wrap=True),
    *(Column(name, no_wrap=True) for name in ("state", "messages", "tokens", "cost", "updated")),
)


def ls(store: StoreOption, as_json: JsonOption = False) -> None:
    """List the sessions of a store, by id. With --json: one object a line."""
    run(lambda: _ls(store, as_json))


def show(
    session_id: Annotated[str, typer.Argument(metavar="ID", help="The id of the session.")],
    store: StoreOption,
    as_json: JsonOption = False,
) -> None:
    """Show one session: its conversation, and what is recorded beside it. With --json: the whole snapshot."""
    run(lambda: _show(store, session_id, as_json))


def rm(
    session_ids: Annotated[list[str], typer.Argument(metavar="ID...", help="The ids of the sessions to remove.")],
    store: StoreOption,
) -> None:
    """Remove sessions with all their records; checkpoints stay."""
    run(lambda: _rm(store, session_ids))


async def _ls(url: str, as_json: bool) -> None:
    unreachable: list[str] = []
    table = Table(*_COLUMNS, box=None, header_style="bold", pad_edge=False)
    async with open_store(url, create=False) as store:
        async for page in _pages(store):
            unreachable += page.unreachable
            for summary in page.sessions:
                if as_json:
                    typer.echo(printable_json(summary.model_dump_json()))
                else:
                    table.add_row(*_row(summary))
    if not as_json:
        Console(width=None if sys.stdout.isatty() else _WIDTH_OF_FILES).print(table)
    if unreachable:
        fail(f"damaged, and therefore not shown: {', '.join(map(repr, unreachable))}; `show` tells more")


async def _show(url: str, session_id: str, as_json: bool) -> None:
    async with open_store(url, create=False) as store:
        snapshot = await store.load_snapshot(session_id)
    if snapshot is None:
        fail(f"there is no session {session_id!r}; `sessionstore ls` lists those there are")
    if as_json:
        typer.echo(printable_json(snapshot.model_dump_json(indent=2)))
    else:
        Console().print(render_snapshot(snapshot))


async def _rm(url: str, session_ids: list[str]) -> None:
    async with open_store(url, create=False) as store:
        missing = [session_id for session_id in session_ids if not await store.exists(session_id)]
        if missing:
            fail(f"nothing was removed, since there is no session {', '.join(map(repr, missing))}")
        for session_id in session_ids:
            await store.delete(session_id)


async def _pages(store: SessionStore) -> AsyncIterator[SessionPage]:
    token = ""
    while True:
        page = await store.list_sessions(page_token=token)
        yield page
        token = page.next_page_token
        if not token:
            return


def _row(summary: SessionSummary) -> tuple[str, ...]:
    return (
        printable_line(summary.id),
        printable_line(summary.name),
        summary.state.value,
        str(summary.message_count),
        str(summary.total_tokens),
        f"${summary.total_cost:.4f}",
        _time(summary.updated_at),
    )


def _time(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
    except (OverflowError, OSError, ValueError):
        return str(seconds)
