"""Rounds in which contestants take turns, so that what the machine does meanwhile hits them alike."""

import gc
from asyncio import gather
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from bench.keepers.base import Keeper
from bench.processes import CpuClock
from bench.work import Work

WARM_UP_SECONDS = 0.1


@dataclass(frozen=True)
class Round:
    """What one contestant did in one round."""

    operations: int
    seconds: float
    latencies: Sequence[float]
    """Of each step, in seconds."""
    cpu_seconds: dict[str, float]
    """By process."""

    @property
    def rate(self) -> float:
        """Operations a second."""
        return self.operations / self.seconds


@dataclass(frozen=True)
class Outcome:
    """What one contestant did in all rounds."""

    keeper: Keeper
    rounds: Sequence[Round]
    failure: str
    """Why it did not do the work; empty when it did."""


async def compete(
    make_work: Callable[[Keeper], Work[Any]], keepers: Sequence[Keeper], rounds: int, seconds: float
) -> list[Outcome]:
    """Let each contestant work for so many rounds of so many seconds, each round in another order."""
    works = {keeper: make_work(keeper) for keeper in keepers}
    done: dict[Keeper, list[Round]] = {keeper: [] for keeper in keepers}
    failures: dict[Keeper, str] = {}
    for number in range(-1, rounds):
        for keeper in _rotated(keepers, number):
            if keeper in failures:
                continue
            try:
                done[keeper].append(
                    await measure(works[keeper], seconds if number >= 0 else min(seconds, WARM_UP_SECONDS))
                )
            except Exception as error:  # noqa: BLE001 - one that fails does not end the work of the others
                failures[keeper] = f"{type(error).__name__}: {error}"
    return [Outcome(keeper, done[keeper][1:], failures.get(keeper, "")) for keeper in keepers]


async def measure(work: Work[Any], seconds: float) -> Round:
    """Work for so long, in as many passes as that takes; what prepares a pass does not count."""
    clock, latencies, spent = CpuClock(work.keeper.processes), list[float](), 0.0
    # What the others left behind is neither collected nor gone through at the cost of this one.
    gc.collect()
    gc.freeze()
    while spent < seconds:
        await work.prepare()
        clock.start()
        begun = perf_counter()
        await gather(*(_call(work, caller, begun + seconds - spent, latencies) for caller in range(work.callers)))
        spent += perf_counter() - begun
        clock.stop()
    return Round(len(latencies) * work.units, spent, latencies, clock.seconds)


async def _call(work: Work[Any], caller: int, until: float, latencies: list[float]) -> None:
    for _ in range(work.steps):
        begun = perf_counter()
        await work.step(caller)
        ended = perf_counter()
        latencies.append(ended - begun)
        if ended > until:
            return


def _rotated(keepers: Sequence[Keeper], by: int) -> Sequence[Keeper]:
    first = by % max(1, len(keepers))
    return [*keepers[first:], *keepers[:first]]
