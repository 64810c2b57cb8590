"""What a key of the memory backend holds: states that never change, one for each revision that is kept."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from sessionstore.errors import RevisionNotKeptError
from sessionstore_server.backends import checks
from sessionstore_server.backends.base import REVISIONS_KEPT, Change, Commit, Key, LogRange, LogView, Splice, Summary
from sessionstore_server.backends.ledger import Answer

_NEVER = Commit(0, datetime.min.replace(tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Log:
    """The first `length` of `records`, a list to which other states may have appended more."""

    records: list[bytes]
    length: int
    shortened_at: int

    def view(self, span: LogRange) -> LogView:
        """Return a part of it."""
        stop = self.length if span.stop is None else min(span.stop, self.length)
        return LogView(tuple(self.records[span.start : stop]), span.start, self.length, self.shortened_at)


@dataclass(frozen=True, slots=True)
class State:
    """What a key held at one revision."""

    commit: Commit = _NEVER
    documents: Mapping[str, bytes] = field(default_factory=dict)
    logs: Mapping[str, Log] = field(default_factory=dict)
    summary: Summary | None = None
    blobs: frozenset[str] = frozenset()


@dataclass
class Entry:
    """What is known of one key; when it was deleted, only its last commit and its ledger."""

    commit: Commit = _NEVER
    answers: dict[str, Answer] = field(default_factory=dict)
    states: deque[State] = field(default_factory=lambda: deque(maxlen=REVISIONS_KEPT))
    """The revisions that are kept, the oldest first; none when the key is absent."""

    @property
    def present(self) -> State | None:
        """The last state, or None when the key is absent."""
        return self.states[-1] if self.states else None

    @property
    def present_revision(self) -> int:
        """The revision as callers see it: 0 when the key is absent."""
        return self.commit.revision if self.states else 0

    def next_commit(self) -> Commit:
        """Return the commit that follows the last one."""
        return Commit(self.commit.revision + 1, datetime.now(UTC))

    def state_at(self, key: Key, revision: int) -> State:
        """Return the state at a revision of `key`. Errors: RevisionNotKeptError."""
        for state in self.states:
            if state.commit.revision == revision:
                return state
        raise RevisionNotKeptError(key.id, revision)

    def fork(self, origin: State) -> State:
        """Return what a change of this key, which is absent, is applied to when it starts from `origin`."""
        revision = self.commit.revision + 1
        logs = {name: replace(log, shortened_at=revision) for name, log in origin.logs.items()}
        return replace(origin, commit=self.commit, logs=logs)


def check_splices(key: Key, base: State, logs: Mapping[str, Splice | None]) -> None:
    """Refuse splices that do not fit the logs of `base`."""
    for name, splice in logs.items():
        if splice is not None:
            log = base.logs.get(name)
            length = log.length if log else 0
            checks.check_base(key, name, splice, length, log.shortened_at if log else None, base.commit.revision)
            checks.kept_records(name, splice, length)


def changed(base: State, change: Change, commit: Commit) -> State:
    """Return what a change, of which the splices were checked, makes of `base`."""
    gone = checks.removed(list(base.documents), change.documents)
    documents = {name: record for name, record in base.documents.items() if name not in gone}
    documents |= {name: record for name, record in change.documents.items() if record is not None}
    return State(
        commit,
        documents,
        _changed_logs(base, change.logs, commit.revision),
        base.summary if change.summary is None else change.summary,
        base.blobs if change.blobs is None else change.blobs,
    )


def _changed_logs(base: State, splices: Mapping[str, Splice | None], revision: int) -> dict[str, Log]:
    gone = checks.removed(list(base.logs), splices)
    logs = {name: log for name, log in base.logs.items() if name not in gone}
    for name, splice in splices.items():
        if splice is not None:
            logs[name] = _spliced(name, logs.get(name) or Log([], 0, revision), splice, revision)
    return logs


def _spliced(name: str, log: Log, splice: Splice, revision: int) -> Log:
    kept = checks.kept_records(name, splice, log.length)
    # A list that goes on beyond what is kept belongs to other states: to past ones, or to a fork.
    records = log.records if kept == len(log.records) else log.records[:kept]
    records += splice.append
    return Log(records, kept + len(splice.append), log.shortened_at if kept == log.length else revision)
