"""Puts stored records into a response without parsing them.

On the wire a message field is a tag, a length and the message, for each element of a repeated field again, and fields
may come in any order; so serialized records can be appended to a serialized response.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

_LENGTH_DELIMITED = 2
_EPOCH = datetime.fromtimestamp(0, UTC)


def with_records(response: Message, **fields: Iterable[bytes]) -> bytes:
    """Return `response` serialized, with the given serialized messages as the elements of its message fields."""
    pieces = [response.SerializeToString()]
    for name, records in fields.items():
        tag = _varint(response.DESCRIPTOR.fields_by_name[name].number << 3 | _LENGTH_DELIMITED)
        for record in records:
            pieces += (tag, _varint(len(record)), record)
    return b"".join(pieces)


def timestamp(moment: datetime) -> Timestamp:
    """Return a point in time as protobuf has it."""
    since = moment - _EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1000)


@lru_cache(maxsize=1 << 14)
def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
