"""Where the services keep things: collections, and the names of documents and logs inside a key."""

from sessionstore_server.backends.base import Key
from sessionstore_server.backends.checks import check_part
from sessionstore_server.services.handlers import Caller

SESSIONS = "sessions"
LOOP_CHECKPOINTS = "loop_checkpoints"
WORKFLOW_CHECKPOINTS = "workflow_checkpoints"

LEASES = "leases"
"""Collection: the leases of sessions, by session id."""

SESSION = "session"
"""Document: the session without its messages."""
SNAPSHOT = "snapshot"
"""Document: the header of the snapshot, when the session was saved as a whole."""
CHECKPOINT = "checkpoint"
"""Document: a checkpoint, in the checkpoint collections."""
LEASE = "lease"
"""Document: the present or last lease, in the collection of leases."""
LEASE_EPOCH = "epoch"
"""Document: the epoch of the lease in decimal digits, in the collection of leases."""
ARTIFACTS = "artifacts"
"""Document: the manifest of the artifacts; their content is in blobs."""
RUNS = "runs"
"""Document: the ids of the runs, in order."""
RUN_PREFIX = "runs/"
APPEND_PREFIX = "appends/"
"""Before the id of a stream that appends. Document: how far it has come."""
MESSAGES = "messages"
"""Log: the conversation."""
TRACES = "traces"
"""Log: trace events."""
VERIFICATION = "verification"
"""Log: verification reports."""
SUBAGENT_TASKS = "subagent_tasks"
"""Log: subagent tasks."""
SUMMARY = "summary"
"""The light summary that lists show."""

_RUN_RECORD = "/record"
_RUN_EXTENT = "/extent"
_RUN_EVENTS = "/events"


def session_key(caller: Caller, session_id: str, field: str = "session_id") -> Key:
    """Return where the session and its records stand. Errors: InvalidArgumentError for `field`."""
    check_part(field, session_id)
    return Key(caller.namespace, SESSIONS, session_id)


def lease_key(caller: Caller, session_id: str) -> Key:
    """Return where the lease of a session stands. Errors: InvalidArgumentError."""
    check_part("session_id", session_id)
    return Key(caller.namespace, LEASES, session_id)


def run_record(run_id: str) -> str:
    """Return the name of the document that holds a run record without its events."""
    return RUN_PREFIX + run_id + _RUN_RECORD


def run_extent(run_id: str) -> str:
    """Return the name of the document that tells how far the events of a run reach.

    There is none as long as they are those with which the run was saved.
    """
    return RUN_PREFIX + run_id + _RUN_EXTENT


def run_events(run_id: str) -> str:
    """Return the name of the log that holds the events of a run."""
    return RUN_PREFIX + run_id + _RUN_EVENTS


def is_run_record(name: str) -> bool:
    """Tell whether a name comes from `run_record`."""
    return name.startswith(RUN_PREFIX) and name.endswith(_RUN_RECORD)


def is_run_extent(name: str) -> bool:
    """Tell whether a name comes from `run_extent`."""
    return name.startswith(RUN_PREFIX) and name.endswith(_RUN_EXTENT)


def is_run_events(name: str) -> bool:
    """Tell whether a name comes from `run_events`."""
    return name.startswith(RUN_PREFIX) and name.endswith(_RUN_EVENTS)
