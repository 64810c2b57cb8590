"""What a key holds: the sum of its commit lines."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import NamedTuple

from sessionstore_server.backends import ledger
from sessionstore_server.backends.base import Key
from sessionstore_server.backends.ledger import Answer

_NEVER = datetime.min.replace(tzinfo=UTC)

MARK_DISTANCE_BYTES = 256 * 1024
"""The least distance between two marks of a log."""


class Text(NamedTuple):
    """A value as it stands in a commit line."""

    json: str
    line: int
    """The number of the line, from 1, for messages."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A position in a log at which everything before it is known."""

    records: int = 0
    size: int = 0
    """In bytes."""
    crc32: int = 0
    """Of all bytes before the position."""


@dataclass(frozen=True, slots=True)
class Log:
    """The file that holds a log, and where the log ends in it."""

    file: str
    end: Mark
    shortened_at: int = 0
    marks: tuple[Mark, ...] = ()
    """Earlier ends, so that a part of a long log can be read and verified without the rest."""

    def following(self, before: "Log | None") -> "Log":
        """Return this log with the marks of `before`, if it goes on in the same file."""
        if before is None or before.file != self.file:
            return self
        last = before.marks[-1].size if before.marks else 0
        far = before.end.size - last >= MARK_DISTANCE_BYTES
        return replace(self, marks=(*before.marks, before.end) if far else before.marks)


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
    summary: Text | None = None
    blobs: frozenset[str] = frozenset()
    position: Position = field(default_factory=Position)
    torn_bytes: int = 0
    """What an interrupted write left after the last line."""

    @property
    def present_revision(self) -> int:
        """The revision as callers know it: 0 when the key is absent."""
        return self.revision if self.exists else 0

    def copy(self) -> "State":
        """Return a state that can be changed without changing this one."""
        return replace(self, answers=dict(self.answers), documents=dict(self.documents), logs=dict(self.logs))

    def apply(self, entry: Entry, position: Position) -> None:
        """Go on to the next revision, whose line ends at `position`. Errors: ValueError when it does not follow."""
        if self.revision and entry.revision != self.revision + 1:
            raise ValueError(f"revision {entry.revision} follows {self.revision}")
        if not self.revision and entry.key != self.key:
            raise ValueError(f"it belongs to another key: {entry.key}")
        self.revision = entry.revision
        self.commit_time = entry.commit_time
        self.position = position
        self.torn_bytes = 0
        self.exists = not entry.deleted
        ledger.remember(self.answers, entry.answers)
        if entry.deleted:
            self._empty()
        for name in entry.removed_documents:
            self.documents.pop(name, None)
        for name in entry.removed_logs:
            self.logs.pop(name, None)
        self.documents.update((name, Text(text, position.lines)) for name, text in entry.documents.items())
        self.logs.update((name, log.following(self.logs.get(name))) for name, log in entry.logs.items())
        if entry.summary is not None:
            self.summary = Text(entry.summary, position.lines)
        if entry.blobs is not None:
            self.blobs = entry.blobs

    def whole(self) -> Entry:
        """Return the one entry that tells all of this state."""
        return Entry(
            self.revision,
            self.commit_time,
            documents={name: text.json for name, text in self.documents.items()},
            logs=self.logs,
            summary=self.summary.json if self.summary else None,
            blobs=self.blobs,
            key=self.key,
            deleted=not self.exists,
            answers=self.answers,
        )

    def live_bytes(self) -> int:
        """Estimate the size of the line that tells the whole state."""
        texts = sum(len(name) + len(text.json) for name, text in self.documents.items())
        summary = len(self.summary.json) if self.summary else 0
        logs = sum(150 + 60 * len(log.marks) for log in self.logs.values())
        answers = sum(180 + len(id_) for id_ in self.answers)
        return 200 + texts + summary + logs + answers + 70 * len(self.blobs)

    def _empty(self) -> None:
        self.documents.clear()
        self.logs.clear()
        self.summary = None
        self.blobs = frozenset()
