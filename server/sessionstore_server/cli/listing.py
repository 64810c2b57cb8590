"""`sessionstore ls`: which sessions a store has."""

import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table
from typer.models import OptionInfo

from sessionstore import SessionPage, SessionStore, SessionSummary, open_store
from sessionstore.model import SessionState
from sessionstore.store import SessionFilter, SessionOrder
from sessionstore_server.cli.rendering import printable_json, printable_line
from sessionstore_server.cli.running import JsonOption, StoreOption, fail, run

_SELECTING = "Which sessions"
_TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
_WIDTH_OF_FILES = 10_000
"""Tables that no terminal shows are never folded."""
_COLUMNS = (
    Column("id", overflow="fold"),
    Column("name", overflow="ellipsis", no_wrap=True),
    *(Column(name, no_wrap=True) for name in ("state", "messages", "tokens", "cost", "updated")),
)


@dataclass(frozen=True, slots=True)
class _Asked:
    """Which sessions, in which order."""

    filter: SessionFilter
    order_by: SessionOrder
    descending: bool


def _option(name: str, text: str) -> OptionInfo:
    option: OptionInfo = typer.Option(name, help=text, case_sensitive=False, rich_help_panel=_SELECTING)
    return option


def _time(name: str, text: str) -> OptionInfo:
    option: OptionInfo = typer.Option(
        name, help=f"{text} (UTC).", metavar="YYYY-MM-DD[THH:MM[:SS]]", formats=_TIMES, rich_help_panel=_SELECTING
    )
    return option


def ls(
    store: StoreOption,
    as_json: JsonOption = False,
    state: Annotated[SessionState | None, _option("--state", "In this state.")] = None,
    tenant: Annotated[str | None, _option("--tenant", "Of this tenant.")] = None,
    principal: Annotated[str | None, _option("--principal", "Of this principal.")] = None,
    agent_template: Annotated[str | None, _option("--agent-template", "Of this agent template.")] = None,
    parent: Annotated[str | None, _option("--parent", "Delegated by the session with this id.")] = None,
    model: Annotated[str | None, _option("--model", "With this model.")] = None,
    name: Annotated[str, _option("--name", "With a name that begins like this.")] = "",
    since: Annotated[datetime | None, _time("--since", "Updated at this time or later")] = None,
    until: Annotated[datetime | None, _time("--until", "Updated before this time")] = None,
    created_since: Annotated[datetime | None, _time("--created-since", "Created at this time or later")] = None,
    created_until: Annotated[datetime | None, _time("--created-until", "Created before this time")] = None,
    order: Annotated[SessionOrder, typer.Option("--order", help="By what they are listed.")] = SessionOrder.ID,
    desc: Annotated[bool, typer.Option("--desc", help="The last first.")] = False,
    count: Annotated[bool, typer.Option("--count", help="Print only how many there are.")] = False,
) -> None:
    """List the sessions of a store for which all that is given holds. With --json: one object a line."""
    asked = SessionFilter(
        state=state,
        tenant_id=tenant,
        principal=principal,
        agent_template_id=agent_template,
        parent_id=parent,
        model_name=model,
        name_prefix=name,
        created_from=_seconds(created_since),
        created_before=_seconds(created_until),
        updated_from=_seconds(since),
        updated_before=_seconds(until),
    )
    run(lambda: _count(store, asked) if count else _ls(store, _Asked(asked, order, desc), as_json))


async def _count(url: str, asked: SessionFilter) -> None:
    async with open_store(url, create=False) as store:
        typer.echo(await store.count_sessions(asked))


async def _ls(url: str, asked: _Asked, as_json: bool) -> None:
    unreachable: list[str] = []
    table = Table(*_COLUMNS, box=None, header_style="bold", pad_edge=False)
    async with open_store(url, create=False) as store:
        async for page in _pages(store, asked):
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


async def _pages(store: SessionStore, asked: _Asked) -> AsyncIterator[SessionPage]:
    token = ""
    while True:
        page = await store.list_sessions(
            page_token=token, filter=asked.filter, order_by=asked.order_by, descending=asked.descending
        )
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
        _minute(summary.updated_at),
    )


def _minute(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
    except (OverflowError, OSError, ValueError):
        return str(seconds)


def _seconds(time: datetime | None) -> int | None:
    return None if time is None else int(time.replace(tzinfo=UTC).timestamp())
