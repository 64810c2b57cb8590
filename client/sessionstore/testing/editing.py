"""Random edits of conversations by several clients of one store: what is stored is always what was saved last.

Two clients hold working copies of two sessions and what they once held, so that they come back to earlier messages,
save over each other, and remember what is long gone. A third client, which remembers nothing, looks after each step.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from itertools import count

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from sessionstore.errors import RevisionConflictError
from sessionstore.model import Message, SessionData, SessionSnapshot, ToolUseBlock
from sessionstore.store import SessionStore
from sessionstore.testing import samples
from sessionstore.testing.comparison import json_text
from sessionstore.testing.conversations import AnotherClient, equal_copy

CLIENTS = range(2)
_clients = st.sampled_from(CLIENTS)
_ids = st.sampled_from(["a", "b"])
_positions = st.integers(0, 5)
_alike = st.sampled_from([1, 1.0, True, 0.0, -0.0])
"""Values of which Python takes some for equal."""

OpenClients = Callable[[], AbstractAsyncContextManager[AnotherClient]]
"""Opens a new, empty store and gives what makes its clients."""

Copies = dict[tuple[int, str], SessionData]
"""The working copies, by client and session."""


def check_conversations(open_clients: OpenClients, examples: int = 50) -> None:
    """Let two clients of new, empty stores from `open_clients` edit conversations at random."""
    limits = settings(
        max_examples=examples, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
    )
    # Any factory does, although the annotation asks for a class.
    run_state_machine_as_test(partial(EditingMachine, open_clients), settings=limits)  # type: ignore[arg-type]


class EditingMachine(RuleBasedStateMachine):
    """Two clients of one store, and beside them the text of what was saved last."""

    def __init__(self, open_clients: OpenClients) -> None:
        super().__init__()
        self._open_clients = open_clients
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._numbers = count()
        self._saved: dict[str, str] = {}
        self._history: list[list[Message]] = []
        self._copies: Copies = {(client, name): SessionData(id=name) for client in CLIENTS for name in "ab"}

    @initialize()
    def open_store(self) -> None:
        """Start with an empty store."""
        self._another = self._runner.run(self._stack.enter_async_context(self._open_clients()))
        self._clients = [self._another() for _ in CLIENTS]

    def teardown(self) -> None:
        """Close the store."""
        self._runner.run(self._stack.aclose())
        self._runner.close()

    @rule(client=_clients, session_id=_ids, more=st.integers(1, 3))
    def append(self, client: int, session_id: str, more: int) -> None:
        """Append new messages in place."""
        self._copies[client, session_id].messages.extend(self._new_message() for _ in range(more))

    @rule(client=_clients, session_id=_ids, start=_positions, stop=_positions)
    def cut_out(self, client: int, session_id: str, start: int, stop: int) -> None:
        """Remove messages at the end, at the start or in the middle."""
        del self._copies[client, session_id].messages[start:stop]

    @rule(client=_clients, session_id=_ids, position=_positions)
    def replace(self, client: int, session_id: str, position: int) -> None:
        """Replace one message by a new one."""
        self._copies[client, session_id].messages[position : position + 1] = [self._new_message()]

    @rule(client=_clients, session_id=_ids, position=_positions, value=_alike)
    def replace_by_similar_ones(self, client: int, session_id: str, position: int, value: float) -> None:
        """Replace the messages from a position on by some that may be equal to others and have another JSON."""
        call = ToolUseBlock(id="1", name="tool", input={"value": value})
        similar = Message(role="assistant", content=(call,))
        self._copies[client, session_id].messages[position:] = [similar] * 2

    @rule(client=_clients, session_id=_ids, position=_positions)
    def replace_by_equal_ones(self, client: int, session_id: str, position: int) -> None:
        """Replace the messages from a position on by equal ones, as after reading them from elsewhere."""
        messages = self._copies[client, session_id].messages
        messages[position:] = map(equal_copy, messages[position:])

    @rule(client=_clients, session_id=_ids, past=st.integers(0, 10))
    def go_back(self, client: int, session_id: str, past: int) -> None:
        """Go back to the messages that some client once saved or loaded, of this or the other session."""
        if self._history:
            self._copies[client, session_id].messages = list(self._history[-1 - past % len(self._history)])

    @rule(client=_clients, session_id=_ids)
    def load(self, client: int, session_id: str) -> None:
        """Load a session, which becomes the working copy."""
        loaded = self._runner.run(self._clients[client].load(session_id))
        assert self._saved.get(session_id) == (None if loaded is None else json_text(loaded))
        if loaded is not None:
            self._history.append(list(loaded.messages))
            self._copies[client, session_id] = loaded

    @rule(client=_clients, session_id=_ids)
    def save(self, client: int, session_id: str) -> None:
        """Save the working copy."""
        session = self._copies[client, session_id]
        self._runner.run(self._clients[client].save(session))
        self._remember(session)

    @rule(client=_clients, session_id=_ids, behind=st.integers(0, 2))
    def save_on_condition(self, client: int, session_id: str, behind: int) -> None:
        """Save the working copy if the session is at a revision, which it is or not."""
        session, store = self._copies[client, session_id], self._clients[client]
        present = self._runner.run(store.revision(session_id))
        expected = max(0, present - behind)
        saving = store.save(session, expected_revision=expected)
        if expected == present:
            assert self._runner.run(saving) > present
            self._remember(session)
            return
        with pytest.raises(RevisionConflictError) as caught:
            self._runner.run(saving)
        assert caught.value == RevisionConflictError(session_id, expected, present)

    @rule(first=_clients, session_id=_ids)
    def save_both_at_once(self, first: int, session_id: str) -> None:
        """Save both working copies at the same time."""
        sessions = [self._copies[first, session_id], self._copies[1 - first, session_id]]
        self._runner.run(self._save_both(self._clients[first], self._clients[1 - first], sessions))
        stored = self._stored(session_id)
        self._remember(next(session for session in sessions if json_text(session) == stored))

    @rule(client=_clients, session_id=_ids)
    def save_as_snapshot(self, client: int, session_id: str) -> None:
        """Save the working copy as a whole snapshot."""
        session = self._copies[client, session_id]
        self._runner.run(self._clients[client].save_snapshot(SessionSnapshot(session=session)))
        self._remember(session)

    @rule(client=_clients, session_id=_ids)
    def save_records(self, client: int, session_id: str) -> None:
        """Save records, which moves the revision on."""
        self._runner.run(self._clients[client].save_trace_events(session_id, samples.trace_events()))

    @rule(client=_clients, session_id=_ids)
    def update(self, client: int, session_id: str) -> None:
        """Append a message to what is stored."""
        message = self._new_message()
        updating = self._clients[client].update(session_id, lambda session: session.messages.append(message))
        updated = self._runner.run(updating)
        assert (updated is None) is (session_id not in self._saved)
        if updated is not None:
            assert updated.messages[-1] is message
            self._remember(updated)

    @rule(client=_clients, session_id=_ids)
    def delete(self, client: int, session_id: str) -> None:
        """Delete a session; the working copies stay."""
        self._runner.run(self._clients[client].delete(session_id))
        self._saved.pop(session_id, None)

    @rule(client=_clients)
    def start_again(self, client: int) -> None:
        """Start a client again, which remembers nothing; its working copies stay."""
        self._clients[client] = self._another()

    @invariant()
    def what_is_stored_was_saved_last(self) -> None:
        """Compare what a client loads that remembers nothing."""
        if hasattr(self, "_another"):
            for session_id in "ab":
                assert self._stored(session_id) == self._saved.get(session_id)

    def _stored(self, session_id: str) -> str | None:
        loaded = self._runner.run(self._another().load(session_id))
        return None if loaded is None else json_text(loaded)

    def _remember(self, session: SessionData) -> None:
        self._saved[session.id] = json_text(session)
        self._history.append(list(session.messages))

    def _new_message(self) -> Message:
        return Message.user(str(next(self._numbers)))

    async def _save_both(self, one: SessionStore, other: SessionStore, sessions: list[SessionData]) -> None:
        await asyncio.gather(one.save(sessions[0]), other.save(sessions[1]))
