"""Runs cases and writes down what came out."""

import asyncio
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import picture, recorded, results, table
from bench.cases import Section
from bench.contestants import CONTESTANTS, opened
from bench.memory import MemoryRow, memory_rows
from bench.places import Places, placed
from bench.recorded import Recorded
from bench.results import Row, rows_of
from bench.rounds import compete


@dataclass(frozen=True)
class Plan:
    """What to run, how thoroughly, and where the results go."""

    sections: Sequence[Section]
    rounds: int
    seconds: float
    output: Path
    """Of the JSON; the picture stands beside it."""
    idle_sessions: int = 0
    """With how many of these, and `open_streams`, to measure memory; 0: not at all."""
    open_streams: int = 0
    data_folder: Path | None = None
    """Where the contestants write; None: below the system's folder for temporary files."""


async def run(plan: Plan) -> list[Row]:
    """Run everything; print the tables as they come, and write JSON and picture."""
    # Whoever ends the program ends its servers with it.
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    input_ = recorded.load()
    facts = results.environment(input_.source, plan.rounds, plan.seconds)
    print(table.LEGEND)
    rows: list[Row] = []
    memory: list[MemoryRow] = []
    with placed(plan.data_folder) as places:
        for section in plan.sections:
            rows += await _run_section(section, plan, places, input_)
        if plan.idle_sessions:
            memory = await memory_rows(places, input_, plan.idle_sessions, plan.open_streams)
    print(*table.memory_lines(memory), *table.settings(rows), sep="\n")
    results.save(plan.output, facts, rows, memory)
    plan.output.with_suffix(".svg").write_text(picture.drawn(rows), encoding="utf-8")
    print(f"\nwritten: {plan.output} and {plan.output.with_suffix('.svg')}")
    return rows


async def _run_section(section: Section, plan: Plan, places: Places, input_: Recorded) -> list[Row]:
    rows: list[Row] = []
    wanted = [each for each in CONTESTANTS if any(case.admits(each.name, each.group) for case in section)]
    groups = {each.name: each.group for each in wanted}
    async with opened(wanted, places, input_) as (keepers, refusals):
        for case in section:
            taking_part = [keeper for keeper in keepers if case.admits(keeper.name, groups[keeper.name])]
            refused = {name: why for name, why in refusals.items() if case.admits(name, groups[name])}
            outcomes = await compete(case.work, taking_part, plan.rounds, plan.seconds)
            found = rows_of(case, outcomes, refused, groups)
            print(*table.lines(found), sep="\n", flush=True)
            rows += found
    return rows
