"""What commits have to know of a key, and what this process remembers of it."""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

import asyncpg

from sessionstore_server.backends import checks
from sessionstore_server.backends.base import REQUESTS_KEPT, REVISIONS_KEPT, Commit, Key
from sessionstore_server.backends.ledger import Answer

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Log:
    """Where the records of a log are: in segments, each up to a position in the log (None: the segment is open)."""

    shortened_at: int
    length: int = 0
    segments: tuple[UUID, ...] = ()
    stops: tuple[int | None, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether the last segment takes more records."""
        return bool(self.stops) and self.stops[-1] is None

    def closed_at(self, length: int, shortened_at: int) -> "Log":
        """Return the first `length` records, to which no segment is open."""
        segments: list[UUID] = []
        stops: list[int] = []
        for segment, stop in zip(self.segments, self.stops, strict=True):
            if (stops[-1] if stops else 0) >= length:
                break
            segments.append(segment)
            stops.append(length if stop is None else min(stop, length))
        return Log(shortened_at, length, tuple(segments), tuple(stops))


@dataclass(frozen=True, slots=True)
class State:
    """A key at one revision; never changed, since others may hold it."""

    key_id: UUID
    revision: int
    commit_time: datetime
    present: bool
    summarized: bool
    started_at: int
    """The first revision since the key was last absent."""
    kept_from: int
    """The first revision that may be read again."""
    logs: Mapping[str, Log] = field(default_factory=dict)
    blobs: frozenset[str] = frozenset()
    answers: Mapping[str, Answer] = field(default_factory=dict)
    """The ledger."""
    tokens: Mapping[UUID, Answer] = field(default_factory=dict)
    """The commits that were found, by their tokens; those that this process made later are missing."""

    @property
    def present_revision(self) -> int:
        """The revision as callers see it: 0 when the key is absent."""
        return self.revision if self.present else 0

    def is_kept(self, revision: int) -> bool:
        """Tell whether the key can be read at a revision."""
        return self.present and is_kept(revision, self.revision, self.kept_from)


def is_kept(revision: int, present_revision: int, kept_from: int) -> bool:
    """Tell whether a revision is in the history of a key that is present."""
    return max(kept_from, present_revision - REVISIONS_KEPT + 1) <= revision <= present_revision


def stored(number: int | None) -> int:
    """Return a revision or a position as far as the database can count, which nothing reaches; None is the end."""
    return checks.MAX_NUMBER if number is None else min(number, checks.MAX_NUMBER)


def key_and_state(row: asyncpg.Record) -> tuple[Key, State]:
    """Return what a row of the statement `states` tells."""
    key = Key(row["namespace"], row["collection"], row["id"])
    answers, tokens = _commits(row)
    state = State(
        row["key_id"],
        row["revision"],
        row["commit_time"],
        row["present"],
        row["summarized"],
        row["started_at"],
        row["kept_from"],
        _logs(row),
        frozenset(row["blobs"]),
        answers,
        tokens,
    )
    return key, state if state.present else replace(state, logs={}, blobs=frozenset())


def name_id(name: str) -> UUID:
    """Return what stands for a name of a document or log in indexes, which take no long text."""
    return UUID(bytes=hashlib.sha256(name.encode()).digest()[:16])


class Recent(Generic[K, V]):
    """The values that were used last, up to a number."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """Return a value, or None when it was not kept."""
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def keep(self, key: K, value: V) -> None:
        """Keep a value, and drop the one that was not used for the longest time when there are too many."""
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._limit:
            self._values.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        self._values.clear()

    def drop(self, key: K) -> None:
        """Forget a value, if it is known."""
        self._values.pop(key, None)


def _commits(row: asyncpg.Record) -> tuple[dict[str, Answer], dict[UUID, Answer]]:
    answers: dict[str, Answer] = {}
    tokens: dict[UUID, Answer] = {}
    names = ("commit_revisions", "commit_times", "tokens", "request_ids", "digests", "existed")
    for revision, time, token, request_id, digest, existed in zip(*(row[name] or () for name in names), strict=True):
        tokens[token] = Answer(digest or "", Commit(revision, time), existed)
        if request_id is not None:
            answers[request_id] = tokens[token]
    return dict(list(answers.items())[-REQUESTS_KEPT:]), tokens


def _logs(row: asyncpg.Record) -> dict[str, Log]:
    columns = (row[name] or () for name in ("log_names", "shortened_at", "lengths", "segments", "stops"))
    return {
        name.decode(): Log(
            shortened_at,
            length,
            tuple(UUID(segment) for segment in _elements(segments)),
            tuple(None if stop == "NULL" else int(stop) for stop in _elements(stops)),
        )
        for name, shortened_at, length, segments, stops in zip(*columns, strict=True)
    }


def _elements(array: str) -> list[str]:
    """Return the elements of an array as PostgreSQL writes it."""
    return array[1:-1].split(",") if array != "{}" else []
