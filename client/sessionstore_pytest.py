"""The pytest plug-in of sessionstore: on which store the contract is tried, and a report by promise.

Every run of pytest loads it where sessionstore is installed, so it stands apart and imports nothing of that.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pytest

SECTIONS = {
    "S": "sessions",
    "I": "ids",
    "L": "lists",
    "N": "nothing is shared",
    "F": "fidelity",
    "E": "errors",
    "C": "concurrency",
    "W": "writes on condition",
    "G": "commits of any mix",
    "Y": "history and forks",
    "O": "leases",
    "X": "watching",
    "M": "conversations of several clients",
    "B": "abilities",
    "K": "records of any kind",
    "A": "artifacts",
    "Z": "content by itself",
    "T": "trace events",
    "R": "run records",
    "J": "streams of events",
    "V": "verification reports",
    "U": "subagent tasks",
    "H": "snapshots",
    "P": "checkpoints",
    "D": "durability",
}
"""The sections of the contract, in the order of its page."""

_WORST_FIRST = ("failed", "passed", "skipped")
_PROPERTY = "sessionstore_promise"
_PROMISE = re.compile(r"([A-Z])(\d+): (.*)")


class Outcome(NamedTuple):
    """What became of one test of a promise."""

    store: str
    """The class of tests that tried a store."""
    promise: str
    text: str
    state: str
    """`passed`, `failed` or `skipped`."""
    reason: str
    """Why it was skipped."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("sessionstore", "session stores")
    group.addoption(
        "--sessionstore-url",
        metavar="URL",
        help="try the contract on this store, with `--pyargs sessionstore.testing.suite`; {unique} in it becomes other "
        "text for each test, so that each has a new store",
    )
    group.addoption(
        "--sessionstore-server",
        metavar="COMMAND",
        help="try it on a server that this command starts for each test, and that prints `listening on HOST:PORT`; "
        "{unique} as above",
    )
    group.addoption(
        "--sessionstore-report", action="store_true", help="tell for each store which promises of the contract it kept"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Report if that is asked for, or a store was named."""
    if any(config.getoption(f"sessionstore_{name}") for name in ("url", "server", "report")):
        config.pluginmanager.register(PromiseReport(), "sessionstore_report")


class PromiseReport:
    """Counts what became of the promises, and tells it at the end."""

    def __init__(self) -> None:
        self._outcomes: list[Outcome] = []

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Note the promise with which a test opens, in what also reaches this process from parallel ones."""
        test = getattr(item, "function", None)
        promise = _PROMISE.match(getattr(test, "__doc__", None) or "")
        if promise and test.__module__.startswith("sessionstore.testing."):
            item.user_properties.append((_PROPERTY, promise[0]))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the outcome of a test: that of its call, or of a setup or teardown that went wrong."""
        promise = _PROMISE.match(str(dict(report.user_properties).get(_PROPERTY, "")))
        if promise is None or (report.passed and report.when != "call"):
            return
        store = report.nodeid.split("::")[1]
        reason = str(report.longrepr[2]).removeprefix("Skipped: ") if isinstance(report.longrepr, tuple) else ""
        self._outcomes.append(Outcome(store, promise[1] + promise[2], promise[3], report.outcome, reason))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write a table for each store."""
        for store in dict.fromkeys(outcome.store for outcome in self._outcomes):
            terminalreporter.section(f"contract of session stores: {store}")
            for line in lines_of([outcome for outcome in self._outcomes if outcome.store == store]):
                terminalreporter.write_line(line)


def lines_of(outcomes: Sequence[Outcome]) -> Iterable[str]:
    """Make the report on one store: a row for each section, then what was broken, and why what was skipped."""
    yield f"  {'section':<38}{'kept':>6}{'broken':>8}{'skipped':>9}"
    states = _states(outcomes)
    letters = {promise[0] for promise in states}
    for letter in [*filter(letters.__contains__, SECTIONS), *sorted(letters - SECTIONS.keys())]:
        section = [state for promise, state in states.items() if promise[0] == letter]
        kept, broken, skipped = map(section.count, ("passed", "failed", "skipped"))
        yield f"  {letter}  {SECTIONS.get(letter, ''):<35}{kept:>6}{broken or '-':>8}{skipped or '-':>9}"
    yield from dict.fromkeys(f"  broken: {one.promise} {one.text}" for one in outcomes if one.state == "failed")
    for reason, promises in _skipped(outcomes).items():
        yield f"  skipped: {', '.join(promises)}: {reason}"


def _states(outcomes: Iterable[Outcome]) -> dict[str, str]:
    """Return what became of each promise: one failed test breaks it, one that passed keeps it if none failed."""
    states: dict[str, str] = {}
    for outcome in outcomes:
        states[outcome.promise] = min(states.get(outcome.promise, "skipped"), outcome.state, key=_WORST_FIRST.index)
    return states


def _skipped(outcomes: Iterable[Outcome]) -> dict[str, list[str]]:
    """Return the promises that were skipped, at least in part, by reason."""
    promises: dict[str, dict[str, None]] = defaultdict(dict)
    for outcome in outcomes:
        if outcome.state == "skipped":
            promises[outcome.reason][outcome.promise] = None
    return {reason: sorted(names, key=lambda name: (name[0], int(name[1:]))) for reason, names in promises.items()}
