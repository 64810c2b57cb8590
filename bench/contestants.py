"""Who competes."""

from asyncio import gather
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

from bench.keepers.adapter import AdapterKeeper
from bench.keepers.base import Keeper
from bench.keepers.echo import EchoKeeper
from bench.keepers.plain import PlainKeeper
from bench.places import Places
from bench.processes import ECHO, running, serve
from bench.recorded import Recorded
from sessionstore import RemoteSessionStore
from sessionstore.opening import load_store_class

SCHEMES = ("memory", "file", "sqlite", "postgresql")
"""Of our stores."""


@dataclass(frozen=True)
class Contestant:
    """One who competes, before it is opened."""

    name: str
    group: str
    """`echo`, `stub` (our server, plain stubs), `remote` (our server, our client), `local` (in process) or `peer`."""
    open: Callable[[str, Places, Recorded], AbstractAsyncContextManager[Keeper]]


@asynccontextmanager
async def _echo(name: str, _: Places, recorded: Recorded) -> AsyncIterator[Keeper]:
    async with (
        running(*ECHO) as server,
        aclosing(EchoKeeper(name, server.address, recorded, {"server": server.pid})) as keeper,
    ):
        yield keeper


@asynccontextmanager
async def _local(scheme: str, name: str, places: Places, recorded: Recorded) -> AsyncIterator[Keeper]:
    store: Any = load_store_class(scheme).from_url(await places.url(scheme))
    async with aclosing(AdapterKeeper(name, store, recorded, places.processes(scheme))) as keeper:
        yield keeper


@asynccontextmanager
async def _served(
    scheme: str, make: Callable[..., Keeper], name: str, places: Places, recorded: Recorded
) -> AsyncIterator[Keeper]:
    async with running(*serve(await places.url(scheme))) as server:
        processes = {"server": server.pid, **places.processes(scheme)}
        async with aclosing(make(name, server.address, recorded, processes)) as keeper:
            yield keeper


@asynccontextmanager
async def _peer(module: str, class_name: str, name: str, places: Places, recorded: Recorded) -> AsyncIterator[Keeper]:
    make = getattr(import_module(f"bench.keepers.{module}"), class_name)
    async with aclosing(make(name, places.path(), recorded)) as keeper:
        yield keeper


def _of_scheme(scheme: str) -> list[Contestant]:
    return [
        Contestant(f"{scheme}, gRPC, stubs", "stub", partial(_served, scheme, PlainKeeper)),
        Contestant(f"{scheme}, gRPC, client", "remote", partial(_served, scheme, _remote)),
        Contestant(f"{scheme}, in process", "local", partial(_local, scheme)),
    ]


def _remote(name: str, address: str, *others: Any) -> Keeper:
    return AdapterKeeper(name, RemoteSessionStore(address), *others)


CONTESTANTS = [
    Contestant("echo", "echo", _echo),
    *(contestant for scheme in SCHEMES for contestant in _of_scheme(scheme)),
    Contestant("JSON file", "peer", partial(_peer, "json_file", "JsonFileKeeper")),
    Contestant("LangGraph SQLite, put", "peer", partial(_peer, "langgraph", "SaverKeeper")),
    Contestant("LangGraph SQLite, graph", "peer", partial(_peer, "langgraph", "GraphKeeper")),
    Contestant("OpenAI Agents SQLite", "peer", partial(_peer, "openai_agents", "SessionKeeper")),
    Contestant("Google ADK database", "peer", partial(_peer, "google_adk", "ServiceKeeper")),
]


@asynccontextmanager
async def opened(
    contestants: Sequence[Contestant], places: Places, recorded: Recorded
) -> AsyncIterator[tuple[list[Keeper], dict[str, str]]]:
    """Open the contestants, with nothing kept yet; of those that cannot be opened tell why, by name."""
    async with AsyncExitStack() as stack:
        opening = (stack.enter_async_context(each.open(each.name, places, recorded)) for each in contestants)
        found = await gather(*opening, return_exceptions=True)
        refusals = {
            contestant.name: f"{type(error).__name__}: {error}"
            for contestant, error in zip(contestants, found, strict=True)
            if isinstance(error, Exception)
        }
        yield [keeper for keeper in found if isinstance(keeper, Keeper)], refusals
