"""How much is kept of the runs of a session."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from sessionstore.errors import InvalidArgumentError
from sessionstore.v1 import run_pb2 as pb
from sessionstore.wire.records import RUN_EVENT


@dataclass(frozen=True, slots=True)
class Retention:
    """The caps on what is kept of runs, applied by every write; None: no cap. The oldest go first.

    Errors: InvalidArgumentError for a cap below 1.
    """

    max_runs: int | None = None
    """Of each session; the oldest by the time they were created."""
    max_run_events: int | None = None
    """Of each run. Its event count also counts the events that went."""
    max_run_bytes: int | None = None
    """Of the events of each run, as the sum of their sizes as compact JSON."""

    def __post_init__(self) -> None:
        for cap in fields(self):
            value = getattr(self, cap.name)
            if value is not None and value < 1:
                raise InvalidArgumentError(field=cap.name, problem=f"must be at least 1 or left out, not {value}")

    def has_room(self, count: int, json_bytes: int) -> bool:
        """Tell whether a run may keep so many events, of so many bytes; those do not matter without a cap on them."""
        if self.max_run_events is not None and count > self.max_run_events:
            return False
        return self.max_run_bytes is None or json_bytes <= self.max_run_bytes

    def surplus_runs(self, created: Sequence[tuple[str, int]]) -> set[str]:
        """Return the ids of the runs that must go, of all with the times at which they were created."""
        if self.max_runs is None or len(created) <= self.max_runs:
            return set()
        oldest_first = sorted(created, key=lambda run: run[1])
        return {run_id for run_id, _ in oldest_first[: len(created) - self.max_runs]}

    def kept_events(self, events: Sequence[pb.RunEventRecord]) -> Sequence[pb.RunEventRecord]:
        """Return the events of a whole run that are kept."""
        if self.max_run_bytes is None:
            return events[max(0, len(events) - (self.max_run_events or len(events))) :]
        sizes = [event_json_bytes(event) for event in events]
        first, size = 0, sum(sizes)
        while not self.has_room(len(events) - first, size):
            first, size = first + 1, size - sizes[first]
        return events[first:]


UNLIMITED = Retention()


def event_json_bytes(event: pb.RunEventRecord) -> int:
    """Return the size of an event as compact JSON."""
    return len(RUN_EVENT.to_json(RUN_EVENT.from_proto(event)))
