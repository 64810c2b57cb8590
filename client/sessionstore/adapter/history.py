"""Past revisions."""

import builtins
from datetime import UTC

from typing_extensions import override

from sessionstore.adapter.calls import Calls, Conditions
from sessionstore.store import CommittedRevision
from sessionstore.store.history import HistoryOperations
from sessionstore.wire import methods


class HistoryCalls(Calls, HistoryOperations):
    """`HistoryOperations` as calls."""

    @override
    async def list_revisions(self, session_id: str) -> builtins.list[CommittedRevision]:
        response = await self._read(methods.LIST_REVISIONS, session_id=session_id)
        return [CommittedRevision(each.revision, each.commit_time.ToDatetime(UTC)) for each in response.revisions]

    @override
    async def fork(self, session_id: str, new_session_id: str, *, at_revision: int | None = None) -> int:
        return await self._save_for(
            methods.FORK_SESSION,
            Conditions(),
            session_id=session_id,
            new_session_id=new_session_id,
            revision=at_revision,
        )
