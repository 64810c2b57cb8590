"""The files in which a process tells of its commits, its row: a line each, written before the commit takes effect.

    ROOT/.feed/<boot>/<token>/<number>.jsonl
                             /settled             the place before which every commit has ended, well or not

A place in a row is the number of bytes that were ever written before it, and a file has its first place as its name.
Nothing waits for the medium here: a row is good until the machine starts again, and then begins anew.
"""

import json
import os
from collections.abc import Iterator
from datetime import datetime
from itertools import zip_longest
from typing import NamedTuple, TypedDict

from pydantic_core import to_json

from sessionstore.errors import DataCorruptionError
from sessionstore_server.backends.base import FeedEntry, Key
from sessionstore_server.backends.file import files
from sessionstore_server.backends.file.folder import Folder

FEED = ".feed"

_SUFFIX = ".jsonl"

SETTLED = "settled"
_SETTLED_BYTES = 20
_TAIL_BYTES = 64 * 1024
"""More than any line has."""


class FeedLine(NamedTuple):
    """One line of a row."""

    at: int
    """On the monotonic clock of the machine, in nanoseconds; grows from line to line."""
    row: str
    start: int
    end: int
    key: Key
    entry: FeedEntry


class _Members(TypedDict):
    at: int
    key: list[str]
    revision: int
    commit_time: str
    deleted: bool


def line_of(at: int, key: Key, entry: FeedEntry) -> bytes:
    """Write a line."""
    members: _Members = {
        "at": at,
        "key": [key.namespace, key.collection, key.id],
        "revision": entry.revision,
        "commit_time": entry.commit_time.isoformat(),
        "deleted": entry.deleted,
    }
    return to_json(members) + b"\n"


def starts(row: Folder) -> list[int]:
    """Return the first places of the files of a row, in order."""
    names = (name.removesuffix(_SUFFIX) for name in row.names() if name.endswith(_SUFFIX))
    return sorted(int(name) for name in names if name.isdecimal())


def file_name(start: int) -> str:
    """Return the name of the file that begins at a place."""
    return f"{start}{_SUFFIX}"


def holds(row: Folder, place: int) -> bool:
    """Tell whether what follows a place is still there."""
    begins = starts(row)
    if not begins:
        return place == 0
    return begins[0] <= place <= begins[-1] + row.stat(file_name(begins[-1])).st_size


def lines_from(row: Folder, place: int) -> Iterator[FeedLine]:
    """Yield the lines from a place on, or from the first that is there."""
    begins = starts(row)
    for start, following in zip_longest(begins, begins[1:]):
        if following is None or following > place:
            yield from _lines_in(row, start, max(start, place))


def end(row: Folder) -> int:
    """Return the place behind the last whole line of a row."""
    for start in reversed(starts(row)):
        size = row.stat(file_name(start)).st_size
        begin = max(0, size - _TAIL_BYTES)
        whole = files.read(row, file_name(start), begin, size).rfind(b"\n") + 1
        if whole:
            return start + begin + whole
    return 0


def settled_text(place: int) -> bytes:
    """Return what the file `SETTLED` holds when every commit told before a place has ended."""
    return b"%0*d" % (_SETTLED_BYTES, place)


def settled(row: Folder) -> int:
    """Return the place before which every commit has ended."""
    try:
        return int(files.read(row, SETTLED, 0, _SETTLED_BYTES))
    except DataCorruptionError:
        return 0


def _lines_in(row: Folder, start: int, place: int) -> Iterator[FeedLine]:
    with (
        row.file(file_name(start), os.O_RDONLY) as descriptor,
        open(descriptor, "rb", closefd=False) as file,
    ):
        file.seek(place - start)
        for text in file:
            if text.endswith(b"\n"):
                yield _line(row, place, text)
                place += len(text)


def _line(row: Folder, place: int, text: bytes) -> FeedLine:
    try:
        members: _Members = json.loads(text)
        key = Key(*members["key"])
        commit_time = datetime.fromisoformat(members["commit_time"])
        entry = FeedEntry(key.id, members["revision"], commit_time, members["deleted"])
        return FeedLine(members["at"], row.path.name, place, place + len(text), key, entry)
    except (ValueError, KeyError, TypeError) as error:
        raise DataCorruptionError(f"{row.path} place {place}", f"not a line of a feed: {error!r}") from error
