"""Recorded sessions of real agents, committed turn by turn through a server, and forked on the way."""

import os
from itertools import islice
from pathlib import Path

import pytest

from sessionstore import FileSessionStore, RemoteSessionStore, SessionSnapshot
from sessionstore.store import SessionChange, SessionStore
from sessionstore.testing import assert_same, load_recorded
from sessionstore_server.server import running_server

REPOSITORY = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("SESSIONSTORE_SESSIONS", REPOSITORY.parent / "shared" / "data" / "sessions"))
RECORDINGS = [path for path in sorted(FOLDER.glob("*.jsonl*")) if path.name != "STATS.jsonl"]
SAMPLES = [REPOSITORY / "tests" / "samples" / "recorded.jsonl"]


@pytest.mark.parametrize("file", RECORDINGS or SAMPLES, ids=lambda path: path.name)
async def test_recorded_sessions_grow_by_commits(file: Path, tmp_path: Path) -> None:
    async with (
        running_server(FileSessionStore(tmp_path / "store")) as server,
        RemoteSessionStore(server.address) as store,
    ):
        for recorded in islice(load_recorded(file), 5):
            session_id, fork_id = recorded.session.id, f"{recorded.session.id}/fork"
            await commit_by_turns(store, recorded)
            await store.fork(session_id, fork_id, at_revision=await store.revision(session_id) - 1)
            await store.delete(session_id)
            fork = recorded.fork(fork_id)
            fork.session.parent_id = session_id
            fork.artifacts = []
            assert_same(await store.load_snapshot(fork_id), fork)


async def commit_by_turns(store: SessionStore, recorded: SessionSnapshot) -> None:
    """Commit the session, then message by message, event by event, and at last its artifacts."""
    messages, events = recorded.session.messages, recorded.trace_events
    begun = recorded.session.model_copy(update={"messages": []})
    runs = [
        run.model_copy(update={"events": (), "snapshot": run.snapshot.model_copy(update={"event_count": 0})})
        for run in recorded.run_records
    ]
    await store.commit(recorded.session.id, SessionChange(session=begun, run_records=runs), expected_revision=0)
    for number, message in enumerate(messages):
        await store.commit(
            recorded.session.id,
            SessionChange(
                messages=[message],
                trace_events=events[number : number + 1] if number < len(messages) - 1 else events[number:],
                run_events={run.snapshot.id: run.events[number : number + 1] for run in recorded.run_records},
            ),
            expected_revision=number + 1,
            check_pairing=True,
        )
    rest = {run.snapshot.id: run.events[len(messages) :] for run in recorded.run_records}
    await store.commit(recorded.session.id, SessionChange(run_events=rest))
    await store.commit(recorded.session.id, SessionChange(artifacts=recorded.artifacts), check_pairing=True)
    assert_same(await store.load_snapshot(recorded.session.id), recorded)
