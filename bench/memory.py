"""How much memory a server needs for sessions that rest and streams that are open."""

from asyncio import gather
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from typing import Any

from bench.contestants import SCHEMES
from bench.keepers.adapter import AdapterKeeper
from bench.places import Places
from bench.processes import resident_bytes, running, serve
from bench.recorded import TURN_MESSAGES, Recorded
from sessionstore import RemoteSessionStore

SESSIONS = 1_000
STREAMS = 100
_SIDE_BY_SIDE = 50


@dataclass(frozen=True)
class MemoryRow:
    """What one server has more than right after its start."""

    store: str
    sessions: int
    """Saved, of one turn each."""
    streams: int
    """That watch all commits."""
    added_bytes: int = 0
    note: str = ""
    """Why there is no figure."""


async def memory_rows(places: Places, recorded: Recorded, sessions: int, streams: int) -> list[MemoryRow]:
    """Measure a server over each of our stores."""
    return [await _row(scheme, places, recorded, sessions, streams) for scheme in SCHEMES]


async def _row(scheme: str, places: Places, recorded: Recorded, sessions: int, streams: int) -> MemoryRow:
    try:
        async with running(*serve(await places.url(scheme))) as server:
            before = resident_bytes(server.pid)
            store: Any = RemoteSessionStore(server.address)
            async with aclosing(AdapterKeeper(scheme, store, recorded)) as keeper, AsyncExitStack() as open_streams:
                await _save(keeper, sessions)
                for _ in range(streams):
                    await anext(await open_streams.enter_async_context(aclosing(store.watch())))
                return MemoryRow(scheme, sessions, streams, resident_bytes(server.pid) - before)
    except Exception as error:  # noqa: BLE001 - one store that fails does not end the others
        return MemoryRow(scheme, sessions, streams, note=f"{type(error).__name__}: {error}")


async def _save(keeper: AdapterKeeper, sessions: int) -> None:
    for start in range(0, sessions, _SIDE_BY_SIDE):
        await gather(*(keeper.new(TURN_MESSAGES) for _ in range(min(_SIDE_BY_SIDE, sessions - start))))
