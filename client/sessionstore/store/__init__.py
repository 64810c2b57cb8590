"""The interface of every session store, in process and remote.

A session is kept whole: configuration, conversation, context usage. Beside it stand its records: artifacts, trace
events, run records, verification reports and subagent tasks, which may be saved before the session itself.
Checkpoints belong to a run or a workflow and outlive the session.

Common to all methods:

- Nothing is shared. What a caller passes in may be changed afterwards, and what is returned belongs to the caller.
- A write is whole or not at all, and durable when it returns (as durable as the medium: memory ends with the process).
- Ids are non-empty UTF-8 text without NUL, at most 512 bytes; slashes, dots and emoji are ordinary characters. Anything
  else is an InvalidArgumentError.
- Absence is not an error: loading gives None, deleting succeeds.
- What is stored but cannot be read is a DataCorruptionError, never None.
- Calls may run concurrently; of two writes to one thing the later wins, whole.

A session and its records share one revision, which each write and each deletion moves on by one; 0 stands for absent.
Every write returns the revision it made. With `expected_revision` it takes effect only if the session is at that
revision (0: absent), else it is a RevisionConflictError that tells the present one. A store without revisions, as
`capabilities` says, returns 0 and refuses `expected_revision`.
"""

from sessionstore.store.checkpoints import CheckpointOperations
from sessionstore.store.contents import ContentOperations
from sessionstore.store.coordination import CoordinationOperations
from sessionstore.store.history import HistoryOperations
from sessionstore.store.listing import ListOperations
from sessionstore.store.records import RecordOperations
from sessionstore.store.streams import StreamOperations
from sessionstore.store.values import (
    BlobInfo,
    Capabilities,
    CommitNotice,
    CommittedRevision,
    Lease,
    Revisioned,
    SessionChange,
    SessionFilter,
    SessionOrder,
    TraceEventPage,
    WatchPage,
)

__all__ = [
    "BlobInfo",
    "Capabilities",
    "CommitNotice",
    "CommittedRevision",
    "Lease",
    "Revisioned",
    "SessionChange",
    "SessionFilter",
    "SessionOrder",
    "SessionStore",
    "TraceEventPage",
    "WatchPage",
]


class SessionStore(
    ListOperations,
    RecordOperations,
    CheckpointOperations,
    StreamOperations,
    ContentOperations,
    HistoryOperations,
    CoordinationOperations,
):
    """Where an agent runtime keeps its sessions.

    A store of your own needs the five abstract methods of `SessionOperations`. The others then refuse what they would
    not keep: saving something is an UnsupportedOperationError, saving nothing succeeds, loading gives None. A store
    that overrides them says so in `capabilities`; over RPC only what stands there is taken.

    Use it as `async with store:`, or call `aclose` when done; the first call opens it if needed.
    """
