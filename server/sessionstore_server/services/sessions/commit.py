"""Commits of any mix of what belongs to a session."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial

from sessionstore.errors import InvalidArgumentError, StaleBaseError
from sessionstore.model.pairing import check_pairing, check_rising_sequences
from sessionstore.v1 import commit_pb2 as pb
from sessionstore.v1 import message_pb2
from sessionstore.wire.methods import COMMIT_SESSION
from sessionstore.wire.records import MESSAGE, RUN_RECORD, TRACE_EVENT, VERIFICATION_REPORT
from sessionstore_server.backends.base import Backend, Change, Key, LogRange, View
from sessionstore_server.services import keys
from sessionstore_server.services.aside import aside
from sessionstore_server.services.checks import checked_all, parsed, parsed_all
from sessionstore_server.services.handlers import Caller, HandlerTable
from sessionstore_server.services.records.retention import UNLIMITED, Retention
from sessionstore_server.services.replacing import Draft, commit_drafted, merged
from sessionstore_server.services.sessions.additions import (
    Addition,
    added_messages,
    added_records,
    continued_session,
    replaced_artifacts,
    replaced_session,
    replaced_tasks,
)
from sessionstore_server.services.sessions.run_additions import added_run_events, check_run_events, replaced_runs
from sessionstore_server.services.turns import Turns
from sessionstore_server.services.writes import asked_for, digest_of, expected_revision, past_answer

_ABSENT = View(0, datetime.min.replace(tzinfo=UTC), {}, {})


class CommitService:
    """Answers `sessionstore.v1.CommitService`."""

    def __init__(self, backend: Backend, turns: Turns, retention: Retention = UNLIMITED) -> None:
        self._backend, self._turns, self._retention = backend, turns, retention

    def handlers(self) -> HandlerTable:
        """Return what answers which method."""
        return {COMMIT_SESSION: self.commit_session}

    async def commit_session(self, request: pb.CommitSessionRequest, caller: Caller) -> pb.CommitSessionResponse:
        """Add to a session, all or nothing."""
        key = keys.session_key(caller, request.session_id)
        response = partial(pb.CommitSessionResponse, instance=self._backend.incarnation)
        additions, digest = await self._checked(key, request)
        draft = partial(self._draft, key, request, additions)
        try:
            async with self._turns.of(key):
                return await commit_drafted(self._backend, key, draft, request, response, digest)
        except (InvalidArgumentError, StaleBaseError):
            # What is added to may have gone on since the request was carried out.
            answered = await past_answer(self._backend, key, request, response)
            if answered is None:
                raise
            return answered

    async def _checked(self, key: Key, request: pb.CommitSessionRequest) -> tuple[list[Addition], str]:
        """Return the parts of a commit, and the digest of the request."""
        asked = asked_for(request)
        return await aside(len(asked), lambda: ([*self._additions(key, request)], digest_of(asked)))

    def _additions(self, key: Key, request: pb.CommitSessionRequest) -> Iterator[Addition]:
        if request.HasField("session") or request.HasField("base"):
            yield _session_addition(request, self._backend.incarnation)
        elif request.messages:
            yield added_messages(request.messages)
        if request.trace_events:
            yield added_records(keys.TRACES, checked_all(TRACE_EVENT, "trace_events", request.trace_events))
        yield from self._run_additions(key, request)
        if reports := request.verification_reports:
            records = checked_all(VERIFICATION_REPORT, "verification_reports", reports)
            yield added_records(keys.VERIFICATION, records)
        if request.artifacts or request.artifact_references:
            yield replaced_artifacts(self._backend, request.artifacts, request.artifact_references)
        if request.subagent_tasks:
            yield replaced_tasks(request.subagent_tasks)

    def _run_additions(self, key: Key, request: pb.CommitSessionRequest) -> Iterator[Addition]:
        check_run_events(request.run_events)
        if request.check_pairing:
            _check_run_sequences(request)
        if request.run_records:
            yield replaced_runs(request.run_records, request.run_events, self._retention)
        sent_ids = {record.snapshot.id for record in request.run_records}
        for position, sent in enumerate(request.run_events):
            if sent.run_id not in sent_ids:
                yield added_run_events(self._backend, key, f"run_events[{position}]", sent, self._retention)

    async def _draft(
        self, key: Key, request: pb.CommitSessionRequest, additions: Sequence[Addition], _attempt: int
    ) -> Draft:
        documents = [name for addition in additions for name in addition.documents]
        logs = {name: span for addition in additions for name, span in addition.logs.items()}
        if request.check_pairing:
            logs[keys.MESSAGES] = LogRange()
        view = await self._backend.read(key, documents, logs) or _ABSENT
        if expected_revision(request) not in (None, view.revision):
            # The commit tells the conflict, or finds that the request was carried out before.
            return Draft(Change())
        drafts = [await addition.draft(view) for addition in additions]
        change = merged(draft.change for draft in drafts)
        if request.check_pairing:
            _check_conversation(view, change)
        contents = {digest: content for draft in drafts for digest, content in draft.contents.items()}
        return Draft(change, contents, view.revision)


def _session_addition(request: pb.CommitSessionRequest, incarnation: int) -> Addition:
    if request.session.id != request.session_id:
        problem = f"must be {request.session_id!r} as in the request"
        raise InvalidArgumentError(field="session.id", problem=problem)
    if not request.HasField("base"):
        return replaced_session(request.session, request.messages)
    return continued_session(request.session, request.messages, request.base, incarnation)


def _check_run_sequences(request: pb.CommitSessionRequest) -> None:
    for position, record in enumerate(request.run_records):
        field = f"run_records[{position}]"
        check_rising_sequences(parsed(RUN_RECORD, field, record).events, f"{field}.events")


def _check_conversation(view: View, change: Change) -> None:
    """Check the conversation that the change leads to."""
    stored = view.logs[keys.MESSAGES].records if keys.MESSAGES in view.logs else ()
    splice = change.logs.get(keys.MESSAGES)
    records = (*stored[: splice.keep], *splice.append) if splice else stored
    check_pairing(parsed_all(MESSAGE, "messages", [*map(message_pb2.Message.FromString, records)]))
