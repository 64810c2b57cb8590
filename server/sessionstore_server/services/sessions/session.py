"""Sessions: saved, loaded, deleted."""

from collections.abc import Sequence
from functools import partial

from sessionstore.errors import InvalidArgumentError
from sessionstore.v1 import message_pb2
from sessionstore.v1 import session_pb2 as pb
from sessionstore.wire.methods import DELETE_SESSION, LOAD_SESSION, SAVE_SESSION, SESSION_EXISTS
from sessionstore.wire.records import MESSAGE
from sessionstore_server.backends.base import Backend, Change, Key, LogRange, Splice, View
from sessionstore_server.services.aside import aside
from sessionstore_server.services.checks import MAX_COUNT, checked_all
from sessionstore_server.services.handlers import Caller, HandlerTable
from sessionstore_server.services.keys import MESSAGES, SNAPSHOT, session_key
from sessionstore_server.services.keys import SESSION as SESSION_DOCUMENT
from sessionstore_server.services.replacing import Wanted, commit_wanted
from sessionstore_server.services.responses import with_records
from sessionstore_server.services.sessions.sent import Sent, SentSessions
from sessionstore_server.services.sessions.summaries import summary_of
from sessionstore_server.services.turns import Turns
from sessionstore_server.services.writes import asked_for, commit, delete, digest_of

_NEVER = -1
"""A revision before all others."""


class SessionService:
    """Answers `sessionstore.v1.SessionService`."""

    def __init__(self, backend: Backend, turns: Turns) -> None:
        self._backend, self._turns = backend, turns
        self._sent = SentSessions()

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
        wanted, digest = await _checked(request)
        async with self._turns.of(key):
            return await self._save(key, request, wanted, digest)

    async def _save(
        self, key: Key, request: pb.SaveSessionRequest, wanted: Wanted, digest: str
    ) -> pb.SaveSessionResponse:
        response = partial(pb.SaveSessionResponse, instance=self._backend.incarnation)
        if not request.HasField("base"):
            return await commit_wanted(self._backend, key, wanted, request, response, digest)
        # What was told before the data went back to a backup is stale, but a repeat has to be known as such before.
        since = request.base.revision if request.base.instance == self._backend.incarnation else _NEVER
        added = Splice(wanted.logs[MESSAGES], keep=request.base.message_count, since=since)
        change = Change(wanted.documents, {MESSAGES: added}, wanted.summary)
        return await commit(self._backend, key, change, request, response, digest)

    async def load_session(self, request: pb.LoadSessionRequest, caller: Caller) -> bytes:
        """Return the session with the messages that the caller lacks; an empty response when it was never saved."""
        key = session_key(caller, request.session_id)
        revision = request.revision if request.HasField("revision") else None
        if revision is None and not request.held.message_count:
            return await self._load_whole(key)
        view = await self._read(key, request.held, revision)
        if view is None or SESSION_DOCUMENT not in view.documents:
            return b""
        messages = view.logs[MESSAGES]
        return with_records(
            pb.LoadSessionResponse(
                revision=view.revision, held_count=messages.start, instance=self._backend.incarnation
            ),
            session=[view.documents[SESSION_DOCUMENT]],
            messages=messages.records,
        )

    async def _load_whole(self, key: Key) -> bytes:
        instance, known = self._backend.incarnation, self._sent.get(key)
        if self._backend.finds_damage:
            view = await self._read(key, pb.HeldMessages())
        elif await self._is_present(key, known):
            return known.response
        else:
            view = await self._read(key, known.held)
        if view is None or SESSION_DOCUMENT not in view.documents:
            return b""
        sent = known.continued(view, instance)
        if sent is not known:
            self._sent.put(key, sent)
        return sent.response

    async def _is_present(self, key: Key, known: Sent) -> bool:
        """Tell whether what is known is what a load would find."""
        instance = self._backend.incarnation
        view = await self._backend.read(key) if known.response else None
        return view is not None and known.is_of(view, instance)

    async def delete_session(self, request: pb.DeleteSessionRequest, caller: Caller) -> pb.DeleteSessionResponse:
        """Remove the session and all its records."""
        key = session_key(caller, request.session_id)
        async with self._turns.of(key):
            existed = await delete(self._backend, key, request)
        self._sent.forget(key)
        return pb.DeleteSessionResponse(existed=existed)

    async def session_exists(self, request: pb.SessionExistsRequest, caller: Caller) -> pb.SessionExistsResponse:
        """Tell whether the session was saved, and whether as a whole snapshot."""
        key = session_key(caller, request.session_id)
        view = await self._backend.read(key, documents=(SESSION_DOCUMENT, SNAPSHOT))
        if view is None:
            return pb.SessionExistsResponse()
        return pb.SessionExistsResponse(
            exists=SESSION_DOCUMENT in view.documents, snapshot=SNAPSHOT in view.documents, revision=view.revision
        )

    async def _read(self, key: Key, held: pb.HeldMessages, revision: int | None = None) -> View | None:
        """Read a session with the messages behind those that somebody holds, or with all when that is not true."""
        first = held.message_count if held.instance == self._backend.incarnation else 0
        view = await self._backend.read(key, (SESSION_DOCUMENT,), {MESSAGES: LogRange(first)}, revision)
        if view is None or not first or begins_with(view, held):
            return view
        return await self._backend.read(key, (SESSION_DOCUMENT,), {MESSAGES: LogRange()}, revision)


async def _checked(request: pb.SaveSessionRequest) -> tuple[Wanted, str]:
    """Return what a session is to hold, and the digest of the request."""
    asked = asked_for(request)
    sent = request.session, request.messages, request.base.message_count
    return await aside(len(asked), lambda: (wanted_session(*sent), digest_of(asked)))


def wanted_session(session: pb.SessionData, messages: Sequence[message_pb2.Message], first_position: int = 0) -> Wanted:
    """Return what a session holds; `messages` begin at `first_position` of its conversation.

    Errors: InvalidArgumentError that names the faulty field.
    """
    if first_position > MAX_COUNT - len(messages):
        problem = f"must leave room for the messages, since {MAX_COUNT} are the most"
        raise InvalidArgumentError(field="base.message_count", problem=problem)
    summary = summary_of(session, first_position + len(messages))
    return Wanted(
        documents={SESSION_DOCUMENT: session.SerializeToString()},
        logs={MESSAGES: checked_all(MESSAGE, "messages", messages, first_position)},
        summary=summary,
    )


def begins_with(view: View, held: pb.HeldMessages) -> bool:
    """Tell whether the conversation in `view` begins with what a client holds of it."""
    messages = view.logs.get(MESSAGES)
    if not held.message_count:
        return True
    if messages is None:
        return False
    return messages.shortened_at <= held.revision <= view.revision and held.message_count <= messages.length
