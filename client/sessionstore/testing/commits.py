"""What a store promises about commits of any mix of what belongs to a session: one unit, on top of what is there."""

import asyncio
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from sessionstore.errors import InvalidArgumentError, RevisionConflictError, StaleLeaseError
from sessionstore.model import (
    ArtifactReference,
    ArtifactStore,
    Message,
    RunEventRecord,
    RunRecord,
    SessionData,
    ToolArtifact,
)
from sessionstore.store import SessionChange, SessionStore
from sessionstore.testing import samples
from sessionstore.testing.comparison import assert_same
from sessionstore.testing.concurrency import WRITERS
from sessionstore.testing.ids import BAD_IDS
from sessionstore.testing.run_records import text_events

EVERYTHING = SessionChange(
    messages=[Message.user("more")],
    trace_events=samples.trace_events(),
    run_records=samples.run_records("a"),
    verification_reports=samples.verification_reports(),
    artifacts=list(samples.artifacts()),
    subagent_tasks=samples.subagent_tasks("a"),
)
"""A change that adds something of every kind to a session with the id `a`."""

_FINISHED, _BEGUN = samples.run_records("a")
_BAD_CHANGES: Mapping[str, tuple[SessionChange, str]] = {
    "another session": (SessionChange(session=SessionData(id="b")), "session.id"),
    "two conversations": (
        SessionChange(session=SessionData(id="a"), messages=[Message.user("x")]),
        "change.messages",
    ),
    "run twice": (SessionChange(run_records=[_BEGUN, _BEGUN]), "run_records[1].snapshot.id"),
    "events of no run": (SessionChange(run_events={"x": text_events(1)}), "run_events[0].run_id"),
    "gap": (SessionChange(run_events={_BEGUN.snapshot.id: text_events(2)[1:]}), "run_events[0].events[0].sequence"),
    "gap in a new run": (
        SessionChange(run_records=[_FINISHED], run_events={_FINISHED.snapshot.id: text_events(1)}),
        "run_events[0].events[0].sequence",
    ),
    "content that is not stored": (
        SessionChange(
            artifact_references=[
                ArtifactReference(
                    artifact_id="", artifact_uri="x", tool_name="", original_bytes=0, shown_bytes=0, sha256="0" * 64
                )
            ]
        ),
        "artifact_references[0].sha256",
    ),
}
"""Changes that a session with the samples refuses, and the fields that the errors name."""


class CommitContract:
    """Any mix, all or nothing."""

    pytestmark = pytest.mark.asyncio

    async def test_commit_adds_any_mix(self, store: SessionStore) -> None:
        """G1: A commit adds any mix of messages and records as one unit, and returns the next revision."""
        await store.save(samples.session("a"))
        assert await store.commit("a", EVERYTHING) == 2
        expected = samples.snapshot("a")
        expected.session.messages += EVERYTHING.messages
        expected.retained_artifact_uris = []
        assert_same(await store.load_snapshot("a"), expected)
        assert await store.revision("a") == 2

    async def test_what_is_not_named_stays(self, store: SessionStore) -> None:
        """G1: What a commit does not name stays as it is; one that names nothing only moves the revision."""
        await store.save_snapshot(samples.snapshot("a"))
        assert await store.commit("a", SessionChange()) == 2
        assert_same(await store.load_snapshot("a"), samples.snapshot("a"))
        assert await store.is_snapshot("a")
        await store.commit("a", SessionChange(messages=[Message.user("more")]))
        expected = samples.snapshot("a")
        expected.session.messages.append(Message.user("more"))
        assert_same(await store.load_snapshot("a"), expected)
        assert await store.is_snapshot("a")

    async def test_records_may_come_before_the_session(self, store: SessionStore) -> None:
        """G1: Records may be committed without a session, and do not make one; kinds that are not named stay None."""
        assert await store.commit("a", SessionChange(trace_events=samples.trace_events()), expected_revision=0) == 1
        assert await store.list() == []
        assert_same(await store.load_trace_events("a"), samples.trace_events())
        assert await store.load_verification_reports("a") is None

    async def test_messages_and_lists_grow(self, store: SessionStore) -> None:
        """G2: Messages, trace events and reports are added to the end; lists show the new number of messages."""
        await store.save(SessionData(id="a", messages=[Message.user("0")]))
        for number in range(1, 4):
            await store.commit(
                "a",
                SessionChange(
                    messages=[Message.user(str(number))],
                    trace_events=samples.trace_events(),
                    verification_reports=samples.verification_reports(),
                ),
            )
        loaded = await store.load_snapshot("a")
        assert loaded is not None
        assert loaded.session.messages == [Message.user(str(number)) for number in range(4)]
        assert loaded.trace_events == samples.trace_events() * 3
        assert loaded.verification_reports == samples.verification_reports() * 3
        (summary,) = (await store.list_sessions()).sessions
        assert summary.message_count == 4

    async def test_messages_need_a_session(self, store: SessionStore) -> None:
        """G2: Messages for a session that was never saved are an InvalidArgumentError, and nothing is written."""
        await store.save_trace_events("a", [])
        with pytest.raises(InvalidArgumentError) as caught:
            await store.commit("a", EVERYTHING)
        assert caught.value.field == "messages"
        assert await store.revision("a") == 1
        assert await store.load_run_records("a") is None

    async def test_saves_go_on_after_commits(self, store: SessionStore) -> None:
        """G2: The conversation is one, however it grew: what was committed loads, and a save replaces it."""
        session = SessionData(id="a", messages=[Message.user("0")])
        await store.save(session)
        for number in range(1, 4):
            message = Message.user(str(number))
            session.messages.append(message)
            await store.commit("a", SessionChange(messages=[message]))
            assert_same(await store.load("a"), session)
        session.messages[1:3] = [Message.user("x")]
        await store.save(session)
        assert_same(await store.load("a"), session)

    async def test_what_has_an_id_is_replaced_in_place(self, store: SessionStore) -> None:
        """G3: A run, an artifact or a task replaces the one of its id where that stands, or is added to the end."""
        await store.save_snapshot(samples.snapshot("a"))
        first_run = _FINISHED.model_copy(update={"events": text_events(2)})
        new_run = _renamed(_BEGUN, "new")
        first_artifact, second_artifact = samples.artifacts()
        changed = first_artifact.model_copy(update={"content": "other"})
        new_artifact = ToolArtifact.from_output("bash", "out", 0)
        task, orphan = samples.subagent_tasks("a")
        ended, new_task = (task.model_copy(update=update) for update in ({"output": "x"}, {"task_id": "new"}))
        change = SessionChange(
            run_records=[new_run, first_run],
            artifacts=[new_artifact, changed],
            subagent_tasks=[new_task, ended],
        )
        await store.commit("a", change)
        expected = samples.snapshot("a")
        expected.run_records = [first_run, _BEGUN, new_run]
        expected.artifacts = [changed, second_artifact, new_artifact]
        expected.subagent_tasks = [ended, orphan, new_task]
        assert_same(await store.load_snapshot("a"), expected)

    async def test_run_events_go_on(self, store: SessionStore) -> None:
        """G4: Events are added to stored runs, and to runs of the same commit, where the events of those end."""
        await store.save_run_records("a", [_BEGUN, _FINISHED])
        count = _FINISHED.snapshot.event_count
        await store.commit("a", SessionChange(run_events={_FINISHED.snapshot.id: text_events(1, start=count)}))
        new = _renamed(_BEGUN, "new")
        run_events = {"new": text_events(2), _BEGUN.snapshot.id: text_events(3)}
        await store.commit("a", SessionChange(run_records=[new], run_events=run_events))
        await store.commit("a", SessionChange(run_events={"new": text_events(1, start=2)}))
        finished = (*_FINISHED.events, *text_events(1, start=count))
        expected = [
            _with_events(_BEGUN, text_events(3)),
            _with_events(_FINISHED, finished),
            _with_events(new, (*text_events(2), *text_events(1, start=2))),
        ]
        assert_same(await store.load_run_records("a"), expected)

    async def test_replaced_run_begins_anew(self, store: SessionStore) -> None:
        """G4: A run that is replaced has the events and the event count that it brings, and no others."""
        await store.save_run_records("a", [_BEGUN])
        await store.commit("a", SessionChange(run_events={_BEGUN.snapshot.id: text_events(3)}))
        await store.commit("a", SessionChange(run_records=[_BEGUN]))
        assert_same(await store.load_run_records("a"), [_BEGUN])
        await store.commit("a", SessionChange(run_events={_BEGUN.snapshot.id: text_events(1)}))
        assert_same(await store.load_run_records("a"), [_with_events(_BEGUN, text_events(1))])

    async def test_commit_replaces_the_session(self, store: SessionStore) -> None:
        """G5: A session in a commit replaces the stored one, as a save does, together with the rest of the commit."""
        session = samples.session("a")
        change = SessionChange(session=session, trace_events=samples.trace_events())
        assert await store.commit("a", change, expected_revision=0) == 1
        session.messages = [*session.messages[:1], Message.user("x")]
        session.model_name = "other"
        await store.commit("a", change)
        assert_same(await store.load("a"), session)
        assert await store.load_trace_events("a") == samples.trace_events() * 2

    async def test_bad_change_is_refused_whole(self, store: SessionStore) -> None:
        """G6: A change of which a part is bad is an InvalidArgumentError that names it, and nothing is written."""
        await store.save_snapshot(samples.snapshot("a"))
        for case, (change, field) in _BAD_CHANGES.items():
            with pytest.raises(InvalidArgumentError) as caught:
                await store.commit("a", replace(change, trace_events=samples.trace_events()))
            assert caught.value.field == field, case
        assert_same(await store.load_snapshot("a"), samples.snapshot("a"))
        assert await store.revision("a") == 1

    async def test_commit_on_condition(self, store: SessionStore) -> None:
        """G6: So is one that expects another revision, or comes with a lease that is over; then it is their error."""
        lease = await store.acquire_lease("a", "first", 60.0)
        await store.release_lease(lease)
        await store.acquire_lease("a", "second", 60.0)
        await store.save(SessionData(id="a"))
        before = await store.load_snapshot("a")
        with pytest.raises(RevisionConflictError) as conflict:
            await store.commit("a", EVERYTHING, expected_revision=2)
        assert conflict.value == RevisionConflictError("a", 2, 1)
        with pytest.raises(StaleLeaseError) as stale:
            await store.commit("a", EVERYTHING, lease_epoch=lease.epoch)
        assert stale.value == StaleLeaseError("a", lease.epoch)
        assert_same(await store.load_snapshot("a"), before)
        assert await store.commit("a", EVERYTHING, expected_revision=1, lease_epoch=lease.epoch + 1) == 2

    @pytest.mark.parametrize("bad_id", BAD_IDS.values(), ids=BAD_IDS)
    async def test_commit_refuses_bad_ids(self, store: SessionStore, bad_id: str) -> None:
        """G6: The rules for ids are those of I1 and I2."""
        with pytest.raises(InvalidArgumentError) as caught:
            await store.commit(bad_id, SessionChange(trace_events=samples.trace_events()))
        assert caught.value.field == "session_id"

    async def test_concurrent_commits_all_count(self, store: SessionStore) -> None:
        """G7: Concurrent commits without a condition are made one on top of the other; none is lost or torn."""
        await store.save(SessionData(id="a", messages=[]))
        await asyncio.gather(*(_commit_turns(store, writer) for writer in range(WRITERS)))
        loaded = await store.load_snapshot("a")
        assert loaded is not None
        texts = [message.content[0].text for message in loaded.session.messages]  # type: ignore[union-attr]
        assert sorted(texts[::2]) == sorted(f"{writer} {turn}" for writer in range(WRITERS) for turn in range(5))
        assert [f"{text}!" for text in texts[::2]] == texts[1::2]
        assert [event.name for event in loaded.trace_events] == texts[::2]
        assert await store.revision("a") == 1 + 5 * WRITERS

    async def test_commits_are_seen_whole(self, store: SessionStore) -> None:
        """G7: Who reads beside commits sees each whole, or not at all."""
        await store.save(SessionData(id="a", messages=[]))
        writing = asyncio.create_task(_commit_turns(store, 0, turns=20))
        while not writing.done():
            snapshot = await store.load_snapshot("a")
            assert snapshot is not None
            assert len(snapshot.session.messages) == 2 * len(snapshot.trace_events)
            await asyncio.sleep(0)
        await writing

    async def test_one_of_many_commits_wins(self, store: SessionStore) -> None:
        """G7: Of concurrent commits that expect one revision exactly one is made."""
        await store.save(SessionData(id="a", messages=[]))
        commits = (store.commit("a", _turn(str(writer)), expected_revision=1) for writer in range(WRITERS))
        outcomes = await asyncio.gather(*commits, return_exceptions=True)
        assert outcomes.count(2) == 1
        assert outcomes.count(RevisionConflictError("a", 1, 2)) == WRITERS - 1
        assert len(await store.load_trace_events("a") or []) == 1

    async def test_references_need_content(self, store: SessionStore) -> None:
        """G8: An artifact may refer to content that is stored already, and then has it."""
        blob = await store.write_blob(io.BytesIO(b"words"))
        artifact = ToolArtifact.from_output("bash", "words", 2)
        reference = ArtifactReference.model_validate(
            {**artifact.model_dump(exclude={"content"}), "sha256": blob.sha256}
        )
        await store.commit("a", SessionChange(artifact_references=[reference]))
        assert await store.load_artifacts("a") == ArtifactStore.from_snapshot([artifact])


async def _commit_turns(store: SessionStore, writer: int, turns: int = 5) -> None:
    for turn in range(turns):
        await store.commit("a", _turn(f"{writer} {turn}"))


def _turn(text: str) -> SessionChange:
    """Return a change of two messages and a trace event that belong together."""
    event = samples.trace_events()[0].model_copy(update={"name": text})
    return SessionChange(messages=[Message.user(text), Message.assistant(f"{text}!")], trace_events=[event])


def _with_events(run: RunRecord, events: Sequence[RunEventRecord]) -> RunRecord:
    counted = run.snapshot.model_copy(update={"event_count": events[-1].sequence + 1})
    return RunRecord(snapshot=counted, events=tuple(events))


def _renamed(run: RunRecord, run_id: str) -> RunRecord:
    return run.model_copy(update={"snapshot": run.snapshot.model_copy(update={"id": run_id})})
