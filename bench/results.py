"""What was found out, as rows that can be kept as JSON."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from bench.cases import Case
from bench.rounds import Outcome

NOISY = 0.15
"""A row whose rounds spread by more than this is marked."""
_PACKAGES = ("grpcio", "protobuf", "pydantic", "langgraph-checkpoint-sqlite", "openai-agents", "google-adk")


@dataclass(frozen=True)
class Figure:
    """A median, with the least and the greatest."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Figure":
        """Return the figure of some values."""
        return cls(median(values), min(values), max(values))

    @property
    def spread(self) -> float:
        """How far the values lie apart, as a part of the median."""
        return (self.greatest - self.least) / self.median


@dataclass(frozen=True)
class Row:
    """What one contestant did in one case, over all rounds."""

    case: str
    callers: int
    unit: str
    contestant: str
    group: str
    rate: Figure | None = None
    """Operations a second."""
    ratio: Figure | None = None
    """Of the rate to that of the echo in the same round."""
    latency_ms: Mapping[str, float] = field(default_factory=dict)
    """`p50` and `p99` of the steps of all rounds."""
    cpu_us: Mapping[str, float] = field(default_factory=dict)
    """Processor time of an operation, by process."""
    note: str = ""
    """Why there are no figures, else how a peer is set."""
    is_pictured: bool = False

    @property
    def is_noisy(self) -> bool:
        """The rounds differ so much that the figures say little."""
        return self.rate is not None and self.rate.spread > NOISY


def rows_of(
    case: Case, outcomes: Sequence[Outcome], refusals: Mapping[str, str], groups: Mapping[str, str]
) -> list[Row]:
    """Return the rows of a case; who did not compete, or failed, gets one too, with the reason."""
    failures = {outcome.keeper.name: outcome.failure for outcome in outcomes if outcome.failure}
    done = {outcome.keeper.name: outcome for outcome in outcomes if not outcome.failure}
    absent = {**refusals, **failures}
    figures = [_row(case, outcome, done.get("echo"), groups[name]) for name, outcome in done.items()]
    return [*figures, *(_absent(case, name, why, groups[name]) for name, why in absent.items())]


def _absent(case: Case, name: str, why: str, group: str) -> Row:
    return Row(case.title, case.callers, case.unit, name, group, note=" ".join(why.split()))


def _row(case: Case, outcome: Outcome, echo: Outcome | None, group: str) -> Row:
    rounds = outcome.rounds
    ratios = [own.rate / its.rate for own, its in zip(rounds, echo.rounds, strict=True)] if echo else []
    return Row(
        case.title,
        case.callers,
        case.unit,
        outcome.keeper.name,
        group,
        rate=Figure.of([each.rate for each in rounds]),
        ratio=Figure.of(ratios) if ratios else None,
        latency_ms=_latencies([latency for each in rounds for latency in each.latencies]),
        cpu_us={
            process: median(each.cpu_seconds[process] / each.operations * 1e6 for each in rounds)
            for process in rounds[0].cpu_seconds
        },
        note=outcome.keeper.setting,
        is_pictured=case.is_pictured,
    )


def _latencies(seconds: Sequence[float]) -> dict[str, float]:
    cuts = quantiles(seconds, n=100, method="inclusive") if len(seconds) > 1 else [*seconds] * 99
    return {"p50": cuts[49] * 1000, "p99": cuts[98] * 1000}


def environment(source: str, rounds: int, seconds: float) -> dict[str, object]:
    """Return what the figures depend on."""
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "processors": os.cpu_count(),
        "load_before": os.getloadavg()[0],
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "input": source,
        "rounds": rounds,
        "seconds_a_round": seconds,
    }


def save(path: Path, facts: Mapping[str, object], rows: Sequence[Row], memory: Sequence[Any]) -> None:
    """Write everything as JSON."""
    content = {"environment": facts, "rows": [asdict(row) for row in rows], "memory": [asdict(row) for row in memory]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
