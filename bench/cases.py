"""What is measured, and who takes part."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.work import Exists, ListPages, LoadAgain, LoadCold, SaveTurns, UploadEvents, Work

EVERYBODY = ("echo", "stub", "remote", "local", "peer")
OURS = ("echo", "stub", "remote", "local")
SERVED = ("echo", "stub", "remote")
INDEXED = ("sqlite, in process", "postgresql, in process")
HISTORIES = (0, 100, 1_000, 10_000)


@dataclass(frozen=True)
class Case:
    """One table of the results."""

    title: str
    unit: str
    """What is counted."""
    callers: int
    groups: Sequence[str]
    """Who takes part: groups, or names."""
    make: Callable[..., Work[Any]]
    options: dict[str, Any]
    is_pictured: bool = False
    """It stands in the picture."""

    def admits(self, name: str, group: str) -> bool:
        """Tell whether a contestant takes part."""
        return name in self.groups or group in self.groups

    def work(self, keeper: Any) -> Work[Any]:
        """Return the work for a contestant."""
        return self.make(keeper, self.callers, **self.options)


def saves(history: int, callers: int, groups: Sequence[str] = OURS, is_pictured: bool = False) -> Case:
    """Save turns: four messages and the state."""
    title = f"Save a turn onto a history of {history:,}"
    return Case(title, "turns", callers, groups, SaveTurns, {"history": history}, is_pictured)


def loads(history: int, callers: int, groups: Sequence[str] = OURS, is_pictured: bool = False) -> Case:
    """Load sessions as a new client."""
    title = f"Load {history:,} messages as a new client"
    return Case(title, "loads", callers, groups, LoadCold, {"history": history}, is_pictured)


def loads_again(history: int, callers: int) -> Case:
    """Load sessions of which only a turn is new."""
    title = f"Load {history:,} messages again after a turn"
    return Case(title, "loads", callers, OURS, LoadAgain, {"history": history})


def uploads(kind: str, callers: int, batches: int = 20, is_pictured: bool = False) -> Case:
    """Upload events over streams until they are durable."""
    title = f"Upload {kind} events, batches of 100"
    return Case(title, "events", callers, OURS, UploadEvents, {"kind": kind, "batches": batches}, is_pictured)


def lists(sessions: int, callers: int, groups: Sequence[str] = OURS) -> Case:
    """List sessions."""
    title = f"List a page of 100 among {sessions:,} sessions"
    return Case(title, "pages", callers, groups, ListPages, {"sessions": sessions})


def existence(callers: int) -> Case:
    """Ask whether sessions exist."""
    return Case("Tell whether a session exists", "answers", callers, OURS, Exists, {})


Section = Sequence[Case]
"""Cases that share their contestants, which start with nothing kept."""


def everything() -> list[Section]:
    """Return all there is."""
    return [
        *(
            [saves(history, 1, EVERYBODY, is_pictured=history == 100), saves(history, 16, is_pictured=history == 100)]
            for history in HISTORIES
        ),
        [saves(100, 64, SERVED)],
        [loads(100, 1, EVERYBODY), loads(100, 16, is_pictured=True), loads(100, 64, SERVED)],
        [loads(1_000, 1, EVERYBODY, is_pictured=True), loads(1_000, 16)],
        [loads(10_000, 1, EVERYBODY)],
        [loads_again(100, 1), loads_again(100, 16), loads_again(1_000, 1), loads_again(1_000, 16)],
        [uploads("trace", 1, is_pictured=True), uploads("trace", 16), uploads("run", 1), uploads("run", 16)],
        [existence(1), existence(16), existence(64)],
        [lists(100, 1), lists(100, 16)],
        [lists(10_000, 1), lists(10_000, 16)],
        [lists(100_000, 1, INDEXED)],
    ]


def quick() -> list[Section]:
    """Return what matters most."""
    return [
        [
            saves(100, 16, SERVED, is_pictured=True),
            loads(100, 16, SERVED, is_pictured=True),
            loads(1_000, 16, SERVED, is_pictured=True),
        ],
        [saves(100, 1, ("echo", "local", "peer"), is_pictured=True)],
    ]
