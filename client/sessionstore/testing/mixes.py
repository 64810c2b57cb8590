"""Random commits, and what plain lists make of them; what a store promises is that it holds the same."""

from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

import pytest

from sessionstore.errors import InvalidArgumentError
from sessionstore.model import Message, RunRecord, SessionData, SessionSnapshot, ToolArtifact
from sessionstore.store import SessionChange, SessionStore
from sessionstore.testing import samples
from sessionstore.testing.comparison import assert_same
from sessionstore.testing.run_records import text_events

COMMITS = 30

R = TypeVar("R")


class MixContract:
    """Commits of any mix, one after the other."""

    pytestmark = pytest.mark.asyncio

    @pytest.mark.parametrize("seed", range(5))
    async def test_commits_do_what_lists_would(self, store: SessionStore, seed: int) -> None:
        """G10: After any commits, refused ones among them, a session holds what plain lists would hold."""
        random = Random(seed)  # noqa: S311 - no secret
        expected, revision = SessionSnapshot(session=SessionData(id="a", created_at=0, updated_at=0)), 1
        await store.save_snapshot(expected)
        states = {revision: expected.session}
        for _ in range(COMMITS):
            change = random_change(random, expected)
            if _follows(expected, change):
                revision = await store.commit("a", change, expected_revision=revision)
                expected = applied(expected, change)
            else:
                with pytest.raises(InvalidArgumentError):
                    await store.commit("a", change)
            states[revision] = expected.session
            assert_same(await store.load_snapshot("a"), expected)
        for kept in await store.list_revisions("a"):
            assert_same(await store.load("a", revision=kept.revision), states[kept.revision])
        (summary,) = (await store.list_sessions()).sessions
        assert (summary.message_count, summary.revision) == (len(expected.session.messages), revision)


def random_change(random: Random, before: SessionSnapshot) -> SessionChange:
    """Return a change of some of the kinds; now and then the events of a run do not follow."""
    replaces = random.random() < 0.2
    messages = [Message.user(f"{random.random()}") for _ in range(random.randrange(3))]
    return SessionChange(
        session=_replaced(random, before.session, messages) if replaces else None,
        messages=[] if replaces else messages,
        trace_events=_some(random, samples.trace_events()),
        run_records=[_run(run_id, random.randrange(4)) for run_id in _some(random, ["r", "s", "t"])],
        run_events={
            run_id: text_events(1 + random.randrange(3), start=random.choice([0, 1, 2, 3]))
            for run_id in _some(random, ["r", "s"], share=0.1)
        },
        verification_reports=_some(random, samples.verification_reports()),
        artifacts=[_artifact(uri, str(random.randrange(4))) for uri in _some(random, ["u", "v", "w"])],
        subagent_tasks=[
            samples.subagent_tasks("a")[0].model_copy(update={"task_id": task_id, "output": f"{random.random()}"})
            for task_id in _some(random, ["x", "y", "z"])
        ],
    )


def applied(before: SessionSnapshot, change: SessionChange) -> SessionSnapshot:
    """Return what a change, which follows, makes of a session; the messages stay the very same objects."""
    session = change.session or before.session
    runs = _upserted(before.run_records, change.run_records, lambda run: run.snapshot.id)
    return SessionSnapshot(
        session=session.model_copy(update={"messages": [*session.messages, *change.messages]}),
        artifacts=_upserted(before.artifacts, change.artifacts, lambda artifact: artifact.artifact_uri),
        trace_events=[*before.trace_events, *change.trace_events],
        run_records=[_extended(run, change) for run in runs],
        verification_reports=[*before.verification_reports, *change.verification_reports],
        subagent_tasks=_upserted(before.subagent_tasks, change.subagent_tasks, lambda task: task.task_id),
    )


def _follows(before: SessionSnapshot, change: SessionChange) -> bool:
    counts = {run.snapshot.id: run.snapshot.event_count for run in (*before.run_records, *change.run_records)}
    return all(counts.get(run_id) == events[0].sequence for run_id, events in change.run_events.items())


def _extended(run: RunRecord, change: SessionChange) -> RunRecord:
    added = change.run_events.get(run.snapshot.id, ())
    counted = run.snapshot.model_copy(update={"event_count": run.snapshot.event_count + len(added)})
    return RunRecord(snapshot=counted, events=(*run.events, *added))


def _upserted(present: Sequence[R], changed: Sequence[R], id_of: Callable[[R], str]) -> list[R]:
    by_id = {id_of(each): each for each in present}
    return list((by_id | {id_of(each): each for each in changed}).values())


def _some(random: Random, values: Sequence[R], share: float = 0.3) -> list[R]:
    return [value for value in values if random.random() < share]


def _replaced(random: Random, session: SessionData, messages: Sequence[Message]) -> SessionData:
    kept = session.messages[: random.randrange(len(session.messages) + 1)]
    return session.model_copy(update={"messages": [*kept, *messages], "total_cost": random.random()})


def _run(run_id: str, count: int) -> RunRecord:
    _, begun = samples.run_records("a")
    snapshot = begun.snapshot.model_copy(update={"id": run_id, "event_count": count})
    return RunRecord(snapshot=snapshot, events=text_events(count))


def _artifact(uri: str, content: str) -> ToolArtifact:
    return ToolArtifact.from_output("bash", content, 0).model_copy(update={"artifact_uri": uri})
