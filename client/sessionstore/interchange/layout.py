"""Names and paths in a folder of the reference.

Such a folder has up to two layouts. The current one stands below `v1`, under names that tell the id. The legacy one
is no longer written; several ids may have the same legacy name, and only the content tells which of them it is.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from enum import Enum, StrEnum
from pathlib import PurePosixPath

MAX_DOCUMENT_BYTES = 256 * 1024 * 1024
"""The largest document that the reference reads or writes."""


class Layout(Enum):
    """A way to arrange the documents; the value is the folder in which it begins."""

    CURRENT = "v1"
    LEGACY = ""


class Kind(StrEnum):
    """What a document holds; the value is the name of its folder."""

    SESSIONS = "sessions"
    ARTIFACTS = "artifacts"
    TRACE_EVENTS = "traces"
    RUN_RECORDS = "runs"
    VERIFICATION_REPORTS = "verification"
    SUBAGENT_TASKS = "subagent_tasks"
    LOOP_CHECKPOINTS = "loop_checkpoints"
    WORKFLOW_CHECKPOINTS = "workflow_checkpoints"

    @property
    def label(self) -> str:
        """What the store calls it."""
        return self.name.lower()


RECORDS = (
    Kind.ARTIFACTS,
    Kind.TRACE_EVENTS,
    Kind.RUN_RECORDS,
    Kind.VERIFICATION_REPORTS,
    Kind.SUBAGENT_TASKS,
)
"""The kinds that belong to a session."""

CHECKPOINTS = (Kind.LOOP_CHECKPOINTS, Kind.WORKFLOW_CHECKPOINTS)

_MANIFEST = "artifacts.json"
_WAL = "wal"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a document stands; `name` is its id as the layout spells it."""

    layout: Layout
    kind: Kind
    name: str

    @property
    def path(self) -> PurePosixPath:
        """The path inside the folder."""
        if self.kind is Kind.ARTIFACTS:
            return PurePosixPath(self.layout.value, self.kind, self.name, _MANIFEST)
        if self.layout is Layout.LEGACY and self.kind is Kind.SESSIONS:
            return PurePosixPath(f"{self.name}.json")
        return PurePosixPath(self.layout.value, self.kind, f"{self.name}.json")


def current_place(kind: Kind, document_id: str) -> Place:
    """Return where the current layout keeps the document."""
    return Place(Layout.CURRENT, kind, current_name(document_id))


def legacy_place(kind: Kind, document_id: str) -> Place:
    """Return where the legacy layout kept the document, unless another one of the same name took the place."""
    return Place(Layout.LEGACY, kind, legacy_name(document_id))


def place_of(path: PurePosixPath) -> Place | None:
    """Return the place that has this path, or None when no document stands there."""
    layout, inner = _split(path)
    kind = next((kind for kind in Kind if inner.parts[:1] == (kind.value,)), Kind.SESSIONS)
    place = Place(layout, kind, path.parent.name if kind is Kind.ARTIFACTS else path.stem)
    return place if place.path == path else None


def is_folder(path: PurePosixPath) -> bool:
    """Tell whether the reference has a folder of this path."""
    _, inner = _split(path)
    if len(inner.parts) == 2:
        return inner.parts[0] == Kind.ARTIFACTS
    return inner.parts in ((), (_WAL,), *((kind.value,) for kind in Kind))


def purpose_of(path: PurePosixPath) -> str:
    """Say what a path is for at which no document stands."""
    if path.suffix == ".tmp":
        return "left behind by a write that was interrupted"
    if path.match("v1/wal/*.lock"):
        return "the lock of a process, not session data"
    if path.match("v1/wal/session-store.ndjson*"):
        return "the write-ahead log, which holds ids and digests but no session data; it is not imported"
    if path == PurePosixPath("v1/writer_lease.json"):
        return "the lease of a writer, not session data"
    if path == PurePosixPath(".health_check"):
        return "the probe of a health check, not session data"
    return "not a path that the reference writes"


def current_name(document_id: str) -> str:
    """Return the name of an id in the current layout."""
    return "id_" + urlsafe_b64encode(document_id.encode()).decode().rstrip("=")


def id_of(name: str) -> str | None:
    """Return the id that `current_name` turned into `name`, or None when there is none."""
    try:
        document_id = urlsafe_b64decode(name.removeprefix("id_") + "==").decode()
    except ValueError:
        return None
    return document_id if current_name(document_id) == name else None


def legacy_name(document_id: str) -> str:
    """Return the name of an id in the legacy layout."""
    return document_id.replace("/", "_").replace("\\", "_").replace("..", "_")


def _split(path: PurePosixPath) -> tuple[Layout, PurePosixPath]:
    if path.parts[:1] == (Layout.CURRENT.value,):
        return Layout.CURRENT, PurePosixPath(*path.parts[1:])
    return Layout.LEGACY, path
