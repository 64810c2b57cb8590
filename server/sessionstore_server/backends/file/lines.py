"""The text of a commit line: compact JSON that ends with its own checksum.

    {"revision":7,"commit_time":"2026-01-31T12:00:00.000000Z","logs":{...},"documents":{...},...,"crc32":"1a2b3c4d"}

The values of documents are kept as the text they were given, so that no number or spelling changes on the way.
"""

import json
import zlib
from datetime import UTC, datetime
from typing import NotRequired, TypedDict, cast

from pydantic_core import to_json

from sessionstore.errors import UnsupportedVersionError
from sessionstore_server.backends.base import Commit, Key
from sessionstore_server.backends.file.state import Entry, Log, Mark, Segment
from sessionstore_server.backends.ledger import Answer

VERSION = 1
"""The version of the format; the first line of each file tells it."""

SEAL_BYTES = len(',"crc32":"00000000"}\n')


class _MarkMembers(TypedDict):
    records: int
    bytes: int
    crc32: str


class _SegmentMembers(TypedDict):
    file: str
    end: _MarkMembers
    marks: NotRequired[list[_MarkMembers]]
    shared: NotRequired[bool]


class _LogMembers(TypedDict):
    segments: list[_SegmentMembers]
    shortened_at: int


class _AnswerMembers(TypedDict):
    digest: str
    revision: int
    commit_time: str
    existed: NotRequired[bool]


class _EntryMembers(TypedDict):
    revision: int
    commit_time: str
    version: NotRequired[int]
    key: NotRequired[list[str]]
    deleted: NotRequired[bool]
    removed_documents: NotRequired[list[str]]
    logs: NotRequired[dict[str, _LogMembers]]
    removed_logs: NotRequired[list[str]]
    answers: NotRequired[dict[str, _AnswerMembers]]
    attributes: NotRequired[dict[str, str | int]]
    blobs: NotRequired[list[str]]
    documents: NotRequired[dict[str, str]]
    """The values as text."""
    summary: NotRequired[str]
    """As text."""


_scan = json.JSONDecoder().raw_decode


def line_of(entry: Entry) -> bytes:
    """Write an entry as a line."""
    members: dict[str, object] = {"revision": entry.revision, "commit_time": _rfc3339(entry.commit_time)}
    if entry.key:
        members |= {"version": VERSION, "key": [entry.key.namespace, entry.key.collection, entry.key.id]}
    if entry.deleted:
        members["deleted"] = True
    changes = {
        "removed_documents": entry.removed_documents,
        "logs": {name: _log_members(log) for name, log in entry.logs.items()},
        "removed_logs": entry.removed_logs,
        "answers": {id_: _answer_members(answer) for id_, answer in entry.answers.items()},
        "attributes": entry.attributes,
    }
    members |= {name: value for name, value in changes.items() if value}
    if entry.blobs is not None:
        members["blobs"] = sorted(entry.blobs)
    return sealed(to_json(members)[:-1] + _texts(entry).encode())


def entry_of(line: bytes, location: str) -> Entry:
    """Read a line with its line break. Errors: ValueError when it is damaged, UnsupportedVersionError."""
    body = line[:-SEAL_BYTES]
    if sealed(body) != line:
        raise ValueError("the checksum does not match")
    try:
        members = _members(body.decode() + "}")
        version = members.get("version", VERSION)
        if version > VERSION:
            raise UnsupportedVersionError(location, version, VERSION)
        return _entry(members)
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"not a commit line: {error!r}") from error


def sealed(body: bytes) -> bytes:
    """Return the line of an object, given without its closing brace."""
    return body + b',"crc32":"%08x"}\n' % zlib.crc32(body)


def _entry(members: _EntryMembers) -> Entry:
    return Entry(
        members["revision"],
        _time(members["commit_time"]),
        documents=members.get("documents", {}),
        removed_documents=tuple(members.get("removed_documents", ())),
        logs={name: _log(log) for name, log in members.get("logs", {}).items()},
        removed_logs=tuple(members.get("removed_logs", ())),
        summary=members.get("summary"),
        attributes=members.get("attributes", {}),
        blobs=frozenset(members["blobs"]) if "blobs" in members else None,
        key=Key(*members["key"]) if "key" in members else None,
        deleted=members.get("deleted", False),
        answers={id_: _answer(answer) for id_, answer in members.get("answers", {}).items()},
    )


def _log(members: _LogMembers) -> Log:
    return Log(tuple(map(_segment, members["segments"])), members["shortened_at"])


def _log_members(log: Log) -> _LogMembers:
    return {"segments": list(map(_segment_members, log.segments)), "shortened_at": log.shortened_at}


def _segment(members: _SegmentMembers) -> Segment:
    if "/" in members["file"]:
        raise ValueError("a log outside of its folder")
    marks = tuple(map(_mark, members.get("marks", ())))
    return Segment(members["file"], _mark(members["end"]), marks, members.get("shared", False))


def _segment_members(segment: Segment) -> _SegmentMembers:
    members: _SegmentMembers = {"file": segment.file, "end": _mark_members(segment.end)}
    if segment.marks:
        members["marks"] = list(map(_mark_members, segment.marks))
    if segment.shared:
        members["shared"] = True
    return members


def _mark(members: _MarkMembers) -> Mark:
    return Mark(members["records"], members["bytes"], int(members["crc32"], 16))


def _mark_members(mark: Mark) -> _MarkMembers:
    return {"records": mark.records, "bytes": mark.size, "crc32": f"{mark.crc32:08x}"}


def _answer(members: _AnswerMembers) -> Answer:
    commit = Commit(members["revision"], _time(members["commit_time"]))
    return Answer(members["digest"], commit, members.get("existed"))


def _answer_members(answer: Answer) -> _AnswerMembers:
    members: _AnswerMembers = {
        "digest": answer.digest,
        "revision": answer.commit.revision,
        "commit_time": _rfc3339(answer.commit.commit_time),
    }
    if answer.existed is not None:
        members["existed"] = answer.existed
    return members


def _rfc3339(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _texts(entry: Entry) -> str:
    """Write the members of which the values are JSON already, each behind a comma."""
    documents = ",".join(f"{to_json(name).decode()}:{text}" for name, text in entry.documents.items())
    text = f',"documents":{{{documents}}}' if documents else ""
    return text if entry.summary is None else f'{text},"summary":{entry.summary}'


def _members(text: str) -> _EntryMembers:
    """Parse the object of a line, which has no white space."""
    members: dict[str, object] = {}
    end = 0
    while text[end] != "}":
        name, colon = _scan(text, end + 1)
        start = colon + 1
        if name == "documents":
            members[name], end = _split(text, start)
        else:
            value, end = _scan(text, start)
            members[name] = text[start:end] if name == "summary" else value
    return cast("_EntryMembers", members)


def _split(text: str, start: int) -> tuple[dict[str, str], int]:
    """Return the text of each value of the object that begins at `start`, and where the object ends."""
    members = {}
    end = start
    while text[end] != "}":
        name, colon = _scan(text, end + 1)
        _, end = _scan(text, colon + 1)
        members[name] = text[colon + 1 : end]
    return members, end + 1
