"""Commits of any mix of what belongs to a session."""

from collections.abc import Mapping, Sequence

from typing_extensions import override

from sessionstore.adapter.calls import Conditions
from sessionstore.adapter.conversation import ConversationCalls
from sessionstore.errors import InvalidArgumentError
from sessionstore.model import Message, RunEventRecord
from sessionstore.store import SessionChange
from sessionstore.store.sessions import SessionOperations
from sessionstore.v1 import commit_pb2
from sessionstore.wire import methods, records
from sessionstore.wire.requests import build


class CommitCalls(ConversationCalls, SessionOperations):
    """`SessionOperations.commit` as a call."""

    @override
    async def commit(
        self,
        session_id: str,
        change: SessionChange,
        *,
        expected_revision: int | None = None,
        lease_epoch: int | None = None,
        check_pairing: bool = False,
    ) -> int:
        conditions = Conditions(expected_revision, lease_epoch)
        others = {"check_pairing": check_pairing, **_sent_records(change)}
        if change.session is None:
            return await self._add_messages(session_id, change.messages, conditions, **others)
        if change.messages:
            problem = "are added to the stored session: put them into the session that replaces it"
            raise InvalidArgumentError(field="change.messages", problem=problem)
        return await self._send_session(
            methods.COMMIT_SESSION, change.session, conditions, session_id=session_id, **others
        )

    async def _add_messages(
        self, session_id: str, messages: Sequence[Message], conditions: Conditions, **others: object
    ) -> int:
        sent = records.MESSAGE.all_to_proto("messages", messages)
        response = await self._write(methods.COMMIT_SESSION, conditions, session_id=session_id, messages=sent, **others)
        size = sum(message.ByteSize() for message in sent)
        self._conversations.extend(session_id, response.revision, messages, size, response.instance)
        return response.revision


def _sent_records(change: SessionChange) -> dict[str, object]:
    return {
        "trace_events": records.TRACE_EVENT.all_to_proto("trace_events", change.trace_events),
        "run_records": records.RUN_RECORD.all_to_proto("run_records", change.run_records),
        "run_events": _sent_run_events(change.run_events),
        "verification_reports": records.VERIFICATION_REPORT.all_to_proto(
            "verification_reports", change.verification_reports
        ),
        "artifacts": records.ARTIFACT.all_to_proto("artifacts", change.artifacts),
        "artifact_references": records.ARTIFACT_REFERENCE.all_to_proto(
            "artifact_references", change.artifact_references
        ),
        "subagent_tasks": records.SUBAGENT_TASK.all_to_proto("subagent_tasks", change.subagent_tasks),
    }


def _sent_run_events(run_events: Mapping[str, Sequence[RunEventRecord]]) -> list[commit_pb2.RunEvents]:
    return [
        build(
            commit_pb2.RunEvents,
            run_id=run_id,
            events=records.RUN_EVENT.all_to_proto(f"run_events[{position}].events", events),
        )
        for position, (run_id, events) in enumerate(run_events.items())
    ]
