"""Where the processor time of a server goes: samples of its threads, while 16 callers keep it busy."""

import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import cases, icicle, recorded
from bench.cases import Case
from bench.contestants import CONTESTANTS
from bench.places import placed
from bench.processes import thread_seconds
from bench.rounds import Round, measure
from bench.samples import Profile, profile_of
from bench.sampling import sampling
from bench.work import SaveTurns

CALLERS = 16
_LONG = 10_000
"""More turns than there is time for: new conversations would be sampled too."""
CASES: Mapping[str, Case] = {
    "save": Case("", "turns", CALLERS, (), SaveTurns, {"history": 100, "turns": _LONG}),
    "load": cases.loads(100, CALLERS),
    "exists": cases.existence(CALLERS),
    "upload": cases.uploads("trace", CALLERS),
}
ROADS = {"unary": "stubs", "stream": "client"}
_FUNCTIONS = 15
_WARM_UP_SECONDS = 1.0


@dataclass(frozen=True)
class Subject:
    """What is profiled."""

    store: str
    """A scheme."""
    case: str
    road: str
    process: str
    """`server` or `client`."""

    @property
    def title(self) -> str:
        """Say it in words."""
        return f"{self.process} over {self.store}, {self.case}, {self.road}, {CALLERS} callers"


def profile(subject: Subject, seconds: float, output: Path | None, data_folder: Path | None) -> None:
    """Print what the processor time of a process is spent on, and draw it at `output`."""
    found, round_ = asyncio.run(_profiled(subject, seconds, data_folder))
    if not any(found.stacks.values()):
        raise SystemExit(f"{seconds} seconds were too short to sample anything: give more --seconds")
    print(*told(subject, found, round_), sep="\n")
    if output:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(icicle.drawn(subject.title, found), encoding="utf-8")
        print(f"written: {output}")


def told(subject: Subject, found: Profile, round_: Round) -> list[str]:
    """Return a profile as tables."""
    parts = [(part, seconds) for part, seconds in found.parts() if seconds]
    functions = [
        (f"{frame.function} ({frame.module})", seconds) for frame, seconds in found.functions(_FUNCTIONS) if seconds
    ]
    spent_us = found.seconds / round_.operations * 1e6
    return [
        f"{subject.title}: {round_.rate:,.0f} a second while sampled, {spent_us:,.0f} us of processor time each",
        *_table("part", parts, found.seconds, round_.operations),
        *_table("in the function itself", functions, found.seconds, round_.operations),
    ]


def _table(head: str, rows: Sequence[tuple[str, float]], whole: float, operations: int) -> Iterator[str]:
    yield f"  {'share':>6}{'us':>8}  {head}"
    for name, seconds in rows:
        yield f"  {seconds / whole:>6.1%}{seconds / operations * 1e6:>8,.0f}  {name}"


async def _profiled(subject: Subject, seconds: float, data_folder: Path | None) -> tuple[Profile, Round]:
    name = f"{subject.store}, gRPC, {ROADS[subject.road]}"
    contestant = next(each for each in CONTESTANTS if each.name == name)
    with placed(data_folder) as places:
        async with contestant.open(name, places, recorded.load()) as keeper:
            work = CASES[subject.case].work(keeper)
            await measure(work, _WARM_UP_SECONDS)
            pid = {"client": os.getpid(), **keeper.processes}[subject.process]
            samples = places.path() / "samples"
            async with sampling(pid, samples):
                before = thread_seconds(pid)
                round_ = await measure(work, seconds)
                used = {thread: end - before.get(thread, 0.0) for thread, end in thread_seconds(pid).items()}
        return profile_of(samples.read_text(), used), round_
