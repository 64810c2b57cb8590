"""The rules on arguments that all backends share, so that each refuses the same things in the same words."""

import re
from collections.abc import Collection, Iterable, Mapping
from itertools import chain
from typing import TypeVar

from sessionstore.errors import InvalidArgumentError, RevisionConflictError, StaleBaseError
from sessionstore_server.backends.base import (
    MAX_ID_BYTES,
    NUMBER_ATTRIBUTES,
    TEXT_ATTRIBUTES,
    Change,
    Guard,
    Key,
    ListPosition,
    LogRange,
    Origin,
    Query,
    Request,
    Splice,
    Summary,
)

T = TypeVar("T")

UNKNOWN_BLOBS_FIELD = "blobs"
"""The field of the error of a change that refers to blobs that are not stored."""

ATTRIBUTES = TEXT_ATTRIBUTES + NUMBER_ATTRIBUTES

MIN_NUMBER, MAX_NUMBER = -(1 << 63), (1 << 63) - 1
"""The values of a number attribute."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


def check_key(key: Key) -> None:
    """Refuse a key of which a part is empty, too long, or not UTF-8 text without NUL."""
    check_part("id", key.id)
    check_part("namespace", key.namespace)
    check_part("collection", key.collection)


def check_part(field: str, text: str) -> None:
    """Refuse one part of a key, or what is text like it; `field` names it in the error."""
    _check_not_empty(field, text)
    _check_text(field, text)


def check_request(request: Request | None) -> None:
    """Refuse an id that no key could have, and a digest that is none."""
    if request:
        check_part("request_id", request.id)
        check_digests("request_digest", [request.digest])


def checked_change(change: Change) -> Change:
    """Return a copy that nobody else holds; refuse names that are not text and references that are not digests."""
    for field, names in (("documents", change.documents), ("logs", change.logs)):
        for name in names:
            _check_name(field, name)
    check_digests("blobs", change.blobs or ())
    check_request(change.request)
    return Change(
        {name: None if record is None else bytes(record) for name, record in change.documents.items()},
        {name: splice and _copied(splice) for name, splice in change.logs.items()},
        change.summary and _checked_summary(change.summary),
        None if change.blobs is None else frozenset(change.blobs),
        change.request,
        checked_guard(change.guard),
        change.origin and _checked_origin(change.origin),
    )


def checked_guard(guard: Guard | None) -> Guard | None:
    """Return a copy that nobody else holds; refuse a key that none could be, and a name that is not text."""
    if guard is None:
        return None
    check_key(guard.key)
    _check_name("guard", guard.document)
    return Guard(guard.key, guard.document, bytes(guard.record))


def check_query(query: Query, after: ListPosition | None = None) -> None:
    """Refuse attributes that are not known, values of another type, and a position in another order."""
    for name, text in chain(query.equal.items(), query.prefix.items()):
        _check_attribute(name, text, TEXT_ATTRIBUTES)
    for name, text in query.prefix.items():
        _check_not_empty(name, text)
    for name, number in chain(query.at_least.items(), query.below.items()):
        _check_attribute(name, number, NUMBER_ATTRIBUTES)
    if query.order_by is not None:
        _check_known(query.order_by, ATTRIBUTES)
    if not query.summarized and query != Query(summarized=False):
        raise InvalidArgumentError("summarized", "keys without a summary cannot be selected or ordered: ask for all")
    if after:
        _check_position(query, after)


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
    if splice.length not in (None, length):
        raise StaleBaseError(key.id, name)
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
    gone = [name for name, value in change.items() if value is None]
    if not gone:
        return []
    below = tuple(name for name in gone if name.endswith("/"))
    return [name for name in names if (name in gone or name.startswith(below)) and change.get(name) is None]


def _copied(splice: Splice) -> Splice:
    return Splice(tuple(map(bytes, splice.append)), splice.keep, splice.since, splice.length)


def _checked_summary(summary: Summary) -> Summary:
    for name, value in summary.attributes.items():
        _check_attribute(name, value, ATTRIBUTES)
    return Summary(bytes(summary.record), dict(summary.attributes))


def _checked_origin(origin: Origin) -> Origin:
    check_key(origin.key)
    return origin


def _check_position(query: Query, after: ListPosition) -> None:
    _check_text("after", after.id)
    if (after.value is None) is not (query.order_by is None):
        raise InvalidArgumentError("after", "is a position in another order: repeat the query it came from")
    if after.value is not None and query.order_by is not None:
        _check_attribute(query.order_by, after.value, ATTRIBUTES)


def _check_attribute(name: str, value: str | int, known: tuple[str, ...]) -> None:
    _check_known(name, known)
    if name in TEXT_ATTRIBUTES:
        if not isinstance(value, str):
            raise InvalidArgumentError(name, f"is {value!r}: send text")
        _check_text(name, value)
    elif not isinstance(value, int) or not MIN_NUMBER <= value <= MAX_NUMBER:
        raise InvalidArgumentError(name, f"is {value!r}: send a whole number of 64 bits")


def _check_known(name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise InvalidArgumentError(name, f"is not known here: use one of {', '.join(known)}")


def _check_name(field: str, name: str) -> None:
    _check_not_empty(field, name)
    _utf8(field, name)


def _check_text(field: str, text: str) -> None:
    size = len(text) if text.isascii() else len(_utf8(field, text))
    if size > MAX_ID_BYTES:
        raise InvalidArgumentError(field, f"has {size} bytes of UTF-8: use at most {MAX_ID_BYTES}")
    if "\0" in text:
        raise InvalidArgumentError(field, "holds a NUL character: leave it out")


def _check_not_empty(field: str, text: str) -> None:
    if not text:
        raise InvalidArgumentError(field, "is empty: give at least one character")


def _utf8(field: str, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise InvalidArgumentError(field, "holds a lone surrogate: send well-formed Unicode text") from None
