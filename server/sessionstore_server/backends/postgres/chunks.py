"""Records in a row as one value, a chunk: their lengths, and then their bytes."""

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_CHUNK_RECORDS = 256
_CHUNK_BYTES = 1 << 16
"""Who reads a part of a log reads up to so much too much at either end."""


class Chunk(NamedTuple):
    """The records of a log from `position` up to `stop`."""

    position: int
    stop: int
    content: bytes


def packed(position: int, records: Sequence[bytes]) -> Iterator[Chunk]:
    """Yield chunks of records that stand at `position` of a log."""
    chunk: list[bytes] = []
    size = 0
    for record in records:
        if chunk and (len(chunk) == _CHUNK_RECORDS or size + len(record) > _CHUNK_BYTES):
            yield _packed(position, chunk)
            position += len(chunk)
            chunk, size = [], 0
        chunk.append(record)
        size += len(record)
    if chunk:
        yield _packed(position, chunk)


def unpacked(content: bytes, count: int) -> list[bytes]:
    """Return the records of a chunk. Errors: struct.error when it is not one of so many records."""
    records: list[bytes] = []
    position = 4 * count
    for length in struct.unpack_from(f">{count}I", content):
        records.append(content[position : position + length])
        position += length
    if position != len(content):
        raise struct.error(f"the chunk has {len(content)} bytes instead of {position}")
    return records


def _packed(position: int, records: Sequence[bytes]) -> Chunk:
    lengths = struct.pack(f">{len(records)}I", *map(len, records))
    return Chunk(position, position + len(records), lengths + b"".join(records))
