"""Sessions: the five operations that every store has, and what is made of them."""

import asyncio
import builtins
import random
from abc import ABC, abstractmethod
from collections.abc import Callable

from sessionstore.errors import InvalidArgumentError, RevisionConflictError
from sessionstore.model import SessionData
from sessionstore.store.base import StoreBase
from sessionstore.store.values import Revisioned, SessionChange

_FIRST_PAUSE_SECONDS = 0.01
_LONGEST_PAUSE_SECONDS = 0.3


class SessionOperations(StoreBase, ABC):
    """Sessions as wholes, by their ids."""

    # The five operations every store has.

    @abstractmethod
    async def save(
        self, session: SessionData, *, expected_revision: int | None = None, lease_epoch: int | None = None
    ) -> int:
        """Store the session, replacing what `session.id` held before. Its records stay as they are.

        A runtime hook engine and `llm_config.api_key` are not stored. What the store has already of the conversation is
        not sent again, when its messages are the very ones that this store loaded or saved.
        """

    @abstractmethod
    async def load(self, session_id: str, *, revision: int | None = None) -> SessionData | None:
        """Return the session as it was last saved, or at a past revision that is still kept; None when there is none.

        Its messages are shared with earlier answers of this store; they never change. Errors: RevisionNotKeptError.
        """

    @abstractmethod
    async def delete(
        self, session_id: str, *, expected_revision: int | None = None, lease_epoch: int | None = None
    ) -> None:
        """Remove the session and all its records. Checkpoints stay."""

    @abstractmethod
    async def list(self) -> builtins.list[str]:
        """Return the ids of all saved sessions, sorted by their UTF-8 bytes, those that cannot be read among them."""

    @abstractmethod
    async def exists(self, session_id: str) -> bool:
        """Tell whether the session was saved. Records alone do not make a session."""

    # Revisions.

    async def revision(self, session_id: str) -> int:
        """Return the present revision of the session and its records, 0 when there is nothing."""
        self._refuse("revision")

    async def load_with_revision(self, session_id: str) -> Revisioned[SessionData] | None:
        """Return the session with the revision at which it was read, or None."""
        self._refuse("load_with_revision")

    async def update(
        self, session_id: str, change: Callable[[SessionData], SessionData | None], *, attempts: int = 100
    ) -> SessionData | None:
        """Load the session, let `change` edit or replace it, and save it if nobody else wrote in between.

        Otherwise it starts again, up to `attempts` times in all, so `change` may be called several times. Returns what
        was saved, or None when there is no such session. Errors: RevisionConflictError after the last attempt;
        InvalidArgumentError when `change` gives the session another id.
        """
        for attempt in range(attempts):
            found = await self.load_with_revision(session_id)
            if found is None:
                return None
            session = change(found.value) or found.value
            if session.id != session_id:
                raise InvalidArgumentError(field="change", problem=f"must leave the id {session_id!r} as it is")
            try:
                await self.save(session, expected_revision=found.revision)
            except RevisionConflictError:
                if attempt + 1 == attempts:
                    raise
                pause = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2**attempt)
                await asyncio.sleep(random.uniform(0, pause))  # noqa: S311 - no secret
            else:
                return session
        raise InvalidArgumentError(field="attempts", problem="must be at least 1")

    # Any mix of what belongs to a session.

    async def commit(
        self,
        session_id: str,
        change: SessionChange,
        *,
        expected_revision: int | None = None,
        lease_epoch: int | None = None,
        check_pairing: bool = False,
    ) -> int:
        """Add to a session, all or nothing, and return the new revision.

        With `check_pairing` the commit is refused unless, in what is stored then, each tool result of the conversation
        follows a call of its id that has no other result, and the sequences of each run that is written grow; this
        reads the whole conversation, and the places in errors count from its beginning. Errors: InvalidArgumentError
        that names the record, also for messages of a session that was never saved, and for events of a run that is not
        stored or does not end before them; RevisionConflictError; StaleLeaseError.
        """
        self._refuse("commit")
