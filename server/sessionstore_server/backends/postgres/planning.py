"""From a write and the state of its key to the rows that carry it out. Nothing here waits, or asks the database."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID, uuid4

from sessionstore.errors import RevisionConflictError, RevisionNotKeptError
from sessionstore_server.backends import checks, ledger
from sessionstore_server.backends.base import Change, Commit, Guard, Key, Request, Splice, Summary
from sessionstore_server.backends.ledger import Answer
from sessionstore_server.backends.postgres.states import Log, State

SUMMARY_NAME = ""
"""The document that is the summary, so that a fork finds it as it was; callers cannot name it."""


@dataclass(frozen=True, slots=True)
class Write:
    """What a caller asked for."""

    key: Key
    change: Change | None
    """None: a deletion."""
    expected_revision: int | None
    request: Request | None
    guard: Guard | None
    token: UUID = field(default_factory=uuid4)
    """Of this call, the same for each attempt."""

    @property
    def needs_row(self) -> bool:
        """Whether something has to be stored even if the key is absent."""
        return self.change is not None or self.request is not None

    @property
    def size(self) -> int:
        """About how many bytes it writes."""
        if self.change is None:
            return 0
        documents = sum(len(record) for record in self.change.documents.values() if record)
        return documents + sum(sum(map(len, splice.append)) for splice in self.change.logs.values() if splice)


@dataclass(frozen=True, slots=True)
class Source:
    """What a fork starts from: another key at one revision."""

    state: State
    """The present state, but with the logs and blobs of that revision."""
    revision: int
    summary: Summary | None


@dataclass(frozen=True, slots=True)
class Facts:
    """What else has to be known for some writes."""

    guard: tuple[UUID, int] | None = None
    """The key that holds what the guard of the write asks for, and its revision; None: there is no guard."""
    source: Source | None = None
    """None: the change has no origin, or it cannot be read."""
    document_names: Sequence[str] = ()
    """The documents of the key, or of the source of a fork, when some are removed by a prefix."""
    missing_blobs: frozenset[str] = frozenset()
    """Of those that the change refers to."""


@dataclass(slots=True)
class Plan:
    """The rows of one commit, and the state that follows."""

    write: Write
    before: State
    after: State
    """Without the commit time, and what the ledger has of it."""
    existed: bool | None = None
    documents: dict[str, bytes | None] = field(default_factory=dict)
    logs: dict[str, Log | None] = field(default_factory=dict)
    """Those of which the segments change; an append to an open segment is no change."""
    segments: set[UUID] = field(default_factory=set)
    """What the key has in its logs from now on."""
    records: list[tuple[UUID, int, Sequence[bytes]]] = field(default_factory=list)
    """Segment, first position, records."""
    references: dict[str, bool] = field(default_factory=dict)
    """Whether the key refers to a blob from now on."""
    summary: Summary | None = None
    guards: list[tuple[UUID, int]] = field(default_factory=list)
    """The revisions at which other keys have to stay until this is committed."""
    source: Source | None = None

    @property
    def leaves_rest(self) -> bool:
        """Whether to remove at once what nobody needs any more, and every so often anyway."""
        return not self.after.present or not all(self.references.values())

    def answer(self, commit: Commit) -> Answer:
        """Return how the write is answered."""
        return Answer(self.write.request.digest if self.write.request else "", commit, self.existed)

    def state(self, commit: Commit) -> State:
        """Return the state once this is committed."""
        answers = dict(self.before.answers)
        ledger.remember(answers, ledger.answer_to(self.write.request, commit, self.existed))
        return replace(self.after, commit_time=commit.commit_time, answers=answers, tokens={})


def known_answer(write: Write, state: State | None) -> Answer | None:
    """Return the answer to a write that was carried out before, or has nothing to do; else None.

    Errors: RequestIdReusedError, RevisionConflictError.
    """
    if state and write.token in state.tokens:
        return state.tokens[write.token]
    answers: Mapping[str, Answer] = state.answers if state else {}
    past = ledger.past_deletion if write.change is None else ledger.past_commit
    if write.request and past(answers, write.request) is not None:
        return answers[write.request.id]
    checks.check_revision(write.key, write.expected_revision, state.present_revision if state else 0)
    return None


def planned(write: Write, state: State, facts: Facts) -> Plan:
    """Return how to carry out a write to which no answer is known. Errors: those of `Backend.commit`."""
    if write.change is None:
        return _deletion(write, state, facts)
    _check_facts(write.key, write.change, state, facts)
    revision = state.revision + 1
    base = _base(state, facts.source)
    after = replace(
        base,
        revision=revision,
        present=True,
        summarized=base.summarized or write.change.summary is not None,
        started_at=state.started_at if state.present else revision,
        kept_from=state.kept_from if state.present else revision,
    )
    plan = Plan(write, state, after, source=facts.source)
    plan.guards += [facts.guard] if facts.guard else []
    plan.guards += [(facts.source.state.key_id, facts.source.state.revision)] if facts.source else []
    _plan_documents(plan, write.change, facts)
    _plan_logs(plan, base.logs, write.change.logs)
    _plan_blobs(plan, base.blobs if write.change.blobs is None else write.change.blobs)
    return plan


def _deletion(write: Write, state: State, facts: Facts) -> Plan:
    after = replace(state, revision=state.revision + 1, present=False, summarized=False, logs={}, blobs=frozenset())
    plan = Plan(write, state, after, existed=state.present, references=dict.fromkeys(state.blobs, False))
    plan.guards += [facts.guard] if facts.guard else []
    return plan


def _check_facts(key: Key, change: Change, state: State, facts: Facts) -> None:
    if change.origin and state.present:
        raise RevisionConflictError(key.id, 0, state.revision)
    if change.origin and facts.source is None:
        raise RevisionNotKeptError(change.origin.key.id, change.origin.revision)
    base = _base(state, facts.source)
    for name, splice in change.logs.items():
        if splice is not None:
            log = base.logs.get(name)
            length = log.length if log else 0
            checks.check_base(key, name, splice, length, log.shortened_at if log else None, state.present_revision)
            checks.kept_records(name, splice, length)
    if facts.missing_blobs:
        raise checks.unknown_blobs(facts.missing_blobs)


def _base(state: State, source: Source | None) -> State:
    """Return what a change is applied to."""
    if source is None:
        return state
    logs = {name: log.closed_at(log.length, state.revision + 1) for name, log in source.state.logs.items()}
    return replace(state, logs=logs, blobs=source.state.blobs, summarized=source.summary is not None)


def _plan_documents(plan: Plan, change: Change, facts: Facts) -> None:
    plan.documents.update(change.documents)
    plan.documents.update(dict.fromkeys(checks.removed(facts.document_names, change.documents)))
    plan.summary = change.summary or (facts.source.summary if facts.source else None)
    if change.summary:
        plan.documents[SUMMARY_NAME] = _packed(change.summary)


def _plan_logs(plan: Plan, before: Mapping[str, Log], splices: Mapping[str, Splice | None]) -> None:
    revision = plan.after.revision
    gone = checks.removed(list(before), splices)
    after = {name: log for name, log in before.items() if name not in gone}
    for name, splice in splices.items():
        if splice is not None:
            log = after.get(name) or Log(shortened_at=revision)
            kept = checks.kept_records(name, splice, log.length)
            log = log if kept == log.length else log.closed_at(kept, revision)
            after[name] = _appended(plan, log, splice.append)
    plan.after = replace(plan.after, logs=after)
    if plan.source:
        plan.segments.update(segment for log in after.values() for segment in log.segments)
        plan.logs.update(after)
        return
    plan.logs.update(dict.fromkeys(gone))
    plan.logs.update(
        (name, after[name])
        for name, splice in splices.items()
        if splice is not None and not (name in before and _same_layout(before[name], after[name]))
    )


def _appended(plan: Plan, log: Log, records: Sequence[bytes]) -> Log:
    if not records:
        return log
    if not log.is_open:
        log = replace(log, segments=(*log.segments, uuid4()), stops=(*log.stops, None))
        plan.segments.add(log.segments[-1])
    plan.records.append((log.segments[-1], log.length, records))
    return replace(log, length=log.length + len(records))


def _same_layout(before: Log, after: Log) -> bool:
    return (before.shortened_at, before.segments, before.stops) == (after.shortened_at, after.segments, after.stops)


def _plan_blobs(plan: Plan, blobs: frozenset[str]) -> None:
    plan.references.update(dict.fromkeys(blobs - plan.before.blobs, True))
    given_up = plan.before.blobs - blobs
    plan.references.update(dict.fromkeys(given_up, False))
    plan.after = replace(plan.after, blobs=blobs, kept_from=plan.after.revision if given_up else plan.after.kept_from)


def _packed(summary: Summary) -> bytes:
    return json.dumps(dict(summary.attributes), ensure_ascii=False).encode() + b"\n" + summary.record


def unpacked(content: bytes) -> Summary:
    """Return the summary that a document holds."""
    attributes, _, record = content.partition(b"\n")
    return Summary(record, json.loads(attributes))
