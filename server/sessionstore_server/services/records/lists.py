"""The service of every resource that is a list of records per session: saved whole, loaded whole."""

from typing import Any

from google.protobuf.message import Message

from sessionstore.transport import Method
from sessionstore.wire.methods import (
    LOAD_SUBAGENT_TASKS,
    LOAD_VERIFICATION_REPORTS,
    SAVE_SUBAGENT_TASKS,
    SAVE_VERIFICATION_REPORTS,
)
from sessionstore.wire.records import SUBAGENT_TASK, VERIFICATION_REPORT
from sessionstore_server.backends.base import Backend, LogRange
from sessionstore_server.services.checks import AnyCodec, checked_all
from sessionstore_server.services.handlers import Caller, HandlerTable
from sessionstore_server.services.keys import SUBAGENT_TASKS, VERIFICATION, session_key
from sessionstore_server.services.replacing import Wanted, commit_wanted
from sessionstore_server.services.responses import with_records
from sessionstore_server.services.turns import Turns


class RecordService:
    """Answers the calls that save and load the records of one kind, kept in one log of each session.

    `field` is the name that the records have in the requests and responses.
    """

    def __init__(
        self,
        backend: Backend,
        turns: Turns,
        log: str,
        codec: AnyCodec,
        field: str,
        save: Method[Any, Any],
        load: Method[Any, Any],
    ) -> None:
        self._backend, self._turns, self._log, self._codec, self._field = backend, turns, log, codec, field
        self._save, self._load = save, load

    def handlers(self) -> HandlerTable:
        """Return what answers which method."""
        return {self._save: self.save, self._load: self.load}

    async def save(self, request: Any, caller: Caller) -> Message:  # noqa: ANN401 - the request of its method
        """Replace the records of a session."""
        key = session_key(caller, request.session_id)
        wanted = Wanted(logs={self._log: checked_all(self._codec, self._field, getattr(request, self._field))})
        async with self._turns.of(key):
            response: Message = await commit_wanted(self._backend, key, wanted, request, self._save.response)
        return response

    async def load(self, request: Any, caller: Caller) -> bytes:  # noqa: ANN401 - the request of its method
        """Return the records of a session, in the order they were saved."""
        key = session_key(caller, request.session_id)
        view = await self._backend.read(key, logs={self._log: LogRange()})
        if view is None or self._log not in view.logs:
            return b""
        response = self._load.response(present=True, revision=view.revision)
        return with_records(response, **{self._field: view.logs[self._log].records})


def verification_service(backend: Backend, turns: Turns) -> RecordService:
    """Answer `sessionstore.v1.VerificationService`."""
    return RecordService(
        backend,
        turns,
        VERIFICATION,
        VERIFICATION_REPORT,
        "verification_reports",
        SAVE_VERIFICATION_REPORTS,
        LOAD_VERIFICATION_REPORTS,
    )


def subagent_service(backend: Backend, turns: Turns) -> RecordService:
    """Answer `sessionstore.v1.SubagentService`."""
    return RecordService(
        backend, turns, SUBAGENT_TASKS, SUBAGENT_TASK, "subagent_tasks", SAVE_SUBAGENT_TASKS, LOAD_SUBAGENT_TASKS
    )
