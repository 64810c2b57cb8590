"""`sessionstore show` and `rm`: single sessions of any store."""

from typing import Annotated

import typer
from rich.console import Console

from sessionstore import open_store
from sessionstore_server.cli.rendering import printable_json, render_snapshot
from sessionstore_server.cli.running import JsonOption, StoreOption, fail, run


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
