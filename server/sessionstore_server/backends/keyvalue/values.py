"""What stands in the space as JSON, and how it is written and read back."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import NamedTuple, TypeVar

from sessionstore.errors import DataCorruptionError, RevisionNotKeptError
from sessionstore_server.backends.base import REVISIONS_KEPT, Commit, FeedEntry, Key, Summary
from sessionstore_server.backends.ledger import Answer

T = TypeVar("T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NEVER = Commit(0, _EPOCH)


@dataclass(frozen=True, slots=True)
class Head:
    """What is known of a key at once."""

    commit: Commit = _NEVER
    """The last one."""
    history: tuple[Commit, ...] = ()
    """The revisions that can be read, the present one last; none when the key is absent."""
    summary: bytes | None = None
    """A copy of the item, so that a list reads heads only."""

    @property
    def revision(self) -> int:
        """The revision as callers see it: 0 when the key is absent."""
        return self.commit.revision if self.history else 0

    def at(self, key: Key, revision: int | None) -> Commit:
        """Return the commit of a revision, None standing for the present. Errors: RevisionNotKeptError."""
        for commit in reversed(self.history):
            if revision in (None, commit.revision):
                return commit
        raise RevisionNotKeptError(key.id, revision or 0)

    def next_commit(self) -> Commit:
        """Return the commit that follows the last one."""
        return Commit(self.commit.revision + 1, datetime.now(UTC))

    def followed_by(self, commit: Commit, summary: bytes | None, *, anew: bool) -> "Head":
        """Return the head after a commit, which, `anew`, starts the history."""
        return Head(commit, (() if anew else self.history[1 - REVISIONS_KEPT :]) + (commit,), summary)


DAMAGED = Head(history=(_NEVER,))
"""The head of a key that can only be deleted: something is there, and its revision starts anew."""


class Segment(NamedTuple):
    """A row of records that never change, of which a log has the first `size`; logs may share it."""

    id: str
    size: int


@dataclass(frozen=True, slots=True)
class Log:
    """A log: the records of its segments, one after the other."""

    segments: tuple[Segment, ...]
    shortened_at: int
    is_open: bool
    """The last segment ends with the log and belongs to nobody else, so that more may be added to it."""

    @property
    def length(self) -> int:
        """The number of records."""
        return sum(segment.size for segment in self.segments)

    def cut(self, length: int, revision: int) -> "Log":
        """Return what a commit leaves that keeps the first `length` records."""
        if length == self.length:
            return self
        segments = []
        for segment in self.segments:
            segments.append(segment._replace(size=min(segment.size, length)))
            length -= segments[-1].size
        return Log(tuple(segment for segment in segments if segment.size), revision, is_open=False)

    def shared(self, revision: int) -> "Log":
        """Return the log with which a fork starts."""
        return replace(self, shortened_at=revision, is_open=False)


@dataclass(frozen=True, slots=True)
class Blob:
    """Where the bytes of a blob, or of its unfinished upload, are."""

    content: str
    size: int
    touched_at: float
    """When it was last stored or extended, in seconds since 1970."""


def _told(read: Callable[[bytes], T]) -> Callable[[bytes, str], T]:
    """Let what cannot be read be a DataCorruptionError that names its owner."""

    @wraps(read)
    def told(text: bytes, owner: str) -> T:
        try:
            return read(text)
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            subject = read.__name__.removeprefix("read_")
            raise DataCorruptionError(f"the {subject} of {owner!r}", f"{text[:80]!r} is none") from error

    return told


def write_head(head: Head) -> bytes:
    """Return a head as it is stored: facts on one line, and the summary, if there is one."""
    facts = _text(
        revision=head.commit.revision,
        time=_number(head.commit.commit_time),
        history=[_number(commit.commit_time) for commit in head.history],
    )
    return facts if head.summary is None else facts + b"\n" + head.summary


@_told
def read_head(text: bytes) -> Head:
    """Return a head that was stored."""
    facts, line_end, summary = text.partition(b"\n")
    found = json.loads(facts)
    last, times = found["revision"], found["history"]
    history = tuple(Commit(last - len(times) + count, _time(time)) for count, time in enumerate(times, start=1))
    return Head(Commit(last, _time(found["time"])), history, summary if line_end else None)


def write_log(log: Log) -> bytes:
    """Return a log as it is stored."""
    return _text(segments=log.segments, shortened_at=log.shortened_at, is_open=log.is_open)


@_told
def read_log(text: bytes) -> Log:
    """Return a log that was stored."""
    found = json.loads(text)
    segments = tuple(Segment(id_, size) for id_, size in found["segments"])
    return Log(segments, found["shortened_at"], found["is_open"])


def write_summary(summary: Summary) -> bytes:
    """Return a summary as it is stored: its attributes on one line, and its record."""
    return _text(**summary.attributes) + b"\n" + summary.record


@_told
def read_summary(text: bytes) -> Summary:
    """Return a summary that was stored."""
    attributes, _, record = text.partition(b"\n")
    found: Mapping[str, str | int] = json.loads(attributes)
    return Summary(record, found)


def write_answer(request_id: str, answer: Answer) -> bytes:
    """Return an answer of the ledger as it is stored."""
    commit = answer.commit
    return _text(
        id=request_id,
        digest=answer.digest,
        revision=commit.revision,
        time=_number(commit.commit_time),
        existed=answer.existed,
    )


@_told
def read_answer(text: bytes) -> tuple[str, Answer]:
    """Return an answer that was stored, with the id of its request before it."""
    found = json.loads(text)
    commit = Commit(found["revision"], _time(found["time"]))
    return found["id"], Answer(found["digest"], commit, found["existed"])


def write_blob(blob: Blob) -> bytes:
    """Return the description of a blob as it is stored."""
    return _text(content=blob.content, size=blob.size, touched_at=blob.touched_at)


@_told
def read_blob(text: bytes) -> Blob:
    """Return the description of a blob that was stored."""
    return Blob(**json.loads(text))


def write_entry(entry: FeedEntry) -> bytes:
    """Return an entry of a feed as it is stored."""
    return _text(id=entry.id, revision=entry.revision, time=_number(entry.commit_time), deleted=entry.deleted)


@_told
def read_entry(text: bytes) -> FeedEntry:
    """Return an entry of a feed that was stored."""
    found = json.loads(text)
    return FeedEntry(found["id"], found["revision"], _time(found["time"]), found["deleted"])


def write_number(number: int) -> bytes:
    """Return a number as it is stored."""
    return b"%d" % number


@_told
def read_number(text: bytes) -> int:
    """Return a number that was stored."""
    return int(text)


def _text(**facts: object) -> bytes:
    return json.dumps(facts, separators=(",", ":"), ensure_ascii=False).encode()


def _number(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND


def _time(number: int) -> datetime:
    return _EPOCH + number * _MICROSECOND
