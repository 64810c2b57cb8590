"""What an import or export did, for people and for programs."""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field

Progress = Callable[[int, int], None]
"""Is told how many of how many steps are done."""

SNAPSHOTS = "snapshots"
"""Counts the sessions that are one document with all their records; other sessions count as `sessions`."""


@dataclass(frozen=True, slots=True, order=True)
class Note:
    """Why something did not come over. `subject` is a path inside the folder, or a kind and an id in the store."""

    subject: str
    reason: str


@dataclass(slots=True)
class Report:
    """The outcome of an import or export; two of the same folder or store are equal."""

    action: str
    """What was done: `imported` or `exported`."""
    documents: dict[str, int] = field(default_factory=dict)
    """How many documents came over, by kind; a document holds all records of its kind that a session has."""
    skipped: list[Note] = field(default_factory=list)
    """What should have come over and did not, sorted."""
    left_alone: list[Note] = field(default_factory=list)
    """What is not data, or no longer counts, sorted."""

    def count(self, kind: str) -> None:
        """Count one document that came over."""
        self.documents[kind] = self.documents.get(kind, 0) + 1

    def skip(self, subject: object, reason: str) -> None:
        """Note something that should have come over."""
        self.skipped.append(_note(subject, reason))

    def leave_alone(self, subject: object, reason: str) -> None:
        """Note something that was not meant to come over."""
        self.left_alone.append(_note(subject, reason))

    def sort(self) -> None:
        """Bring everything into an order that depends on nothing else."""
        self.documents = dict(sorted(self.documents.items()))
        self.skipped.sort()
        self.left_alone.sort()

    def to_json(self) -> str:
        """Return the report as an object with the names of the attributes."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=2)

    def __str__(self) -> str:
        counts = [f"  {kind.replace('_', ' ')}: {number}" for kind, number in self.documents.items()]
        lines = (f"{self.action}:", *(counts or ["  nothing"]))
        return "\n".join((*lines, *_lines("skipped", self.skipped), *_lines("left alone", self.left_alone)))


def _note(subject: object, reason: str) -> Note:
    return Note(_printable(str(subject)), _printable(reason))


def _printable(text: str) -> str:
    # Names of files may hold anything, also what a terminal would obey or what is not Unicode.
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _lines(title: str, notes: Iterable[Note]) -> tuple[str, ...]:
    lines = tuple(f"  {note.subject}: {note.reason}" for note in notes)
    return (f"{title}:", *lines) if lines else ()
