"""Sessions: saved, loaded, deleted."""

from collections.abc import Sequence
from functools import partial

from sessionstore.errors import InvalidArgumentError
from sessionstore.model import SessionSummary
from sessionstore.store.selection import attributes
from sessionstore.v1 import message_pb2
from sessionstore.v1 import session_pb2 as pb
from sessionstore.wire.methods import DELETE_SESSION, LOAD_SESSION, SAVE_SESSION, SESSION_EXISTS
from sessionstore.wire.records import MESSAGE, SESSION, SESSION_SUMMARY
from sessionstore_server.backends.base import Backend, Change, Key, LogRange, Splice, Summary, View
from sessionstore_server.services.aside import aside
from sessionstore_server.services.checks import MAX_COUNT, checked_all, parsed
from sessionstore_server.services.handlers import Caller, HandlerTable
from sessionstore_server.services.keys import MESSAGES, SNAPSHOT, session_key
from sessionstore_server.services.keys import SESSION as SESSION_DOCUMENT
from sessionstore_server.services.replacing import Wanted, commit_wanted
from sessionstore_server.services.responses import with_records
from sessionstore_server.services.turns import Turns
from sessionstore_server.services.writes import commit, delete

_NEVER = -1
"""A revision before all others."""


class SessionService:
    """Answers `sessionstore.v1.SessionService`."""

    def __init__(self, backend: Backend, turns: Turns) -> None:
        self._backend, self._turns = backend, turns

    def handlers(self) -> HandlerTable:
        """Return what answers which method."""
        return {
            SAVE_SESSION: self.save_session,
            LOAD_SESSION: self.load_session,
            DELETE_SESSION: self.delete_session,
            SESSION_EXISTS: self.session_exists,
        }

    async def save_session(self, request: pb.SaveSessionRequest, caller: Caller) -> pb.SaveSessionResponse:
        """Replace the session; its records stay."""
        key = session_key(caller, request.session.id, field="session.id")
        sent = request.session, request.messages, request.base.message_count
        wanted = await aside(request.ByteSize(), wanted_session, *sent)
        async with self._turns.of(key):
            return await self._save(key, request, wanted)

    async def _save(self, key: Key, request: pb.SaveSessionRequest, wanted: Wanted) -> pb.SaveSessionResponse:
        response = partial(pb.SaveSessionResponse, instance=self._backend.incarnation)
        if not request.HasField("base"):
            return await commit_wanted(self._backend, key, wanted, request, response)
        # What was told before the data went back to a backup is stale, but a repeat has to be known as such before.
        since = request.base.revision if request.base.instance == self._backend.incarnation else _NEVER
        added = Splice(wanted.logs[MESSAGES], keep=request.base.message_count, since=since)
        change = Change(wanted.documents, {MESSAGES: added}, wanted.summary)
        return await commit(self._backend, key, change, request, response)

    async def load_session(self, request: pb.LoadSessionRequest, caller: Caller) -> bytes:
        """Return the session with the messages that the caller lacks; an empty response when it was never saved."""
        key = session_key(caller, request.session_id)
        revision = request.revision if request.HasField("revision") else None
        held = request.held if request.held.instance == self._backend.incarnation else pb.HeldMessages()
        view = await self._read(key, held.message_count, revision)
        if view is not None and not begins_with(view, held):
            view = await self._read(key, 0, revision)
        if view is None or SESSION_DOCUMENT not in view.documents:
            return b""
        return with_records(
            pb.LoadSessionResponse(
                revision=view.revision, held_count=view.logs[MESSAGES].start, instance=self._backend.incarnation
            ),
            session=[view.documents[SESSION_DOCUMENT]],
            messages=view.logs[MESSAGES].records,
        )

    async def delete_session(self, request: pb.DeleteSessionRequest, caller: Caller) -> pb.DeleteSessionResponse:
        """Remove the session and all its records."""
        key = session_key(caller, request.session_id)
        async with self._turns.of(key):
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

    async def _read(self, key: Key, first_message: int, revision: int | None) -> View | None:
        return await self._backend.read(key, (SESSION_DOCUMENT,), {MESSAGES: LogRange(first_message)}, revision)


def wanted_session(session: pb.SessionData, messages: Sequence[message_pb2.Message], first_position: int = 0) -> Wanted:
    """Return what a session holds; `messages` begin at `first_position` of its conversation.

    Errors: InvalidArgumentError that names the faulty field.
    """
    if first_position > MAX_COUNT - len(messages):
        problem = f"must leave room for the messages, since {MAX_COUNT} are the most"
        raise InvalidArgumentError(field="base.message_count", problem=problem)
    summary = SessionSummary.of(parsed(SESSION, "session", session), first_position + len(messages))
    return Wanted(
        documents={SESSION_DOCUMENT: session.SerializeToString()},
        logs={MESSAGES: checked_all(MESSAGE, "messages", messages, first_position)},
        summary=stored_summary(summary),
    )


def stored_summary(summary: SessionSummary) -> Summary:
    """Return what lists know of a session."""
    return Summary(SESSION_SUMMARY.to_proto(summary).SerializeToString(), attributes(summary))


def begins_with(view: View, held: pb.HeldMessages) -> bool:
    """Tell whether the conversation in `view` begins with what a client holds of it."""
    messages = view.logs.get(MESSAGES)
    if not held.message_count:
        return True
    if messages is None:
        return False
    return messages.shortened_at <= held.revision <= view.revision and held.message_count <= messages.length
