"""What copying and verifying found, for people and for programs."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

from sessionstore.interchange.report import Note


@dataclass(slots=True)
class _Tally:
    """What was counted."""

    items: int = 0
    """How many sessions and checkpoints; records whose session was never saved count as one."""
    records: dict[str, int] = field(default_factory=dict)
    """How many records they have, by kind."""
    bytes: int = 0
    """How many bytes they have, as JSON and as content of artifacts."""

    def count(self, records: Mapping[str, int], size: int) -> None:
        """Count one more, with its records and its size in bytes."""
        self.items += 1
        self.bytes += size
        for kind, number in records.items():
            self.records[kind] = self.records.get(kind, 0) + number

    def to_json(self) -> str:
        """Return the report as an object with the names of the attributes."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=2)

    def _lines(self, verb: str) -> Iterable[str]:
        yield f"{verb}: {self.items} sessions and checkpoints, {self.bytes:,} bytes"
        for kind, number in sorted(self.records.items()):
            yield f"  {kind.replace('_', ' ')}: {number}"


@dataclass(slots=True)
class CopyReport(_Tally):
    """The outcome of a copy: what was copied, and read back with the same digest; of a dry run, what would be."""

    is_dry_run: bool = False
    unchanged: int = 0
    """How many sessions and checkpoints the target had already."""
    skipped: list[Note] = field(default_factory=list)
    """What the target has otherwise, or does not keep; sorted."""
    failed: list[Note] = field(default_factory=list)
    """What could not be read or written; sorted."""

    @property
    def is_complete(self) -> bool:
        """Whether the target now has everything."""
        return not self.skipped and not self.failed

    def sort(self) -> None:
        """Bring the notes into an order that depends on nothing else."""
        self.skipped.sort()
        self.failed.sort()

    def __str__(self) -> str:
        lines = self._lines("to copy" if self.is_dry_run else "copied")
        unchanged = f"unchanged: {self.unchanged}"
        return "\n".join((*lines, unchanged, *_notes("skipped", self.skipped), *_notes("failed", self.failed)))


@dataclass(slots=True)
class VerifyReport(_Tally):
    """The outcome of verifying a store: what was read from beginning to end, and what could not be."""

    damaged: list[Note] = field(default_factory=list)
    """Sorted."""

    def sort(self) -> None:
        """Bring the notes into an order that depends on nothing else."""
        self.damaged.sort()

    def __str__(self) -> str:
        return "\n".join((*self._lines("sound"), *_notes("damaged", self.damaged)))


def _notes(title: str, notes: Iterable[Note]) -> Iterable[str]:
    lines = tuple(f"  {note.subject}: {note.reason}" for note in notes)
    return (f"{title}:", *lines) if lines else ()


__all__ = ["CopyReport", "Note", "VerifyReport"]
