"""Ranges of text in the order of its UTF-8 bytes, in which SQLite compares it."""

from typing import NamedTuple

_LAST = "\U0010ffff"
_SURROGATES = range(0xD800, 0xE000)


class Span(NamedTuple):
    """Text from `first` up to, not including, `behind`."""

    first: str
    behind: str


def matching(name: str) -> Span:
    """Return the span of what a wanted name stands for: itself, or all that starts with it if it ends in `/`."""
    return Span(name, name[:-1] + chr(ord("/") + 1) if name.endswith("/") else name + "\0")


def behind_prefix(prefix: str) -> str | None:
    """Return the least text behind all that starts with `prefix`; None when there is none."""
    stem = prefix.rstrip(_LAST)
    if not stem:
        return None
    following = ord(stem[-1]) + 1
    return stem[:-1] + chr(_SURROGATES.stop if following in _SURROGATES else following)
