"""What lists know of a session, kept with it by each write."""

from typing import Final

from sessionstore.model import SessionState
from sessionstore.store.selection import attributes
from sessionstore.v1 import session_pb2 as pb
from sessionstore.wire.records import SESSION
from sessionstore_server.backends.base import Summary
from sessionstore_server.services.checks import parsed

_STATES = {pb.SessionState.Value(f"SESSION_STATE_{state.name}"): state for state in SessionState}
_TEXTS: Final = ("model_name", "parent_id", "tenant_id", "principal", "agent_template_id")


def summary_of(session: pb.SessionData, message_count: int) -> Summary:
    """Return what lists know of a session.

    Errors: InvalidArgumentError that names what no client could load, below `session`.
    """
    if not SESSION.is_sound(session):
        # What the writer did not know by name counts as if it had.
        session = SESSION.to_proto(parsed(SESSION, "session", session))
    state = session.state or pb.SESSION_STATE_UNKNOWN
    values = {
        "id": session.id,
        "name": session.config.name,
        "message_count": message_count,
        "total_tokens": session.total_usage.total_tokens,
        "total_cost": session.total_cost,
        "created_at": session.created_at,
        "updated_at": session.updated_at,
        **{name: getattr(session, name) for name in _TEXTS if session.HasField(name)},
    }
    record = pb.SessionSummary(**values, state=state)
    return Summary(record.SerializeToString(), attributes({**values, "state": _STATES[state]}))
