"""The files of logs: a record is a line, an append goes to the end, a shortened log starts a new file.

A part is read together with what lies between the marks around it and verified against their checksums; a log
that is shorter than the distance of marks is therefore always verified whole.
"""

import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from sessionstore.errors import DataCorruptionError
from sessionstore_server.backends.file import files
from sessionstore_server.backends.file.folder import Folder
from sessionstore_server.backends.file.names import log_file, next_generation
from sessionstore_server.backends.file.state import Log, Mark


def create(folder: Folder, name: str, lines: Sequence[bytes], revision: int) -> Log:
    """Start the log `name` in a file of its own."""
    return _create(folder, Log(log_file(name), Mark(), revision), b"", lines)


def append(folder: Folder, log: Log, lines: Sequence[bytes]) -> Log:
    """Add records at the end."""
    data = _joined(lines)
    if data:
        files.append(folder, log.file, log.end.size, data)
    return Log(log.file, _moved(log.end, len(lines), data), log.shortened_at)


def shorten(folder: Folder, log: Log, keep: int, lines: Sequence[bytes], revision: int) -> Log:
    """Copy the first `keep` records into the next file and add records; the old file stays for its readers."""
    kept = read(folder, log, 0, keep)
    marks = tuple(mark for mark in log.marks if mark.records <= keep)
    return _create(folder, Log(next_generation(log.file), Mark(), revision, marks), _joined(kept), lines)


def read(folder: Folder, log: Log, start: int, stop: int | None) -> list[bytes]:
    """Return the lines of the records from `start` to `stop`, verified. Errors: DataCorruptionError."""
    stop = log.end.records if stop is None else min(stop, log.end.records)
    if start >= stop:
        return []
    marks = [Mark(), *log.marks, log.end]
    first = marks[bisect_right(marks, start, key=_records) - 1]
    last = marks[bisect_left(marks, stop, key=_records)]
    data = files.read(folder, log.file, first.size, last.size)
    lines = data.split(b"\n")[:-1]
    if zlib.crc32(data, first.crc32) != last.crc32 or len(lines) != last.records - first.records:
        location = f"{folder.path / log.file} bytes {first.size} to {last.size}"
        raise DataCorruptionError(location, "the checksum does not match")
    return lines[start - first.records : stop - first.records]


def _create(folder: Folder, empty: Log, kept: bytes, lines: Sequence[bytes]) -> Log:
    data = kept + _joined(lines)
    files.create(folder, empty.file, data)
    end = _moved(Mark(), data.count(b"\n"), data)
    return Log(empty.file, end, empty.shortened_at, empty.marks)


def _moved(mark: Mark, records: int, data: bytes) -> Mark:
    return Mark(mark.records + records, mark.size + len(data), zlib.crc32(data, mark.crc32))


def _joined(lines: Sequence[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def _records(mark: Mark) -> int:
    return mark.records
