"""What worker processes bring: the same loads from a server with one worker, with two, and so on up to the processors.

The client takes little: it asks for long conversations and leaves the answers as the bytes that they are. It has many
connections, since the system gives each of them to one worker.

Where there are more than two processors, the client has a quarter of them for itself and each worker one. With two,
one worker beside a client of its own processor shows what a processor can serve; then client and workers share both.
"""

import os
from asyncio import gather
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import grpc

from bench import recorded
from bench.keepers.adapter import AdapterKeeper
from bench.places import Places, placed
from bench.processes import CpuClock, pin, running, serve
from bench.recorded import Recorded
from sessionstore import RemoteSessionStore
from sessionstore.channel import CLIENT_OPTIONS
from sessionstore.v1.session_pb2 import LoadSessionRequest
from sessionstore.wire.methods import LOAD_SESSION

CONNECTIONS = 16
CALLERS = 32
MESSAGES = 1_000
LOADS = 320
"""In each round."""


@dataclass(frozen=True)
class Layout:
    """How many workers, and who is on which processors."""

    workers: int
    server: Collection[int]
    client: Collection[int]

    def __str__(self) -> str:
        workers = f"{self.workers} worker{'s' * (self.workers > 1)}"
        if set(self.server) & set(self.client):
            return f"{workers} and the client on {len(self.server)}"
        return f"{workers} on {len(self.server)}, the client on {len(self.client)} of its own"


def layouts(processors: Sequence[int]) -> list[Layout]:
    """Return what is compared on these processors, see the head of the module."""
    if len(processors) > 2:
        client = max(1, len(processors) // 4)
        ours, theirs = processors[:client], processors[client:]
        return [Layout(count, theirs[:count], ours) for count in range(1, len(theirs) + 1)]
    shared = [Layout(count, processors, processors) for count in range(1, len(processors) + 1)]
    return [Layout(1, processors[1:], processors[:1]), *shared] if len(processors) == 2 else shared


class Loader:
    """Loads one conversation from a server, again and again."""

    def __init__(self, layout: Layout, address: str, session_id: str, clock: CpuClock) -> None:
        self.layout, self.clock = layout, clock
        self.rates: list[float] = []
        self._request = LoadSessionRequest(session_id=session_id).SerializeToString()
        options = [*CLIENT_OPTIONS, ("grpc.use_local_subchannel_pool", 1)]
        self._channels = [grpc.aio.insecure_channel(address, options) for _ in range(CONNECTIONS)]

    async def measure(self) -> None:
        """Add the rate of a round."""
        pin(os.getpid(), self.layout.client)
        self.clock.start()
        begun = perf_counter()
        await gather(*(self._load(channel) for channel, _ in zip(cycle(self._channels), range(CALLERS), strict=False)))
        self.rates.append(LOADS / (perf_counter() - begun))
        self.clock.stop()

    async def _load(self, channel: grpc.aio.Channel) -> None:
        call: Any = channel.unary_unary(LOAD_SESSION.path)
        for _ in range(LOADS // CALLERS):
            await call(self._request)

    async def aclose(self) -> None:
        """Close all connections."""
        await gather(*(channel.close() for channel in self._channels))


async def scaling(scheme: str, rounds: int, data_folder: Path | None) -> None:
    """Print how many loads a second a server over `scheme` makes with so many workers."""
    input_, processors = recorded.load(), sorted(os.sched_getaffinity(0))
    with placed(data_folder) as places:
        async with AsyncExitStack() as stack:
            stack.callback(pin, os.getpid(), processors)
            loaders = [
                await stack.enter_async_context(_loader(scheme, layout, places, input_))
                for layout in layouts(processors)
            ]
            for _ in range(rounds):
                for loader in loaders:
                    await loader.measure()
    print(
        f"Load {MESSAGES:,} messages from {scheme}: loads a second, {CALLERS} callers, {CONNECTIONS} connections,"
        f" on so many of {len(processors)} processors"
    )
    for loader in loaders:
        print(_told(loader, loaders[0]))


def _told(loader: Loader, first: Loader) -> str:
    rates = loader.rates
    ratio = median(own / other for own, other in zip(rates, first.rates, strict=True))
    used = (f"{name} {1e6 * spent / LOADS / len(rates):,.0f}" for name, spent in loader.clock.seconds.items())
    return (
        f"  {loader.layout!s:<42}{median(rates):>6,.0f} ({min(rates):,.0f} to {max(rates):,.0f})"
        f"  {ratio:.2f} of the first; processor time of a load in us: {', '.join(used)}"
    )


@asynccontextmanager
async def _loader(scheme: str, layout: Layout, places: Places, input_: Recorded) -> AsyncIterator[Loader]:
    command = (*serve(await places.url(scheme)), "--workers", str(layout.workers))
    async with running(*command) as server:
        async with aclosing(AdapterKeeper(scheme, RemoteSessionStore(server.address), input_)) as keeper:
            conversation = await keeper.new(MESSAGES)
        pin(server.pid, layout.server)
        clock = CpuClock({"server": server.pid})
        async with aclosing(Loader(layout, server.address, conversation.id, clock)) as loader:
            yield loader
