"""A client of the soak: it changes sessions of its own without end and prints what it tries and what was acknowledged.

    python -m tests.system.soak_client ADDRESS NAME SEED

Each line is a step: `{"phase": "try" | "ack" | "doubt", "kind": ..., "id": ..., "number": ..., "revision": ...}`. It
stops when its standard input ends, and fails when it reads what it did not write.
"""

import asyncio
import json
import random
import sys
from collections.abc import AsyncIterator, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from typing import TypeVar

from sessionstore import (
    DeadlineExceededError,
    Message,
    RemoteSessionStore,
    SessionChange,
    SessionData,
    SessionStore,
    StoreUnavailableError,
)
from sessionstore.model import RunEventRecord, TextDeltaEvent, ToolArtifact, TraceEvent
from sessionstore.testing.appends import numbered_traces, saved_run

T = TypeVar("T")

SHARED = "shared"
"""The session to which all clients add."""
RUN = "run"
STREAMED = 6
"""How many events a streaming step adds, in batches of two."""
SESSIONS = 4
"""How many sessions of its own a client keeps."""
MESSAGES = 30
"""How long a conversation grows."""
PATIENCE_SECONDS = 120
"""How long a server may be gone before a step is in doubt."""
WEIGHTS = {"save": 4, "commit": 6, "traces": 2, "events": 2, "fork": 1, "delete": 1, "read": 3, "shared": 2}


@dataclass(frozen=True)
class Step:
    kind: str
    id: str
    number: int
    """Unique within the client: whatever the step writes is made of it."""
    other: str = ""
    """The session that a fork makes."""


@dataclass
class Held:
    """What a session holds, as numbers of steps."""

    messages: list[int] = field(default_factory=list)
    traces: list[int] = field(default_factory=list)
    events: list[int] = field(default_factory=list)
    artifacts: list[int] = field(default_factory=list)
    revision: int = 0


class Model:
    """What the sessions of one client must hold."""

    def __init__(self) -> None:
        self.sessions: dict[str, Held] = {}

    def apply(self, step: Step, revision: int) -> None:
        """Let a step have happened, which led to a revision."""
        if step.kind == "delete":
            del self.sessions[step.id]
            return
        target = step.other or step.id
        held = deepcopy(self.sessions.get(step.id, Held()))
        held.revision = revision
        if step.kind in ("create", "save", "commit"):
            held.messages.append(step.number)
        if step.kind == "commit":
            held.artifacts.append(step.number)
        if step.kind in ("commit", "traces"):
            held.traces += numbers_of(step)
        if step.kind in ("commit", "events"):
            held.events += numbers_of(step)
        self.sessions[target] = held

    def possible(self, step: Step) -> list[Held | None]:
        """Return what the session that a step writes may hold when nobody knows how much of the step happened."""
        after = Model()
        after.sessions = deepcopy(self.sessions)
        after.apply(step, 0)
        target = step.other or step.id
        before, done = self.sessions.get(target), after.sessions.get(target)
        if step.kind not in ("traces", "events") or before is None:
            return [before, done]
        streamed = numbers_of(step)
        own = getattr(before, step.kind)
        return [replace(before, **{step.kind: own + streamed[:count]}) for count in range(STREAMED + 1)]


def numbers_of(step: Step) -> list[int]:
    """Return the numbers of the events that a step adds."""
    count = 1 if step.kind == "commit" else STREAMED
    return [step.number * 10 + place for place in range(count)]


async def found(store: SessionStore, session_id: str) -> Held | None:
    """Return what a session holds. Errors: AssertionError when anything of it is not as a client writes it."""
    session = await store.load(session_id)
    if session is None:
        assert await store.revision(session_id) == 0
        return None
    traces = await store.load_trace_events(session_id)
    (run,) = await store.load_run_records(session_id) or ()
    artifacts = await store.load_artifacts(session_id)
    return Held(
        [read_text(message.content[0].text) for message in session.messages],
        [event.duration_ms for event in traces or ()],
        [read_text(record.event.text) for record in run.events],
        [read_text(artifact.content) for artifact in artifacts or ()],
        await store.revision(session_id),
    )


def text(number: int) -> str:
    """Return a text that tells its number; some are larger than a page, a few larger than many."""
    return f"{number} " + "x" * (number * 7919 % 6_000) * (20 if number % 50 == 0 else 1)


def read_text(found: str) -> int:
    number = int(found.split(" ")[0])
    assert found == text(number)
    return number


class Client:
    def __init__(self, store: SessionStore, name: str, chance: random.Random) -> None:
        self._store, self._name, self._chance = store, name, chance
        self._model = Model()

    async def work(self) -> None:
        number = 0
        while True:
            number += 1
            step = self._next(number)
            if step.kind == "read":
                expected = self._model.sessions[step.id]
                assert await found(self._store, step.id) == expected, f"{step.id} is not {expected}"
            else:
                await self._try(step)

    def _next(self, number: int) -> Step:
        sessions = list(self._model.sessions)
        if not sessions:
            return self._new(number)
        kind = self._chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        id_ = self._chance.choice(sessions)
        if kind == "shared":
            return Step(kind, SHARED, number)
        if kind == "fork" and len(sessions) < SESSIONS:
            return Step(kind, id_, number, f"{self._name}-{number}")
        if len(self._model.sessions[id_].messages) > MESSAGES:
            return Step("delete", id_, number)
        if kind in ("fork", "delete"):
            return self._new(number) if len(sessions) < SESSIONS else Step("delete", id_, number)
        return Step(kind, id_, number)

    def _new(self, number: int) -> Step:
        return Step("create", f"{self._name}-{number}", number)

    async def _try(self, step: Step) -> None:
        say("try", step)
        try:
            revision = await self._perform(step)
        except (StoreUnavailableError, DeadlineExceededError):
            self._model.sessions.pop(step.id, None)
            say("doubt", step)
            return
        before = self._model.sessions.get(step.id)
        assert step.kind == "fork" or before is None or revision > before.revision or step.kind == "delete"
        if step.kind != "shared":
            self._model.apply(step, revision)
        say("ack", step, revision)

    async def _perform(self, step: Step) -> int:
        store, id_, number = self._store, step.id, step.number
        match step.kind:
            case "create":
                change = SessionChange(session=self._session(step), run_records=[saved_run(RUN, (), 0)])
                return await store.commit(id_, change, expected_revision=0)
            case "save":
                return await store.save(self._session(step), expected_revision=self._model.sessions[id_].revision)
            case "commit":
                return await store.commit(id_, self._mixed(step))
            case "shared":
                return await store.commit(SHARED, SessionChange(messages=[Message.user(f"{self._name} {number}")]))
            case "fork":
                return await store.fork(id_, step.other)
            case "delete":
                await store.delete(id_)
                return 0
            case "traces":
                positions = store.append_trace_events(id_, pairs(traces(step)))
            case _:
                positions = store.append_run_events(id_, RUN, pairs(self._events(step)))
        assert [position async for position in positions][-1] == STREAMED
        return await store.revision(id_)

    def _session(self, step: Step) -> SessionData:
        held = self._model.sessions.get(step.id, Held())
        return SessionData(
            id=step.id, messages=[Message.user(text(number)) for number in [*held.messages, step.number]]
        )

    def _mixed(self, step: Step) -> SessionChange:
        return SessionChange(
            messages=[Message.user(text(step.number))],
            trace_events=traces(step),
            run_events={RUN: self._events(step)},
            artifacts=[ToolArtifact.from_output("soak", text(step.number), shown_bytes=1)],
        )

    def _events(self, step: Step) -> list[RunEventRecord]:
        start = len(self._model.sessions[step.id].events)
        return [
            RunEventRecord(sequence=sequence, timestamp_ms=number, event=TextDeltaEvent(text=text(number)))
            for sequence, number in enumerate(numbers_of(step), start)
        ]


def traces(step: Step) -> list[TraceEvent]:
    (event,) = numbered_traces(1)
    return [event.model_copy(update={"duration_ms": number}) for number in numbers_of(step)]


async def pairs(events: Sequence[T]) -> AsyncIterator[Sequence[T]]:
    for start in range(0, len(events), 2):
        yield events[start : start + 2]


def say(phase: str, step: Step, revision: int = 0) -> None:
    print(json.dumps({"phase": phase, **asdict(step), "revision": revision}), flush=True)  # noqa: T201


async def main(address: str, name: str, seed: str) -> None:
    async with RemoteSessionStore(address, timeout_seconds=PATIENCE_SECONDS, connect_seconds=PATIENCE_SECONDS) as store:
        working = asyncio.create_task(Client(store, name, random.Random(seed)).work())
        ending = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
        await asyncio.wait([working, ending], return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            await working
        working.cancel()
        await asyncio.wait([working])


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
