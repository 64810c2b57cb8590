"""The files of logs: a record is a line, an append goes to the end, a shortened log starts a new file.

What lies between two marks is read together, and verified against their checksums; a file that is shorter than the
distance of marks is therefore always verified whole.
"""

import zlib
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from sessionstore.errors import DataCorruptionError
from sessionstore_server.backends.file import files
from sessionstore_server.backends.file.folder import Folder
from sessionstore_server.backends.file.names import log_file, shared_file
from sessionstore_server.backends.file.state import Log, Mark, Segment


class Part(NamedTuple):
    """Records in a row, and the two marks between which they stand in one file."""

    file: str
    first: Mark
    last: Mark
    start: int
    """The number of the first record, from 0 for the one behind `first`."""
    stop: int
    """The number behind the last record."""


def append(folder: Folder, name: str, log: Log, lines: Sequence[bytes], revision: int) -> Log:
    """Add records at the end, in a new file if there is none of the log's own."""
    segments = log.segments
    if lines and segments and not segments[-1].shared:
        segments = (*segments[:-1], _grown(folder, segments[-1], lines))
    elif lines:
        segments = (*segments, _create(folder, log_file(name, revision), lines))
    return log._replace(segments=_unmarked(segments))


def shorten(folder: Folder, name: str, log: Log, keep: int, lines: Sequence[bytes], revision: int) -> Log:
    """Keep the first `keep` records, fewer than there are, and add records.

    Files that are kept whole stay. What is kept of the next one is copied into a new file; the old one stays for
    those who read the log as it was.
    """
    whole = _whole_segments(log, keep)
    cut = log.segments[len(whole)]
    rest = keep - Log(whole).length
    kept = [line for part in parts(Log((cut,)), 0, rest) for line in read(folder, part).split(b"\n")[: part.stop]]
    if not kept and not lines:
        return Log(_unmarked(whole), revision)
    new = _create(folder, log_file(name, revision), [*kept, *lines])
    marks = tuple(mark for mark in cut.marks if mark.records <= rest)
    return Log((*_unmarked(whole), new._replace(marks=marks)), revision)


def forked(name: str, log: Log, revision: int) -> Log:
    """Return the log of a new key that starts with the records of `log`, of another key, in the same files."""
    segments = enumerate(log.segments)
    shared = (segment._replace(file=shared_file(name, revision, number), shared=True) for number, segment in segments)
    return Log(tuple(shared), revision)


def share(origin: Folder, log: Log, folder: Folder, fork: Log) -> None:
    """Link the files of `log`, in the folder `origin`, under the names of its fork. Errors: DataCorruptionError."""
    for segment, shared in zip(log.segments, fork.segments, strict=True):
        try:
            origin.link(segment.file, folder, shared.file)
        except FileNotFoundError:
            raise files.missing(origin, segment.file) from None


def parts(log: Log, start: int, stop: int | None) -> Iterator[Part]:
    """Yield where the records from `start` to `stop` (None: the end) are."""
    end = log.length if stop is None else stop
    for segment in log.segments:
        for first, last in pairwise([Mark(), *segment.marks, segment.end]):
            if max(start, first.records) < min(end, last.records):
                count = last.records - first.records
                yield Part(segment.file, first, last, max(start - first.records, 0), min(end - first.records, count))
        start, end = start - segment.end.records, end - segment.end.records


def read(folder: Folder, part: Part) -> bytes:
    """Return all bytes between the marks of a part, verified. Errors: DataCorruptionError."""
    data = files.read(folder, part.file, part.first.size, part.last.size)
    if zlib.crc32(data, part.first.crc32) != part.last.crc32:
        raise _damaged(folder, part, "the checksum does not match")
    return data


def lines(folder: Folder, part: Part, data: bytes) -> list[bytes]:
    """Return the lines of a part that was read. Errors: DataCorruptionError."""
    found = data.split(b"\n")[:-1]
    if len(found) != part.last.records - part.first.records:
        raise _damaged(folder, part, f"{len(found)} lines are not as many as the commit named")
    return found


def _damaged(folder: Folder, part: Part, problem: str) -> DataCorruptionError:
    return DataCorruptionError(f"{folder.path / part.file} bytes {part.first.size} to {part.last.size}", problem)


def _whole_segments(log: Log, keep: int) -> tuple[Segment, ...]:
    count = 0
    while keep > 0 and keep >= log.segments[count].end.records:
        keep -= log.segments[count].end.records
        count += 1
    return log.segments[:count]


def _grown(folder: Folder, segment: Segment, lines: Sequence[bytes]) -> Segment:
    data = _joined(lines)
    files.append(folder, segment.file, segment.end.size, data)
    return segment._replace(end=_moved(segment.end, len(lines), data))


def _create(folder: Folder, file: str, lines: Sequence[bytes]) -> Segment:
    data = _joined(lines)
    files.create(folder, file, data)
    return Segment(file, _moved(Mark(), len(lines), data))


def _moved(mark: Mark, records: int, data: bytes) -> Mark:
    return Mark(mark.records + records, mark.size + len(data), zlib.crc32(data, mark.crc32))


def _unmarked(segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
    """Leave out the marks, which the state before the commit has already."""
    return tuple(segment._replace(marks=()) if segment.marks else segment for segment in segments)


def _joined(lines: Sequence[bytes]) -> bytes:
    return b"\n".join([*lines, b""])
