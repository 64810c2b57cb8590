"""Reads the feeds of the key-value backend: the commits of a collection have numbers, and positions count them."""

import re

from sessionstore.errors import InvalidArgumentError, PositionExpiredError
from sessionstore_server.backends.base import Feed
from sessionstore_server.backends.keyvalue import layout, values
from sessionstore_server.backends.keyvalue.engine import KeyValues

_POSITION = re.compile(r"([0-9]{1,19})-([0-9]{1,19})")


async def read_feed(
    engine: KeyValues, incarnation: int, place: tuple[str, str], position: str | None, limit: int
) -> Feed:
    """Return up to `limit` commits of one namespace and collection after a position, see `Backend.feed`."""
    if position is None:
        return Feed([], f"{incarnation}-{await _end(engine, place)}")
    number = _number(incarnation, position)
    first, last = layout.feed(*place, number + 1), layout.after_all(layout.feeds(*place))
    found = await engine.scan(first, last, limit)
    if _is_gap(number, await _end(engine, place), [layout.number(at) for at, _ in found]):
        raise PositionExpiredError(position)
    return Feed([values.read_entry(text, place[1]) for _, text in found], f"{incarnation}-{number + len(found)}")


def _is_gap(number: int, end: int, found: list[int]) -> bool:
    """Tell whether commits after `number` are no longer known, or it is ahead of the end: of data that went back."""
    return number > end or (bool(found) and found[0] != number + 1)


async def _end(engine: KeyValues, place: tuple[str, str]) -> int:
    at = layout.feed_end(*place)
    return values.read_number((await engine.get([at])).get(at, b"0"), place[1])


def _number(incarnation: int, position: str) -> int:
    found = _POSITION.fullmatch(position)
    if found is None:
        raise InvalidArgumentError("position", "is not one of this backend: ask for the present position")
    if int(found[1]) != incarnation:
        raise PositionExpiredError(position)
    return int(found[2])
