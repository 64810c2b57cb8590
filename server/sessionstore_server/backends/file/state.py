"""What a key holds: the sum of its commit lines."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import NamedTuple

from sessionstore_server.backends import ledger
from sessionstore_server.backends.base import REVISIONS_KEPT, Commit, Key
from sessionstore_server.backends.file.folder import Stamp
from sessionstore_server.backends.ledger import Answer

_NEVER = datetime.min.replace(tzinfo=UTC)

MARK_DISTANCE_BYTES = 256 * 1024
"""The least distance between two marks of a log."""


@dataclass(slots=True)
class Text:
    """A value as it stands in a commit line."""

    json: str
    line: int
    """The number of the line, from 1, for messages."""
    record: bytes | None = None
    """What it stands for, once somebody has asked."""

    def moved(self, dropped: int) -> "Text":
        """Return the value in a file whose first line tells what so many more lines told."""
        return replace(self, line=max(1, self.line - dropped))


class SummaryText(NamedTuple):
    """A summary as it stands in a commit line."""

    record: Text
    attributes: Mapping[str, str | int]


class Mark(NamedTuple):
    """A position in a log at which everything before it is known."""

    records: int = 0
    size: int = 0
    """In bytes."""
    crc32: int = 0
    """Of all bytes before the position."""


class Segment(NamedTuple):
    """A file with records of a log, and where they end in it."""

    file: str
    end: Mark
    marks: tuple[Mark, ...] = ()
    """Earlier ends, so that a part of a long file can be read and verified without the rest."""
    shared: bool = False
    """Whether the file belongs to the key, too, from which this one was forked: then it is never written."""

    def following(self, before: "Segment | None") -> "Segment":
        """Return this segment with the marks of `before`, which is the same file at the revision before."""
        if before is None:
            return self
        last = before.marks[-1].size if before.marks else 0
        far = before.end.size - last >= MARK_DISTANCE_BYTES
        marks = (*before.marks, before.end) if far else before.marks
        return self._replace(marks=marks) if marks != self.marks else self


class Log(NamedTuple):
    """The files of a log, in the order of its records; only the last one grows."""

    segments: tuple[Segment, ...] = ()
    shortened_at: int = 0

    @property
    def length(self) -> int:
        """The number of records."""
        return sum(segment.end.records for segment in self.segments)

    def following(self, before: "Log | None") -> "Log":
        """Return this log with the marks that `before` has of the same files."""
        known = {segment.file: segment for segment in before.segments} if before else {}
        return self._replace(segments=tuple(segment.following(known.get(segment.file)) for segment in self.segments))


@dataclass(frozen=True, slots=True)
class Entry:
    """One commit line: what a revision changed. The first line of a file tells the whole state and the key."""

    revision: int
    commit_time: datetime
    documents: Mapping[str, str] = field(default_factory=dict)
    removed_documents: tuple[str, ...] = ()
    logs: Mapping[str, Log] = field(default_factory=dict)
    removed_logs: tuple[str, ...] = ()
    summary: str | None = None
    attributes: Mapping[str, str | int] = field(default_factory=dict)
    """Those of the summary."""
    blobs: frozenset[str] | None = None
    key: Key | None = None
    deleted: bool = False
    """Whether everything that was there before is gone."""
    answers: Mapping[str, Answer] = field(default_factory=dict)
    """What the ledger takes up."""


class Position(NamedTuple):
    """How far the commit file was read."""

    inode: int = 0
    end: int = 0
    """The byte after the last valid line."""
    lines: int = 0
    seal: bytes = b""
    """The last bytes before `end`; they tell whether the file still is the one that was read."""


class Kept(NamedTuple):
    """A revision that can still be read."""

    commit: Commit
    files: frozenset[str]
    """The files of its logs."""
    end: int
    """The byte after its commit line."""


@dataclass(slots=True)
class State:
    """Everything under a key. Shared between threads, so only a fresh copy may be changed."""

    key: Key
    revision: int = 0
    commit_time: datetime = _NEVER
    exists: bool = False
    """False before the first commit and after a deletion, of which only the revision and the ledger are left."""
    answers: dict[str, Answer] = field(default_factory=dict)
    """The ledger."""
    documents: dict[str, Text] = field(default_factory=dict)
    logs: dict[str, Log] = field(default_factory=dict)
    summary: SummaryText | None = None
    blobs: frozenset[str] = frozenset()
    kept: tuple[Kept, ...] = ()
    """The history, the oldest first; its last is the present revision."""
    position: Position = field(default_factory=Position)
    torn_bytes: int = 0
    """What an interrupted write left after the last line."""
    stamp: Stamp | None = None
    """Of the commit file that tells this state, if it was seen to have one."""

    @property
    def present_revision(self) -> int:
        """The revision as callers know it: 0 when the key is absent."""
        return self.revision if self.exists else 0

    @property
    def files(self) -> set[str]:
        """The files of logs that any kept revision has."""
        return set().union(*{kept.files for kept in self.kept})

    def copy(self) -> "State":
        """Return a state that can be changed without changing this one."""
        return replace(self, answers=dict(self.answers), documents=dict(self.documents), logs=dict(self.logs))

    def apply(self, entry: Entry, position: Position) -> None:
        """Go on to the next revision, whose line ends at `position`. Errors: ValueError when it does not follow."""
        self._check_follows(entry)
        self.revision = entry.revision
        self.commit_time = entry.commit_time
        self.position = position
        self.torn_bytes = 0
        self.stamp = None
        self.exists = not entry.deleted
        ledger.remember(self.answers, entry.answers)
        if entry.deleted:
            self._empty()
        else:
            self._change(entry)
            self._keep()

    def move(self, position: Position) -> None:
        """Go over to another file, of which the first line tells all that the oldest kept revision holds."""
        dropped = self.position.lines - position.lines
        moved = position.end - self.position.end
        self.position = position
        self.stamp = None
        self.kept = tuple(kept._replace(end=kept.end + moved) for kept in self.kept)
        self.documents = {name: text.moved(dropped) for name, text in self.documents.items()}
        if self.summary:
            self.summary = self.summary._replace(record=self.summary.record.moved(dropped))

    def whole(self) -> Entry:
        """Return the one entry that tells all of this state."""
        return Entry(
            self.revision,
            self.commit_time,
            documents={name: text.json for name, text in self.documents.items()},
            logs=self.logs,
            summary=self.summary.record.json if self.summary else None,
            attributes=self.summary.attributes if self.summary else {},
            blobs=self.blobs,
            key=self.key,
            deleted=not self.exists,
            answers=self.answers,
        )

    def live_bytes(self) -> int:
        """Estimate the size of the line that tells the whole state."""
        segments = [segment for log in self.logs.values() for segment in log.segments]
        texts = sum(len(name) + len(text.json) for name, text in self.documents.items())
        summary = len(self.summary.record.json) if self.summary else 0
        logs = 70 * len(self.logs) + sum(100 + 60 * len(segment.marks) for segment in segments)
        answers = 180 * len(self.answers) + sum(map(len, self.answers))
        return 200 + texts + summary + logs + answers + 70 * len(self.blobs)

    def _check_follows(self, entry: Entry) -> None:
        if self.revision and entry.revision != self.revision + 1:
            raise ValueError(f"revision {entry.revision} follows {self.revision}")
        if not self.revision and entry.key != self.key:
            raise ValueError(f"it belongs to another key: {entry.key}")

    def _change(self, entry: Entry) -> None:
        line = self.position.lines
        for name in entry.removed_documents:
            self.documents.pop(name, None)
        for name in entry.removed_logs:
            self.logs.pop(name, None)
        self.documents.update((name, Text(text, line)) for name, text in entry.documents.items())
        self.logs.update((name, log.following(self.logs.get(name))) for name, log in entry.logs.items())
        if entry.summary is not None:
            self.summary = SummaryText(Text(entry.summary, line), entry.attributes)
        if entry.blobs is not None:
            # A revision of which a blob may be gone cannot be read any more.
            self.kept = () if self.blobs - entry.blobs else self.kept
            self.blobs = entry.blobs

    def _keep(self) -> None:
        files = files_of(self.logs)
        # Most revisions have the files of the one before, and share the set.
        if self.kept and self.kept[-1].files == files:
            files = self.kept[-1].files
        now = Kept(Commit(self.revision, self.commit_time), files, self.position.end)
        self.kept = (*self.kept, now)[-REVISIONS_KEPT:]

    def _empty(self) -> None:
        self.kept = ()
        self.documents.clear()
        self.logs.clear()
        self.summary = None
        self.blobs = frozenset()


def files_of(logs: Mapping[str, Log]) -> frozenset[str]:
    """Return the files that hold these logs."""
    return frozenset([segment.file for log in logs.values() for segment in log.segments])
