"""The keys of the space: what belongs together stands together, and text keeps its order.

Ids hold no NUL, so that NUL ends them; the name of an item may hold any character, and comes last.
"""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from sessionstore_server.backends.base import Key

T = TypeVar("T")

INCARNATION = b"incarnation"
TOMBSTONES = b"tombstone\0"
BLOBS = b"blob\0"
UPLOADS = b"upload\0"
GARBAGE = b"garbage\0"

DOCUMENT, LOG, BLOB, SUMMARY = "document/", "log/", "blob/", "summary"
"""How the names of items begin; the one summary has this name. A blob that the key refers to is an item, too."""

DROPPED = "dropped/"
"""How the names of undo entries begin that stand for a segment which the key needs for its past only."""

_NUMBER_BYTES = 8


def after_all(prefix: bytes) -> bytes:
    """Return what is greater than every key that begins with `prefix`: no part begins with this byte."""
    return prefix + b"\xff"


def heads(namespace: str, collection: str) -> bytes:
    """Return what the heads of a collection begin with; the id follows."""
    return _join(b"head", namespace, collection)


def head(key: Key) -> bytes:
    """Return where the head of a key is."""
    return heads(key.namespace, key.collection) + key.id.encode()


def tombstone(key: Key) -> bytes:
    """Return where it is noted that a key was deleted."""
    return TOMBSTONES + _join(key.namespace, key.collection) + key.id.encode()


def buried(tombstone_key: bytes) -> Key:
    """Return the key to which a tombstone belongs."""
    return Key(*tombstone_key.removeprefix(TOMBSTONES).decode().split("\0"))


def items(key: Key) -> bytes:
    """Return what the items of a key begin with; the name follows."""
    return _join(b"item", *_parts(key))


def item(key: Key, name: str) -> bytes:
    """Return where an item is."""
    return items(key) + _name(name)


def undos(key: Key) -> bytes:
    """Return what the undo entries of a key begin with; revision and name follow."""
    return _join(b"undo", *_parts(key))


def undo(key: Key, revision: int, name: str = "") -> bytes:
    """Return where it is kept what an item was before the commit of a revision."""
    return undos(key) + _number(revision) + _name(name)


def undone(key: Key, undo_key: bytes) -> str:
    """Return the name of the item to which an undo entry belongs."""
    return undo_key.removeprefix(undos(key))[_NUMBER_BYTES:].decode()


def of_kind(kind: str, items: Mapping[str, T]) -> dict[str, T]:
    """Return the items of a kind by the names that callers know."""
    return {name.removeprefix(kind): value for name, value in items.items() if name.startswith(kind)}


def answers(key: Key) -> bytes:
    """Return what the ledger of a key begins with; the revision follows."""
    return _join(b"answer", *_parts(key))


def answer(key: Key, revision: int) -> bytes:
    """Return where the answer is that made a revision."""
    return answers(key) + _number(revision)


def users(shared: str) -> bytes:
    """Return where it is counted how many keys use a segment, by its id, or a blob, by its digest."""
    return b"users\0" + shared.encode()


def pieces(content: str) -> bytes:
    """Return what the pieces of a content begin with; the position follows."""
    return _join(b"piece", content)


def piece(content: str, position: int) -> bytes:
    """Return where one piece is: a record of a segment by its number, a part of a blob by its first byte."""
    return pieces(content) + _number(position)


def number(numbered_key: bytes) -> int:
    """Return the number with which the key of a piece, or of an entry of a feed, ends."""
    return int.from_bytes(numbered_key[-_NUMBER_BYTES:])


def garbage(content: str) -> bytes:
    """Return where it is noted that the pieces of a content may go."""
    return GARBAGE + content.encode()


def blob(digest: str) -> bytes:
    """Return where a blob is described."""
    return BLOBS + digest.encode()


def upload(name: str) -> bytes:
    """Return where an unfinished upload is described."""
    return UPLOADS + name.encode()


def feed_end(namespace: str, collection: str) -> bytes:
    """Return where the commits of a collection are counted."""
    return _join(b"feed_end", namespace, collection)


def feeds(namespace: str, collection: str) -> bytes:
    """Return what the entries of a feed begin with; the number follows."""
    return _join(b"feed", namespace, collection)


def feed(namespace: str, collection: str, number: int) -> bytes:
    """Return where a commit is told."""
    return feeds(namespace, collection) + _number(number)


def _parts(key: Key) -> Iterable[str]:
    return key.namespace, key.collection, key.id


def _join(*parts: str | bytes) -> bytes:
    return b"".join((part.encode() if isinstance(part, str) else part) + b"\0" for part in parts)


def _name(name: str) -> bytes:
    """Return the bytes of a name; one that is not Unicode is never stored, and may be asked for."""
    return name.encode(errors="surrogatepass")


def _number(number: int) -> bytes:
    return number.to_bytes(_NUMBER_BYTES)
