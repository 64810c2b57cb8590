"""The summary of a key at each revision, for forks that start there; the present one is in the row of the key.

Its versions are those of a document without a name, which no document of a change can be.
"""

import json
from sqlite3 import Connection

from sessionstore_server.backends.base import Summary
from sessionstore_server.backends.sqlite import documents
from sessionstore_server.backends.sqlite.keys import Row

NAME = ""

_END = b"\0"
"""Of the attributes, which are JSON and so never hold it; the record follows."""


def packed(summary: Summary) -> bytes:
    """Return the content of the document."""
    return json.dumps(dict(summary.attributes)).encode() + _END + summary.record


def get(connection: Connection, row: Row, revision: int) -> Summary | None:
    """Return the summary at a revision, or None when the key had none."""
    content = documents.get(connection, row.key_id, NAME, revision)
    if content is None:
        return None
    attributes, _, record = content.partition(_END)
    return Summary(record, json.loads(attributes))
