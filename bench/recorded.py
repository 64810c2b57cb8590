"""What is written and read: recorded sessions of real agents.

Without a folder of recordings, which the environment variable `SESSIONSTORE_SESSIONS` may name, the project's own
samples stand in for them.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from sessionstore import Message, RunEventRecord, SessionData, TraceEvent
from sessionstore.testing import load_recorded

REPOSITORY = Path(__file__).parents[1]
SAMPLES = REPOSITORY / "tests" / "samples" / "recorded.jsonl"
FOLDER = Path(os.environ.get("SESSIONSTORE_SESSIONS", REPOSITORY.parent / "shared" / "data" / "sessions"))

TURN_MESSAGES = 4
BATCH_EVENTS = 100
_MESSAGE_BYTES = range(500, 2000)
_EVENT_BYTES = range(200, 1000)


@dataclass(frozen=True)
class Recorded:
    """What the recordings have of everything, each list to be gone through in a circle."""

    source: str
    sessions: Sequence[SessionData]
    trace_events: Sequence[TraceEvent]
    run_events: Sequence[RunEventRecord]

    @cached_property
    def messages(self) -> Sequence[Message]:
        """All messages of about 1 KB."""
        return _sized([message for session in self.sessions for message in session.messages], _MESSAGE_BYTES)

    @cached_property
    def state(self) -> SessionData:
        """A session of middling size, without its messages."""
        states = [session.model_copy(update={"messages": []}) for session in self.sessions]
        return sorted(states, key=_size)[len(states) // 2]

    def event_batches(self, kind: str, count: int) -> list[list[Any]]:
        """Return batches of `trace` events, or of the events of one new `run`, of about 500 bytes each."""
        size = count * BATCH_EVENTS
        events = list(islice(cycle(self.trace_events), size)) if kind == "trace" else self._run_events(size)
        return [events[start : start + BATCH_EVENTS] for start in range(0, size, BATCH_EVENTS)]

    def _run_events(self, count: int) -> list[RunEventRecord]:
        events = islice(cycle(_sized(self.run_events, _EVENT_BYTES)), count)
        return [event.model_copy(update={"sequence": number}) for number, event in enumerate(events)]


def load() -> Recorded:
    """Read all recordings, or the samples."""
    recordings = [path for path in sorted(FOLDER.glob("*.jsonl*")) if path.name != "STATS.jsonl"]
    snapshots = [snapshot for path in recordings or [SAMPLES] for snapshot in load_recorded(path)]
    runs = [run for snapshot in snapshots for run in snapshot.run_records]
    return Recorded(
        source="recordings" if recordings else "samples",
        sessions=[snapshot.session for snapshot in snapshots],
        trace_events=[event for snapshot in snapshots for event in snapshot.trace_events],
        run_events=[event for run in runs for event in run.events],
    )


def _sized(records: Sequence[Any], sizes: range) -> Sequence[Any]:
    """Return the records of these sizes, or all when there is none."""
    return [record for record in records if _size(record) in sizes] or records


def _size(record: Any) -> int:
    return len(record.model_dump_json())
