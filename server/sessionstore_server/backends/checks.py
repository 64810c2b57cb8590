"""The rules on arguments that all backends share, so that each refuses the same things in the same words."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from sessionstore.errors import InvalidArgumentError, RevisionConflictError, StaleBaseError
from sessionstore_server.backends.base import MAX_ID_BYTES, Change, Key, LogRange, Request, Splice

T = TypeVar("T")

UNKNOWN_BLOBS_FIELD = "blobs"
"""The field of the error of a change that refers to blobs that are not stored."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


def check_key(key: Key) -> None:
    """Refuse a key of which a part is empty, too long, or not UTF-8 text without NUL."""
    check_part("id", key.id)
    check_part("namespace", key.namespace)
    check_part("collection", key.collection)


def check_part(field: str, text: str) -> None:
    """Refuse one part of a key, or what is text like it; `field` names it in the error."""
    size = len(_utf8(field, text))
    if size > MAX_ID_BYTES:
        raise InvalidArgumentError(field, f"has {size} bytes of UTF-8: use at most {MAX_ID_BYTES}")
    if "\0" in text:
        raise InvalidArgumentError(field, "holds a NUL character: leave it out")


def check_request(request: Request | None) -> None:
    """Refuse an id that no key could have, and a digest that is none."""
    if request:
        check_part("request_id", request.id)
        check_digests("request_digest", [request.digest])


def checked_change(change: Change) -> Change:
    """Return a copy that nobody else holds; refuse names that are not text and references that are not digests."""
    for name in change.documents:
        _utf8("documents", name)
    for name in change.logs:
        _utf8("logs", name)
    check_digests("blobs", change.blobs or ())
    check_request(change.request)
    return Change(
        {name: None if record is None else bytes(record) for name, record in change.documents.items()},
        {
            name: splice and replace(splice, append=tuple(map(bytes, splice.append)))
            for name, splice in change.logs.items()
        },
        None if change.summary is None else bytes(change.summary),
        None if change.blobs is None else frozenset(change.blobs),
        change.request,
    )


def check_digests(field: str, digests: Iterable[str]) -> None:
    """Refuse what is not a sha256 in lower-case hex."""
    for digest in digests:
        if not is_digest(digest):
            raise InvalidArgumentError(field, f"{digest!r} is not a sha256: send 64 lower-case hex digits")


def is_digest(text: str) -> bool:
    """Tell whether `text` is a sha256 in lower-case hex."""
    return _DIGEST.fullmatch(text) is not None


def check_range(field: str, start: int, stop: int | None) -> None:
    """Refuse a range that counts from the end."""
    if start < 0 or (stop is not None and stop < 0):
        raise InvalidArgumentError(field, f"the range {start} to {stop} is negative: count from 0")


def checked_ranges(logs: Mapping[str, LogRange] | None) -> dict[str, LogRange]:
    """Return a copy that nobody else holds; refuse a range that counts from the end."""
    ranges = dict(logs or {})
    for name, span in ranges.items():
        check_range(f"logs[{name!r}]", span.start, span.stop)
    return ranges


def check_revision(key: Key, expected: int | None, actual: int) -> None:
    """Refuse a change that was made for another revision than the present one."""
    if expected is not None and expected != actual:
        raise RevisionConflictError(key.id, expected, actual)


def check_base(key: Key, name: str, splice: Splice, length: int, shortened_at: int | None, revision: int) -> None:
    """Refuse a splice made on records that are no longer there, or never were, at a key that is at `revision`.

    `shortened_at` is None for a log that is absent.
    """
    if splice.since is None:
        return
    seen = shortened_at is not None and shortened_at <= splice.since <= revision
    if not seen or length < (splice.keep or 0):
        raise StaleBaseError(key.id, name)


def kept_records(name: str, splice: Splice, length: int) -> int:
    """Return how many of the `length` records of the log `name` stay, or refuse to keep more than there are."""
    if splice.keep is None:
        return length
    if not 0 <= splice.keep <= length:
        raise InvalidArgumentError(f"logs[{name!r}].keep", f"is {splice.keep}, but the log has {length} records")
    return splice.keep


def unknown_blobs(missing: Collection[str]) -> InvalidArgumentError:
    """Describe references to blobs that are not stored."""
    return InvalidArgumentError(UNKNOWN_BLOBS_FIELD, f"not stored: {', '.join(sorted(missing))}; put them first")


def pick(names: Collection[str], wanted: Mapping[str, T]) -> dict[str, T]:
    """Map each of `names` that is wanted to what is wanted of it.

    A wanted name that ends in `/` stands for every name that starts with it; the longest one counts, and an
    exact name before any of them.
    """
    picked: dict[str, T] = {}
    for prefix in sorted(name for name in wanted if name.endswith("/")):
        picked.update((name, wanted[prefix]) for name in names if name.startswith(prefix))
    picked.update((name, value) for name, value in wanted.items() if name in names)
    return picked


def removed(names: Collection[str], change: Mapping[str, object | None]) -> list[str]:
    """Return which of `names` a change of documents or logs removes: None stands for a name, or all below `name/`."""
    gone = tuple(name for name, value in change.items() if value is None)
    below = tuple(name for name in gone if name.endswith("/"))
    return [name for name in names if (name in gone or name.startswith(below)) and change.get(name) is None]


def _utf8(field: str, text: str) -> bytes:
    if not text:
        raise InvalidArgumentError(field, "is empty: give at least one character")
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise InvalidArgumentError(field, "holds a lone surrogate: send well-formed Unicode text") from None
