"""File names for any text, readable where the text is.

They are safe on every file system that tells capitals from small letters. A byte that is not kept becomes `%` and two
hex digits, as in URLs. What would be too long for a file system becomes `~` and a sha256; the text itself then stands
only inside the files.
"""

import hashlib
import re
from urllib.parse import unquote_to_bytes

MAX_NAME_BYTES = 200
"""The longest encoded name; file systems take 255 bytes, and logs add a revision and a suffix."""

COMMITS = "commits.jsonl"
BLOBS = "blobs"

# A dot at an end could hide a file or mean a folder. `blobs` is a folder of our own beside the namespaces.
_NOT_IN_FOLDER = re.compile(rb"[^A-Za-z0-9_.-]|^\.|\.\Z|^b(?=lobs\Z)", re.IGNORECASE)
# Without capitals no two logs meet on a file system that ignores case; a dot begins the revision.
_NOT_IN_LOG = re.compile(rb"[^a-z0-9_-]|^c(?=ommits\Z)")


def folder_name(text: str) -> str:
    """Return the folder's name for a namespace, a collection or an id."""
    return _encoded(text, _NOT_IN_FOLDER)


def text_of(folder: str) -> str | None:
    """Return the text that `folder_name` turned into `folder`, or None if the name does not tell."""
    try:
        text = unquote_to_bytes(folder).decode()
    except UnicodeDecodeError:
        return None
    return text if text and folder_name(text) == folder else None


def is_hashed(folder: str) -> bool:
    """Tell whether the text behind the name stands only inside the folder."""
    return folder.startswith("~")


def log_file(name: str, revision: int) -> str:
    """Return the name of the file that a log starts at a revision; no two have the same."""
    return f"{_encoded(name, _NOT_IN_LOG)}.{revision}.jsonl"


def shared_file(name: str, revision: int, number: int) -> str:
    """Return the name of a file that a fork shares: the one with this number, of those that its log starts from."""
    return f"{_encoded(name, _NOT_IN_LOG)}.{revision}-{number}.jsonl"


def _encoded(text: str, not_kept: re.Pattern[bytes]) -> str:
    raw = text.encode()
    encoded = not_kept.sub(lambda byte: b"%%%02X" % byte[0][0], raw)
    return encoded.decode() if len(encoded) <= MAX_NAME_BYTES else f"~{hashlib.sha256(raw).hexdigest()}"
