"""How much memory a server needs while it works on and on: a curve over an hour of mixed load.

What is stored does not grow: of the sessions the oldest is deleted for each new one. So neither may the server.
"""

import asyncio
import json
import random
from collections import deque
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import mean
from time import monotonic
from typing import Any

from bench import picture, recorded
from bench.keepers.adapter import AdapterKeeper
from bench.keepers.base import Conversation
from bench.places import Places, placed
from bench.processes import resident_bytes, running, serve
from sessionstore import RemoteSessionStore

SESSIONS = 200
"""How many are stored at a time."""
CALLERS = 4
SAMPLES = 240
"""Of which a curve consists."""
_HISTORY = 20
_LONGEST = 100
_EVENT_BATCHES = 2


@dataclass(frozen=True)
class Sample:
    """What was seen at one moment."""

    seconds: float
    """Since the load began."""
    resident_bytes: int
    """Of the server."""
    operations: int
    """Done so far."""


@dataclass
class Load:
    """A mix of everything that a runtime does, at no more than `rate` operations a second."""

    keeper: AdapterKeeper
    rate: float
    operations: int = 0
    _stored: deque[Conversation] = field(default_factory=deque)
    _random: random.Random = field(default_factory=lambda: random.Random(0))

    async def go_on(self) -> None:
        """Work without end."""
        batches = self.keeper.batches("trace", _EVENT_BATCHES)
        while True:
            begun = monotonic()
            await self._step(batches)
            self.operations += 1
            await asyncio.sleep(max(0.0, begun + CALLERS / self.rate - monotonic()))

    async def _step(self, batches: Sequence[Any]) -> None:
        conversation = await self._one()
        match self._random.randrange(8):
            case 0 | 1 | 2:
                await self.keeper.save_turn(conversation)
            case 3:
                await self.keeper.load(conversation)
            case 4:
                await self.keeper.load_again(conversation)
            case 5:
                await self.keeper.exists(conversation)
            case 6:
                await self.keeper.list_page("", 100)
            case 7:
                await self.keeper.upload("trace", conversation.id, batches)
        if conversation.length < _LONGEST:
            self._stored.append(conversation)
        else:
            await self.keeper.delete(conversation)

    async def _one(self) -> Conversation:
        """Return a session that no other caller works on: the next one, or a new one while there are too few."""
        if len(self._stored) + CALLERS > SESSIONS:
            return self._stored.popleft()
        return await self.keeper.new(_HISTORY)


def growth(store: str, seconds: float, rate: float, output: Path, data_folder: Path | None) -> None:
    """Load a server over `store` (a scheme) for so long; print what the curve comes to, and write JSON and picture."""
    input_ = recorded.load()
    with placed(data_folder) as places:
        samples = asyncio.run(_samples(store, seconds, rate, places, input_))
    output.parent.mkdir(parents=True, exist_ok=True)
    content = {"store": store, "input": input_.source, "samples": [asdict(sample) for sample in samples]}
    output.write_text(json.dumps(content) + "\n", encoding="utf-8")
    points = [(sample.seconds / 60, sample.resident_bytes / 1e6) for sample in samples]
    title = f"Memory of a server over {store}, in MB, by minutes of mixed load"
    output.with_suffix(".svg").write_text(picture.curve(title, points), encoding="utf-8")
    print(*told(samples), f"written: {output} and {output.with_suffix('.svg')}", sep="\n")


def told(samples: Sequence[Sample]) -> list[str]:
    """Return what a curve comes to, for people."""
    part = max(1, len(samples) // 4)
    last = samples[-1]
    lines = [
        f"{last.operations:,} operations in {last.seconds / 60:.0f} minutes; resident memory of the server, in MB:"
    ]
    for name, chosen in (("second quarter", samples[part : 2 * part]), ("last quarter", samples[-part:])):
        lines.append(
            f"  {name:<16}{mean(sample.resident_bytes for sample in chosen or samples) / 1e6:>8.1f} on average"
        )
    return lines


async def _samples(scheme: str, seconds: float, rate: float, places: Places, input_: recorded.Recorded) -> list[Sample]:
    async with running(*serve(await places.url(scheme))) as server:
        keeper = AdapterKeeper(scheme, RemoteSessionStore(server.address), input_)
        async with aclosing(keeper), asyncio.TaskGroup() as group:
            load = Load(keeper, rate)
            callers = [group.create_task(load.go_on()) for _ in range(CALLERS)]
            begun, samples = monotonic(), list[Sample]()
            for number in range(SAMPLES + 1):
                await asyncio.sleep(max(0.0, begun + seconds * number / SAMPLES - monotonic()))
                samples.append(Sample(monotonic() - begun, resident_bytes(server.pid), load.operations))
            for caller in callers:
                caller.cancel()
        return samples
