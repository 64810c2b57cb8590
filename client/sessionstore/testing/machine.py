"""Random operations on a store beside a memory store: every answer and every error must be the same.

Few ids meet many operations, so that replacing, deleting and faults come often.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from sessionstore.errors import SessionStoreError
from sessionstore.model import ArtifactStore, SessionData, SessionPage, SessionSnapshot
from sessionstore.opening import open_store
from sessionstore.store import SessionStore
from sessionstore.testing import strategies
from sessionstore.testing.comparison import json_text
from sessionstore.testing.kinds import CHECKPOINT_KINDS, RECORD_KINDS, CheckpointKind, RecordKind

some_ids = st.sampled_from(["a", "b", "a/b", "🧵", "", "\0"])
good_ids = st.sampled_from(["a", "b", "a/b", "🧵"])
kinds = st.sampled_from(RECORD_KINDS)
checkpoint_kinds = st.sampled_from(CHECKPOINT_KINDS)


OpenStore = Callable[[], AbstractAsyncContextManager[SessionStore]]


def check_against_memory(open_candidate: OpenStore, examples: int = 25) -> None:
    """Drive new, empty stores from `open_candidate` with random operations, each beside a new memory store."""
    limits = settings(
        max_examples=examples, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
    )
    # Any factory does, although the annotation asks for a class.
    run_state_machine_as_test(partial(StoreMachine, open_candidate), settings=limits)  # type: ignore[arg-type]


class StoreMachine(RuleBasedStateMachine):
    """Drives a store and a memory store alike."""

    def __init__(self, open_candidate: OpenStore) -> None:
        super().__init__()
        self._open_candidate = open_candidate
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()

    @initialize()
    def open_stores(self) -> None:
        """Start with two empty stores."""
        self._runner.run(self._open())

    def teardown(self) -> None:
        """Close both stores."""
        self._runner.run(self._stack.aclose())
        self._runner.close()

    @rule(session=strategies.sessions(some_ids))
    def save(self, session: SessionData) -> None:
        """Save a session."""
        self._compare(lambda store: store.save(session))

    @rule(session_id=some_ids)
    def load(self, session_id: str) -> None:
        """Load a session."""
        self._compare(lambda store: store.load(session_id))

    @rule(session_id=some_ids)
    def delete(self, session_id: str) -> None:
        """Delete a session."""
        self._compare(lambda store: store.delete(session_id))

    @rule(session_id=some_ids)
    def exists(self, session_id: str) -> None:
        """Ask whether a session is there, and whether as a snapshot."""
        self._compare(lambda store: store.exists(session_id))
        self._compare(lambda store: store.is_snapshot(session_id))

    @rule(page_size=st.integers(-1, 3))
    def list_everything(self, page_size: int) -> None:
        """List everything that can be listed."""
        self._compare(lambda store: store.list())
        self._compare(lambda store: store.list_sessions(page_size))
        for kind in CHECKPOINT_KINDS:
            self._compare(kind.list)

    @rule(snapshot=strategies.snapshots(some_ids), version=st.sampled_from([1, 1, 1, 2]))
    def save_snapshot(self, snapshot: SessionSnapshot, version: int) -> None:
        """Save a whole session, sometimes of a version that nobody knows."""
        snapshot.schema_version = version
        self._compare(lambda store: store.save_snapshot(snapshot))

    @rule(session_id=some_ids)
    def load_snapshot(self, session_id: str) -> None:
        """Load a whole session."""
        self._compare(lambda store: store.load_snapshot(session_id))

    @rule(session_id=some_ids, kind=kinds, data=st.data())
    def save_records(self, session_id: str, kind: RecordKind[Any], data: st.DataObject) -> None:
        """Save records of a kind."""
        records = data.draw(_STRATEGIES[kind.name]())
        self._compare(lambda store: kind.save(store, session_id, records))

    @rule(session_id=some_ids, kind=kinds)
    def load_records(self, session_id: str, kind: RecordKind[Any]) -> None:
        """Load records of a kind."""
        self._compare(lambda store: kind.load(store, session_id))

    @rule(checkpoint_id=some_ids, owner=good_ids, kind=checkpoint_kinds, data=st.data())
    def save_checkpoint(self, checkpoint_id: str, owner: str, kind: CheckpointKind[Any], data: st.DataObject) -> None:
        """Save a checkpoint, often under the id of another run or workflow."""
        checkpoint = data.draw(_CHECKPOINT_STRATEGIES[kind.name](st.sampled_from([checkpoint_id, owner])))
        self._compare(lambda store: kind.save(store, checkpoint_id, checkpoint))

    @rule(checkpoint_id=some_ids, kind=checkpoint_kinds)
    def load_checkpoint(self, checkpoint_id: str, kind: CheckpointKind[Any]) -> None:
        """Load a checkpoint."""
        self._compare(lambda store: kind.load(store, checkpoint_id))

    @rule(checkpoint_id=some_ids, kind=checkpoint_kinds)
    def delete_checkpoint(self, checkpoint_id: str, kind: CheckpointKind[Any]) -> None:
        """Delete a checkpoint."""
        self._compare(lambda store: kind.delete(store, checkpoint_id))

    async def _open(self) -> None:
        self._reference = await self._stack.enter_async_context(open_store("memory:"))
        self._candidate = await self._stack.enter_async_context(self._open_candidate())

    def _compare(self, call: Callable[[SessionStore], Awaitable[object]]) -> None:
        expected = self._runner.run(_outcome(call, self._reference))
        assert self._runner.run(_outcome(call, self._candidate)) == expected


_STRATEGIES: dict[str, Callable[[], st.SearchStrategy[Any]]] = {
    "artifacts": strategies.artifact_stores,
    "trace_events": strategies.trace_events,
    "run_records": strategies.run_records,
    "verification_reports": strategies.verification_reports,
    "subagent_tasks": strategies.subagent_tasks,
}
_CHECKPOINT_STRATEGIES: dict[str, Callable[[st.SearchStrategy[str]], st.SearchStrategy[Any]]] = {
    "loop_checkpoint": strategies.loop_checkpoints,
    "workflow_checkpoint": strategies.workflow_checkpoints,
}


async def _outcome(call: Callable[[SessionStore], Awaitable[object]], store: SessionStore) -> object:
    """Return what a call answers, in a form that compares exactly, or the error that it raises."""
    try:
        answer = await call(store)
    except SessionStoreError as error:
        return error
    if answer is None or isinstance(answer, bool | SessionPage):
        return answer
    if isinstance(answer, SessionData | SessionSnapshot | ArtifactStore):
        return json_text(answer)
    return repr(answer)
