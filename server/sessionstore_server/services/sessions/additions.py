"""What a commit adds to a session, part by part.

A part is checked when it is made, as far as that is possible without what is stored. It says what it has to see of the
session, and drafts its change of that.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sessionstore.errors import InvalidArgumentError, StaleBaseError
from sessionstore.v1 import artifact_pb2, message_pb2, session_pb2, subagent_pb2
from sessionstore.wire.records import MESSAGE, SUBAGENT_TASK
from sessionstore_server.backends.base import Backend, Change, LogRange, Splice, View
from sessionstore_server.services import keys
from sessionstore_server.services.checks import checked_all
from sessionstore_server.services.records.artifact import upserted_artifacts
from sessionstore_server.services.replacing import Draft, Wanted
from sessionstore_server.services.sessions.session import begins_with, wanted_session
from sessionstore_server.services.sessions.summaries import summary_of

LENGTH_ONLY = LogRange(0, 0)
"""Shows how long a log is, and nothing of it."""


@dataclass(frozen=True, slots=True)
class Addition:
    """A part of a commit."""

    draft: Callable[[View], Awaitable[Draft]]
    """Return the change of a session that holds what a view shows. Errors: InvalidArgumentError, StaleBaseError."""
    documents: Sequence[str] = ()
    """What the view has to show; so `logs`."""
    logs: Mapping[str, LogRange] = field(default_factory=dict)


def replaced_session(session: session_pb2.SessionData, messages: Sequence[message_pb2.Message]) -> Addition:
    """Replace the session, with its whole conversation."""
    wanted = wanted_session(session, messages)

    async def draft(view: View) -> Draft:
        return Draft(wanted.difference(view))

    return Addition(draft, (keys.SESSION,), {keys.MESSAGES: LogRange()})


def continued_session(
    session: session_pb2.SessionData,
    messages: Sequence[message_pb2.Message],
    base: session_pb2.HeldMessages,
    incarnation: int,
) -> Addition:
    """Replace the session; its conversation begins with what the caller holds of it, and goes on with `messages`."""
    wanted = wanted_session(session, messages, base.message_count)
    splice = Splice(wanted.logs[keys.MESSAGES], keep=base.message_count)

    async def draft(view: View) -> Draft:
        if base.instance != incarnation or not begins_with(view, base):
            raise StaleBaseError(id=session.id, log=keys.MESSAGES)
        return Draft(Change(wanted.documents, {keys.MESSAGES: splice}, wanted.summary))

    return Addition(draft, logs={keys.MESSAGES: LENGTH_ONLY})


def added_messages(messages: Sequence[message_pb2.Message]) -> Addition:
    """Add messages to the conversation of a stored session."""
    records = checked_all(MESSAGE, "messages", messages)

    async def draft(view: View) -> Draft:
        if keys.SESSION not in view.documents:
            problem = "the session was never saved, so they cannot be added to it: send it along"
            raise InvalidArgumentError(field="messages", problem=problem)
        session = session_pb2.SessionData.FromString(view.documents[keys.SESSION])
        summary = summary_of(session, view.logs[keys.MESSAGES].length + len(records))
        return Draft(Change(logs={keys.MESSAGES: Splice(records)}, summary=summary))

    return Addition(draft, (keys.SESSION,), {keys.MESSAGES: LENGTH_ONLY})


def added_records(log: str, records: Sequence[bytes]) -> Addition:
    """Add records to the end of a log."""

    async def draft(_: View) -> Draft:
        return Draft(Change(logs={log: Splice(records)}))

    return Addition(draft)


def replaced_artifacts(
    backend: Backend,
    artifacts: Sequence[artifact_pb2.ToolArtifact],
    references: Sequence[artifact_pb2.ArtifactReference],
) -> Addition:
    """Replace the artifact of each uri, or add it to the end."""

    async def draft(view: View) -> Draft:
        kept = await upserted_artifacts(backend, view.documents.get(keys.ARTIFACTS), artifacts, references)
        return Draft(Change({keys.ARTIFACTS: kept.record}, blobs=kept.blobs), kept.contents)

    return Addition(draft, (keys.ARTIFACTS,))


def replaced_tasks(tasks: Sequence[subagent_pb2.SubagentTaskSnapshot]) -> Addition:
    """Replace the task of each id, the last one if several have it, or add it to the end."""
    records = checked_all(SUBAGENT_TASK, "subagent_tasks", tasks)

    async def draft(view: View) -> Draft:
        stored = view.logs[keys.SUBAGENT_TASKS].records if keys.SUBAGENT_TASKS in view.logs else ()
        places = {_task_id(record): place for place, record in enumerate(stored)}
        result = list(stored)
        for record, task in zip(records, tasks, strict=True):
            place = places.setdefault(task.task_id, len(result))
            result[place : place + 1] = [record]
        return Draft(Wanted(logs={keys.SUBAGENT_TASKS: result}).difference(view))

    return Addition(draft, logs={keys.SUBAGENT_TASKS: LogRange()})


def _task_id(record: bytes) -> str:
    return subagent_pb2.SubagentTaskSnapshot.FromString(record).task_id
