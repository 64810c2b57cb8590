"""Between the bytes of a record and the JSON that people read in the files."""

import base64
import json
from typing import Protocol


class RecordCodec(Protocol):
    """Turns records into JSON and back. `name` is the document's or log's name, or `summary`."""

    def to_json(self, collection: str, name: str, record: bytes) -> bytes:
        """Return one compact JSON value in UTF-8, without line breaks and without white space around it."""

    def from_json(self, collection: str, name: str, text: bytes) -> bytes:
        """Return the record that `to_json` was given. Errors: ValueError when `text` does not hold one."""


class Base64Codec:
    """Keeps any bytes, readable by programs only: `{"base64":"..."}`."""

    def to_json(self, collection: str, name: str, record: bytes) -> bytes:  # noqa: ARG002
        """Return the object that wraps `record`."""
        return b'{"base64":"%s"}' % base64.b64encode(record)

    def from_json(self, collection: str, name: str, text: bytes) -> bytes:  # noqa: ARG002
        """Return the bytes in the object `text`."""
        match json.loads(text):
            case {"base64": str(encoded)}:
                return base64.b64decode(encoded, validate=True)
        raise ValueError("a record without `base64`")
