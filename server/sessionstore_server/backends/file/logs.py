"""The files of logs: a record is a line, an append goes to the end, a shortened log starts a new file.

A part is read together with what lies between the marks around it and verified against their checksums; a file
that is shorter than the distance of marks is therefore always verified whole.
"""

import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from sessionstore.errors import DataCorruptionError
from sessionstore_server.backends.file import files
from sessionstore_server.backends.file.folder import Folder
from sessionstore_server.backends.file.names import log_file, shared_file
from sessionstore_server.backends.file.state import Log, Mark, Segment


class Line(NamedTuple):
    """A record as it stands in a file."""

    text: bytes
    file: str
    number: int
    """From 1, for messages."""


def append(folder: Folder, name: str, log: Log, lines: Sequence[bytes], revision: int) -> Log:
    """Add records at the end, in a new file if there is none of the log's own."""
    segments = log.segments
    if lines and segments and not segments[-1].shared:
        segments = (*segments[:-1], _grown(folder, segments[-1], lines))
    elif lines:
        segments = (*segments, _create(folder, log_file(name, revision), lines))
    return replace(log, segments=_unmarked(segments))


def shorten(folder: Folder, name: str, log: Log, keep: int, lines: Sequence[bytes], revision: int) -> Log:
    """Keep the first `keep` records, fewer than there are, and add records.

    Files that are kept whole stay. What is kept of the next one is copied into a new file; the old one stays for
    those who read the log as it was.
    """
    whole = _whole_segments(log, keep)
    cut = log.segments[len(whole)]
    rest = keep - Log(whole).length
    kept = [line.text for line in _read(folder, cut, 0, rest)]
    if not kept and not lines:
        return Log(_unmarked(whole), revision)
    new = _create(folder, log_file(name, revision), [*kept, *lines])
    marks = tuple(mark for mark in cut.marks if mark.records <= rest)
    return Log((*_unmarked(whole), replace(new, marks=marks)), revision)


def forked(name: str, log: Log, revision: int) -> Log:
    """Return the log of a new key that starts with the records of `log`, of another key, in the same files."""
    segments = enumerate(log.segments)
    shared = (replace(segment, file=shared_file(name, revision, number), shared=True) for number, segment in segments)
    return Log(tuple(shared), revision)


def share(origin: Folder, log: Log, folder: Folder, fork: Log) -> None:
    """Link the files of `log`, in the folder `origin`, under the names of its fork. Errors: DataCorruptionError."""
    for segment, shared in zip(log.segments, fork.segments, strict=True):
        try:
            origin.link(segment.file, folder, shared.file)
        except FileNotFoundError:
            raise files.missing(origin, segment.file) from None


def read(folder: Folder, log: Log, start: int, stop: int | None) -> Iterator[Line]:
    """Yield the lines of the records from `start` to `stop`, verified. Errors: DataCorruptionError."""
    first, end = 0, log.length if stop is None else stop
    for segment in log.segments:
        yield from _read(folder, segment, max(start - first, 0), min(end - first, segment.end.records))
        first += segment.end.records


def _read(folder: Folder, segment: Segment, start: int, stop: int) -> Iterator[Line]:
    if start >= stop:
        return
    marks = [Mark(), *segment.marks, segment.end]
    first = marks[bisect_right(marks, start, key=_records) - 1]
    last = marks[bisect_left(marks, stop, key=_records)]
    data = files.read(folder, segment.file, first.size, last.size)
    lines = data.split(b"\n")[:-1]
    if zlib.crc32(data, first.crc32) != last.crc32 or len(lines) != last.records - first.records:
        location = f"{folder.path / segment.file} bytes {first.size} to {last.size}"
        raise DataCorruptionError(location, "the checksum does not match")
    for number in range(start, stop):
        yield Line(lines[number - first.records], segment.file, number + 1)


def _whole_segments(log: Log, keep: int) -> tuple[Segment, ...]:
    count = 0
    while keep > 0 and keep >= log.segments[count].end.records:
        keep -= log.segments[count].end.records
        count += 1
    return log.segments[:count]


def _grown(folder: Folder, segment: Segment, lines: Sequence[bytes]) -> Segment:
    data = _joined(lines)
    files.append(folder, segment.file, segment.end.size, data)
    return replace(segment, end=_moved(segment.end, len(lines), data))


def _create(folder: Folder, file: str, lines: Sequence[bytes]) -> Segment:
    data = _joined(lines)
    files.create(folder, file, data)
    return Segment(file, _moved(Mark(), len(lines), data))


def _moved(mark: Mark, records: int, data: bytes) -> Mark:
    return Mark(mark.records + records, mark.size + len(data), zlib.crc32(data, mark.crc32))


def _unmarked(segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
    """Leave out the marks, which the state before the commit has already."""
    return tuple(replace(segment, marks=()) if segment.marks else segment for segment in segments)


def _joined(lines: Sequence[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def _records(mark: Mark) -> int:
    return mark.records
