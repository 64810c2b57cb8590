"""Sessions: saved, loaded, deleted, listed."""

from collections.abc import Sequence

from sessionstore.model import SessionSummary
from sessionstore.v1 import message_pb2
from sessionstore.v1 import session_pb2 as pb
from sessionstore.wire.methods import DELETE_SESSION, LIST_SESSIONS, LOAD_SESSION, SAVE_SESSION, SESSION_EXISTS
from sessionstore.wire.records import MESSAGE, SESSION, SESSION_SUMMARY
from sessionstore_server.backends.base import Backend, Change, Listed, LogRange
from sessionstore_server.services.checks import expected_revision, parsed
from sessionstore_server.services.handlers import Caller, HandlerTable
from sessionstore_server.services.keys import MESSAGES, SESSIONS, SNAPSHOT, session_key
from sessionstore_server.services.keys import SESSION as SESSION_DOCUMENT
from sessionstore_server.services.pages import list_page
from sessionstore_server.services.records import replacement
from sessionstore_server.services.responses import timestamp, with_records


class SessionService:
    """Answers `sessionstore.v1.SessionService`."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def handlers(self) -> HandlerTable:
        """Return what answers which method."""
        return {
            SAVE_SESSION: self.save_session,
            LOAD_SESSION: self.load_session,
            DELETE_SESSION: self.delete_session,
            SESSION_EXISTS: self.session_exists,
            LIST_SESSIONS: self.list_sessions,
        }

    async def save_session(self, request: pb.SaveSessionRequest, caller: Caller) -> pb.SaveSessionResponse:
        """Replace the session; its records stay."""
        key = session_key(caller, request.session.id, field="session.id")
        change = replace_session(request.session, request.messages)
        commit = await self._backend.commit(key, change, expected_revision(request))
        return pb.SaveSessionResponse(revision=commit.revision, commit_time=timestamp(commit.commit_time))

    async def load_session(self, request: pb.LoadSessionRequest, caller: Caller) -> bytes:
        """Return the session with its messages; an empty response when it was never saved."""
        key = session_key(caller, request.session_id)
        view = await self._backend.read(key, documents=(SESSION_DOCUMENT,), logs={MESSAGES: LogRange()})
        if view is None or SESSION_DOCUMENT not in view.documents:
            return b""
        return with_records(
            pb.LoadSessionResponse(revision=view.revision),
            session=[view.documents[SESSION_DOCUMENT]],
            messages=view.logs[MESSAGES].records,
        )

    async def delete_session(self, request: pb.DeleteSessionRequest, caller: Caller) -> pb.DeleteSessionResponse:
        """Remove the session and all its records."""
        key = session_key(caller, request.session_id)
        return pb.DeleteSessionResponse(existed=await self._backend.delete(key, expected_revision(request)))

    async def session_exists(self, request: pb.SessionExistsRequest, caller: Caller) -> pb.SessionExistsResponse:
        """Tell whether the session was saved, and whether as a whole snapshot."""
        key = session_key(caller, request.session_id)
        view = await self._backend.read(key, documents=(SESSION_DOCUMENT, SNAPSHOT))
        if view is None:
            return pb.SessionExistsResponse()
        return pb.SessionExistsResponse(
            exists=SESSION_DOCUMENT in view.documents, snapshot=SNAPSHOT in view.documents, revision=view.revision
        )

    async def list_sessions(self, request: pb.ListSessionsRequest, caller: Caller) -> pb.ListSessionsResponse:
        """Return a page of summaries."""
        page = await list_page(self._backend, caller, SESSIONS, request.page_size, request.page_token)
        summaries = [_summary(entry) for entry in page.entries]
        return pb.ListSessionsResponse(sessions=summaries, next_page_token=page.next_page_token)


def replace_session(session: pb.SessionData, messages: Sequence[message_pb2.Message]) -> Change:
    """Return the change that keeps the session and its conversation.

    Errors: InvalidArgumentError that names the faulty field.
    """
    summary = SessionSummary.of(parsed(SESSION, "session", session), len(messages))
    return Change(
        documents={SESSION_DOCUMENT: session.SerializeToString()},
        logs={MESSAGES: replacement(MESSAGE, "messages", messages)},
        summary=SESSION_SUMMARY.to_proto(summary).SerializeToString(),
    )


def _summary(entry: Listed) -> pb.SessionSummary:
    summary = pb.SessionSummary.FromString(entry.summary)
    summary.revision = entry.revision
    return summary
