"""The records that were read last, as they came out of their lines.

A line is parsed once for as long as its record is remembered. What is read from the file is verified whole each time,
and a record counts again where the checksum of all before it is the same. The file is not even read while it has the
stamp that it had when it was, so only what changes bytes behind the back of the file system goes unnoticed until then.
"""

import zlib
from collections.abc import Callable
from typing import NamedTuple

from sessionstore_server.backends.base import Key
from sessionstore_server.backends.cache import Cache
from sessionstore_server.backends.file import logs
from sessionstore_server.backends.file.folder import Folder, Stamp
from sessionstore_server.backends.file.logs import Part
from sessionstore_server.backends.file.state import Mark

_OVERHEAD_BYTES = 100
"""What a record takes besides its bytes."""

Parse = Callable[[bytes, int], bytes]
"""Makes a record of a line and its number in the file, from 1."""


class _Place(NamedTuple):
    key: Key
    file: str
    first: Mark


class _Known(NamedTuple):
    """What was read between two marks."""

    last: Mark
    stamp: Stamp | None
    records: dict[int, bytes]
    """Those that were asked for, by their numbers, from 0 for the one behind the first mark."""

    def of(self, part: Part, stamp: Stamp | None) -> list[bytes] | None:
        """Return the records of a part, when the file has this stamp; None when not all of them are known."""
        if stamp is None or (self.last, self.stamp) != (part.last, stamp):
            return None
        try:
            return list(map(self.records.__getitem__, range(part.start, part.stop)))
        except KeyError:
            return None

    def is_in(self, data: bytes, part: Part) -> bool:
        """Tell whether `data`, all of a part as it is now, begins with what was read."""
        if self.last == part.last:
            return True
        before = memoryview(data)[: self.last.size - part.first.size]
        return zlib.crc32(before, part.first.crc32) == self.last.crc32

    def size(self) -> int:
        """Return about how many bytes this takes."""
        return sum(map(len, self.records.values())) + _OVERHEAD_BYTES * len(self.records)


class KnownRecords:
    """A bounded memory of records, over all keys. Threads may share it."""

    def __init__(self) -> None:
        self._cache = Cache[_Place, _Known]()

    def read(self, folder: Folder, key: Key, part: Part, parse: Parse) -> list[bytes]:
        """Return the records of a part. Errors: DataCorruptionError."""
        place = _Place(key, part.file, part.first)
        known = self._cache.get(place)
        # Asked for before the file is read: whoever changes it from now on changes the stamp.
        stamp = folder.stamp(part.file)
        records = known.of(part, stamp) if known else None
        if records is None:
            known = _Known(part.last, stamp, _records(folder, part, known, parse))
            self._cache.put(place, known, known.size())
            records = [known.records[number] for number in range(part.start, part.stop)]
        return records

    def at_hand(self, folder: Folder, key: Key, part: Part) -> list[bytes] | None:
        """Return the records of a part if they are known and the file is as it was."""
        known = self._cache.get(_Place(key, part.file, part.first))
        return known.of(part, folder.stamp(part.file)) if known else None


def _records(folder: Folder, part: Part, known: _Known | None, parse: Parse) -> dict[int, bytes]:
    data = logs.read(folder, part)
    records = dict(known.records) if known and known.is_in(data, part) else {}
    missing = [number for number in range(part.start, part.stop) if number not in records]
    lines = logs.lines(folder, part, data) if missing else []
    for number in missing:
        records[number] = parse(lines[number], part.first.records + number + 1)
    return records
