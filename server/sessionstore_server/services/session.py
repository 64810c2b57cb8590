"""Sessions: saved, loaded, deleted, listed."""

import secrets
from collections.abc import Sequence
from functools import partial

from sessionstore.model import SessionSummary
from sessionstore.v1 import message_pb2
from sessionstore.v1 import session_pb2 as pb
from sessionstore.wire.methods import DELETE_SESSION, LIST_SESSIONS, LOAD_SESSION, SAVE_SESSION, SESSION_EXISTS
from sessionstore.wire.records import MESSAGE, SESSION, SESSION_SUMMARY
from sessionstore_server.backends.base import Backend, Change, Key, Listed, LogRange, Splice, View
from sessionstore_server.services.checks import checked_all, parsed
from sessionstore_server.services.handlers import Caller, HandlerTable
from sessionstore_server.services.keys import MESSAGES, SESSIONS, SNAPSHOT, session_key
from sessionstore_server.services.keys import SESSION as SESSION_DOCUMENT
from sessionstore_server.services.pages import list_page
from sessionstore_server.services.replacing import Wanted, commit_wanted
from sessionstore_server.services.responses import with_records
from sessionstore_server.services.writes import commit, delete

_NEVER = -1
"""A revision before all others."""


class SessionService:
    """Answers `sessionstore.v1.SessionService`."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        # Revisions may begin anew with another store, a backup, or memory that was lost; what callers hold ends with
        # the program that told it.
        self._instance = secrets.randbits(63)

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
        wanted = wanted_session(request.session, request.messages, request.base.message_count)
        response = partial(pb.SaveSessionResponse, instance=self._instance)
        if not request.HasField("base"):
            return await commit_wanted(self._backend, key, wanted, request, response)
        # What another program told is stale, but a request that it carried out has to be known as such before.
        since = request.base.revision if request.base.instance == self._instance else _NEVER
        added = Splice(wanted.logs[MESSAGES], keep=request.base.message_count, since=since)
        change = Change(wanted.documents, {MESSAGES: added}, wanted.summary)
        return await commit(self._backend, key, change, request, response)

    async def load_session(self, request: pb.LoadSessionRequest, caller: Caller) -> bytes:
        """Return the session with the messages that the caller lacks; an empty response when it was never saved."""
        key = session_key(caller, request.session_id)
        held = request.held if request.held.instance == self._instance else pb.HeldMessages()
        view = await self._read(key, held.message_count)
        if view is not None and MESSAGES in view.logs and not _begins_with(view, held):
            view = await self._read(key, 0)
        if view is None or SESSION_DOCUMENT not in view.documents:
            return b""
        return with_records(
            pb.LoadSessionResponse(
                revision=view.revision, held_count=view.logs[MESSAGES].start, instance=self._instance
            ),
            session=[view.documents[SESSION_DOCUMENT]],
            messages=view.logs[MESSAGES].records,
        )

    async def delete_session(self, request: pb.DeleteSessionRequest, caller: Caller) -> pb.DeleteSessionResponse:
        """Remove the session and all its records."""
        key = session_key(caller, request.session_id)
        return pb.DeleteSessionResponse(existed=await delete(self._backend, key, request))

    async def session_exists(self, request: pb.SessionExistsRequest, caller: Caller) -> pb.SessionExistsResponse:
        """Tell whether the session was saved, and whether as a whole snapshot."""
        key = session_key(caller, request.session_id)
        view = await self._backend.read(key, documents=(SESSION_DOCUMENT, SNAPSHOT))
        if view is None:
            return pb.SessionExistsResponse()
        return pb.SessionExistsResponse(
            exists=SESSION_DOCUMENT in view.documents, snapshot=SNAPSHOT in view.documents, revision=view.revision
        )

    async def _read(self, key: Key, first_message: int) -> View | None:
        return await self._backend.read(key, (SESSION_DOCUMENT,), {MESSAGES: LogRange(first_message)})

    async def list_sessions(self, request: pb.ListSessionsRequest, caller: Caller) -> pb.ListSessionsResponse:
        """Return a page of summaries."""
        page = await list_page(
            self._backend, caller, SESSIONS, request.page_size, request.page_token, summarized=not request.unsaved
        )
        return pb.ListSessionsResponse(
            sessions=[_summary(entry) for entry in page.entries if entry.damage is None],
            next_page_token=page.next_page_token,
            unreachable=[entry.id for entry in page.entries if entry.damage is not None],
        )


def wanted_session(session: pb.SessionData, messages: Sequence[message_pb2.Message], first_position: int = 0) -> Wanted:
    """Return what a session holds; `messages` begin at `first_position` of its conversation.

    Errors: InvalidArgumentError that names the faulty field.
    """
    summary = SessionSummary.of(parsed(SESSION, "session", session), first_position + len(messages))
    return Wanted(
        documents={SESSION_DOCUMENT: session.SerializeToString()},
        logs={MESSAGES: checked_all(MESSAGE, "messages", messages, first_position)},
        summary=SESSION_SUMMARY.to_proto(summary).SerializeToString(),
    )


def _begins_with(view: View, held: pb.HeldMessages) -> bool:
    messages = view.logs[MESSAGES]
    if not held.message_count:
        return True
    return messages.shortened_at <= held.revision <= view.revision and held.message_count <= messages.length


def _summary(entry: Listed) -> pb.SessionSummary:
    summary = pb.SessionSummary.FromString(entry.summary)
    summary.id, summary.revision = entry.id, entry.revision
    return summary
