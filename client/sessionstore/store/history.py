"""Past revisions of sessions."""

import builtins

from sessionstore.store.base import StoreBase
from sessionstore.store.values import CommittedRevision


class HistoryOperations(StoreBase):
    """A store keeps some past revisions of a session and its records; at least the last 32 commits.

    They are given up earlier when the session is deleted, or when the content of an artifact is.
    """

    async def list_revisions(self, session_id: str) -> builtins.list[CommittedRevision]:
        """Return the revisions that can still be read with `load`, the oldest first; none for an absent session."""
        self._refuse("list_revisions")

    async def fork(self, session_id: str, new_session_id: str, *, at_revision: int | None = None) -> int:
        """Make a new session of what another one, with all its records, held at a revision (None: the present one).

        It has the new id and `session_id` for its parent; its runs and subagent tasks belong to it. Content is shared:
        the cost follows the number of runs and tasks, not the length of the conversation or of the events. Returns the
        revision of the new session. Errors: InvalidArgumentError when the session was never saved;
        RevisionNotKeptError; RevisionConflictError when the new one exists.
        """
        self._refuse("fork")
