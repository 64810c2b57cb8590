"""A folder of the reference as a stream of findings, one for each file.

The rules are those by which the reference itself finds its data:

- What has a current file does not look at its legacy file.
- The name of a legacy file does not prove an id, the content does. A legacy file of records tells no id, so it
  belongs to the session whose legacy file lies beside it, also when that session has a newer file by now.
- A snapshot holds all records; files of records beside it no longer count.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sessionstore.interchange.document import DOCUMENT_TYPES, DocumentError, read_document
from sessionstore.interchange.layout import (
    CHECKPOINTS,
    RECORDS,
    Kind,
    Layout,
    Place,
    current_place,
    id_of,
    legacy_name,
    legacy_place,
    place_of,
    purpose_of,
)
from sessionstore.interchange.source import SourceFolder
from sessionstore.model import SessionSnapshot

_SUPERSEDED = "the current layout has a newer file of it"
_IN_SNAPSHOT = "its session is a snapshot, which holds all records; this file no longer counts"
_OWNER_SKIPPED = "the file of its session was skipped"
_NO_OWNER = "no session file of this name in the legacy layout tells whose it is"
_NO_ID = "its name is not the base64 form of an id"


@dataclass(frozen=True, slots=True)
class Found:
    """A document that was read; `content` is what its document type reads."""

    path: PurePosixPath
    kind: Kind
    id: str
    content: object


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is a document but cannot be read, or whose owner cannot."""

    path: PurePosixPath
    reason: str


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """A file that is no document, or one that no longer counts."""

    path: PurePosixPath
    reason: str


Finding = Found | Skipped | LeftAlone


class FolderReader:
    """Reads a folder file by file and holds at most one session; making it reads only the names."""

    def __init__(self, folder: Path) -> None:
        self._source = SourceFolder(folder)
        places = {path: place_of(path) for path in self._source.paths()}
        self.file_count = len(places)
        self._others = [path for path, place in places.items() if place is None]
        # A dictionary, because its order is that of the paths. A place goes out when its finding is made.
        self._pending = dict.fromkeys(place for place in places.values() if place is not None)
        self._legacy_owners: dict[str, str] = {}

    def findings(self) -> Iterator[Finding]:
        """Read everything, once."""
        yield from map(self._other, self._others)
        for place in self._places(Layout.LEGACY, Kind.SESSIONS):
            yield from self._legacy_session(place)
        for place in self._places(Layout.CURRENT, Kind.SESSIONS):
            yield from self._session(self._read(place), id_of(place.name))
        for kind in RECORDS:
            yield from map(self._read, self._places(Layout.CURRENT, kind))
            yield from self._skip(self._places(Layout.LEGACY, kind), _NO_OWNER)
        for kind in CHECKPOINTS:
            yield from map(self._legacy_checkpoint, self._places(Layout.LEGACY, kind))
            yield from map(self._read, self._places(Layout.CURRENT, kind))

    def _other(self, path: PurePosixPath) -> Finding:
        if self._source.leads_outside(path):
            return Skipped(path, "is a symbolic link that leads outside the folder")
        return LeftAlone(path, purpose_of(path))

    def _legacy_session(self, place: Place) -> Iterator[Finding]:
        finding = self._read(place)
        if isinstance(finding, Skipped):
            yield finding
            records = (Place(Layout.LEGACY, kind, place.name) for kind in RECORDS)
            yield from self._skip(self._present(records), _OWNER_SKIPPED)
            return
        self._legacy_owners[place.name] = finding.id
        if current_place(Kind.SESSIONS, finding.id) in self._pending:
            yield LeftAlone(finding.path, _SUPERSEDED)
        else:
            yield from self._session(finding, finding.id)

    def _session(self, finding: Found | Skipped, session_id: str | None) -> Iterator[Finding]:
        yield finding
        if session_id is None:
            return
        for kind in RECORDS:
            places = self._present(self._record_places(kind, session_id))
            if isinstance(finding, Skipped):
                yield from self._skip(places, _OWNER_SKIPPED)
            elif isinstance(finding.content, SessionSnapshot):
                yield from self._leave_alone(places, _IN_SNAPSHOT)
            else:
                yield from (self._read(place, session_id) for place in places[:1])
                yield from self._leave_alone(places[1:], _SUPERSEDED)

    def _legacy_checkpoint(self, place: Place) -> Finding:
        finding = self._read(place)
        if isinstance(finding, Found) and current_place(place.kind, finding.id) in self._pending:
            return LeftAlone(finding.path, _SUPERSEDED)
        return finding

    def _read(self, place: Place, owner: str | None = None) -> Found | Skipped:
        del self._pending[place]
        try:
            content = read_document(DOCUMENT_TYPES[place.kind], self._source.read(place.path))
            document_id = _own_id(place, content) if owner is None else owner
        except DocumentError as error:
            return Skipped(place.path, str(error))
        return Found(place.path, place.kind, document_id, content)

    def _record_places(self, kind: Kind, session_id: str) -> Iterator[Place]:
        yield current_place(kind, session_id)
        if self._legacy_owners.get(legacy_name(session_id)) == session_id:
            yield legacy_place(kind, session_id)

    def _places(self, layout: Layout, kind: Kind) -> list[Place]:
        return [place for place in self._pending if place.layout is layout and place.kind is kind]

    def _present(self, places: Iterable[Place]) -> list[Place]:
        return [place for place in places if place in self._pending]

    def _skip(self, places: Iterable[Place], reason: str) -> Iterator[Finding]:
        for place in places:
            del self._pending[place]
            yield Skipped(place.path, reason)

    def _leave_alone(self, places: Iterable[Place], reason: str) -> Iterator[Finding]:
        for place in places:
            del self._pending[place]
            yield LeftAlone(place.path, reason)


def _own_id(place: Place, content: object) -> str:
    """Return the id of a document. Errors: DocumentError unless the name stands for it."""
    id_inside = DOCUMENT_TYPES[place.kind].id_inside
    document_id = id_inside(content) if id_inside else id_of(place.name)
    if document_id is None:
        raise DocumentError(_NO_ID)
    place_for = current_place if place.layout is Layout.CURRENT else legacy_place
    right = place_for(place.kind, document_id)
    if right != place:
        raise DocumentError(f"holds {document_id!r}, which belongs at {right.path}")
    return document_id
