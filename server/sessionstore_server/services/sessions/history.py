"""Past revisions: which there are, and sessions that start from one."""

from collections.abc import Iterator, Mapping

from sessionstore.errors import InvalidArgumentError, RevisionNotKeptError
from sessionstore.v1 import history_pb2 as pb
from sessionstore.v1 import run_pb2, session_pb2, snapshot_pb2, subagent_pb2
from sessionstore.wire.methods import FORK_SESSION, LIST_REVISIONS
from sessionstore_server.backends.base import Backend, Change, Key, LogRange, Origin, Splice, View
from sessionstore_server.services import keys
from sessionstore_server.services.handlers import Caller, HandlerTable
from sessionstore_server.services.responses import timestamp
from sessionstore_server.services.sessions.additions import LENGTH_ONLY
from sessionstore_server.services.sessions.summaries import summary_of
from sessionstore_server.services.turns import ATTEMPTS, overtaken
from sessionstore_server.services.writes import commit, past_answer

_DOCUMENTS = (keys.SESSION, keys.SNAPSHOT, keys.RUN_PREFIX)
_LOGS = {keys.MESSAGES: LENGTH_ONLY, keys.SUBAGENT_TASKS: LogRange()}


class HistoryService:
    """Answers `sessionstore.v1.HistoryService`."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def handlers(self) -> HandlerTable:
        """Return what answers which method."""
        return {LIST_REVISIONS: self.list_revisions, FORK_SESSION: self.fork_session}

    async def list_revisions(self, request: pb.ListRevisionsRequest, caller: Caller) -> pb.ListRevisionsResponse:
        """Return the revisions of a session that can still be read, the oldest first."""
        kept = await self._backend.history(keys.session_key(caller, request.session_id))
        revisions = [pb.Revision(revision=each.revision, commit_time=timestamp(each.commit_time)) for each in kept]
        return pb.ListRevisionsResponse(revisions=revisions)

    async def fork_session(self, request: pb.ForkSessionRequest, caller: Caller) -> pb.ForkSessionResponse:
        """Make a new session of what another one held.

        What tells the id of the session is written anew: the cost follows the number of runs and of subagent tasks, not
        the length of the conversation or of the events.
        """
        key = keys.session_key(caller, request.new_session_id, field="new_session_id")
        origin = keys.session_key(caller, request.session_id)
        try:
            return await self._fork(key, origin, request)
        except (InvalidArgumentError, RevisionNotKeptError):
            # The other session may have gone on since the request was carried out.
            answered = await past_answer(self._backend, key, request, pb.ForkSessionResponse)
            if answered is None:
                raise
            return answered

    async def _fork(self, key: Key, origin: Key, request: pb.ForkSessionRequest) -> pb.ForkSessionResponse:
        revision = request.revision if request.HasField("revision") else None
        for _ in range(ATTEMPTS):
            view = await self._backend.read(origin, _DOCUMENTS, _LOGS, revision)
            if view is None or keys.SESSION not in view.documents:
                problem = f"no session {request.session_id!r} is stored there: save it first"
                raise InvalidArgumentError(field="session_id", problem=problem)
            change = _forked(view, origin, key.id)
            try:
                return await commit(self._backend, key, change, request, pb.ForkSessionResponse)
            except RevisionNotKeptError:
                if revision is not None:
                    raise
        raise overtaken(origin)


def _forked(view: View, origin: Key, new_id: str) -> Change:
    """Return the change that starts a session from what `view` shows of another one."""
    session = session_pb2.SessionData.FromString(view.documents[keys.SESSION])
    session.id, session.parent_id = new_id, origin.id
    summary = summary_of(session, view.logs[keys.MESSAGES].length)
    documents = {keys.SESSION: session.SerializeToString(), **dict(_owned_documents(view, new_id))}
    # Streams that append to the other session do not go on in this one.
    gone = {keys.APPEND_PREFIX: None}
    started = Origin(origin, view.revision)
    return Change({**documents, **gone}, _owned_tasks(view, new_id), summary, origin=started)


def _owned_documents(view: View, session_id: str) -> Iterator[tuple[str, bytes]]:
    """Yield the header of the snapshot, if there is one, and the runs, which tell the session that they belong to."""
    if keys.SNAPSHOT in view.documents:
        header = snapshot_pb2.SnapshotHeader.FromString(view.documents[keys.SNAPSHOT])
        header.session_id = session_id
        yield keys.SNAPSHOT, header.SerializeToString()
    for name in filter(keys.is_run_record, view.documents):
        record = run_pb2.RunRecord.FromString(view.documents[name])
        record.snapshot.session_id = session_id
        yield name, record.SerializeToString()


def _owned_tasks(view: View, session_id: str) -> Mapping[str, Splice]:
    """Return the tasks with the session that gave them; old ones may not tell, and then still do not."""
    if keys.SUBAGENT_TASKS not in view.logs:
        return {}
    tasks = [*map(subagent_pb2.SubagentTaskSnapshot.FromString, view.logs[keys.SUBAGENT_TASKS].records)]
    for task in tasks:
        if task.parent_session_id:
            task.parent_session_id = session_id
    return {keys.SUBAGENT_TASKS: Splice([task.SerializeToString() for task in tasks], keep=0)}
