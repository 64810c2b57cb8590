"""The feed: for each writer a sequence of its commits, and positions that say how far each was read.

A writer commits one batch after the other, so nothing appears later in front of what was read of it; commits of several
writers are in the order of their times, which grow along each writer and along each key.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from sessionstore.errors import InvalidArgumentError, PositionExpiredError
from sessionstore_server.backends.base import Feed, FeedEntry
from sessionstore_server.backends.postgres.database import Database
from sessionstore_server.backends.postgres.pruning import FEED_SECONDS


@dataclass(frozen=True, slots=True)
class _Position:
    """How far the feed was read."""

    incarnation: int
    at: datetime
    """When everything up to here had been read: writers that were silent since long before may be unknown by now."""
    sequences: Mapping[UUID, int]

    def __str__(self) -> str:
        sequences = {writer.hex: sequence for writer, sequence in self.sequences.items()}
        return json.dumps({"incarnation": self.incarnation, "at": self.at.isoformat(), "sequences": sequences})


async def feed_end(database: Database, incarnation: int) -> Feed:
    """Return the present position."""
    rows = await database.fetch("feed_end")
    sequences = {row["writer"]: row["last"] for row in rows if row["writer"]}
    return Feed([], str(_Position(incarnation, rows[0]["at"], sequences)))


async def feed_after(
    database: Database, incarnation: int, namespace: str, collection: str, position: str, limit: int
) -> Feed:
    """Return up to `limit` commits after a position, see `Backend.feed`."""
    known = _parsed(position)
    sequences = list(known.sequences.values())
    rows = await database.fetch("feed", namespace, collection, list(known.sequences), sequences, limit)
    if known.incarnation != incarnation or _is_expired(known, rows):
        raise PositionExpiredError(position)
    told = [row for row in rows if row["sequence"] is not None][:limit]
    entries = [FeedEntry(row["id"], row["revision"], row["commit_time"], row["deleted"]) for row in told]
    is_all = len(told) < limit
    at = rows[0]["at"] if is_all else known.at
    return Feed(entries, str(_Position(incarnation, at, _reached(known, rows, told, is_all=is_all))))


def _is_expired(known: _Position, rows: Sequence[asyncpg.Record]) -> bool:
    if rows[0]["at"] - known.at > timedelta(seconds=FEED_SECONDS):
        return True
    return any(known.sequences.get(row["writer"], 0) < row["first"] - 1 for row in rows if row["writer"])


def _reached(
    known: _Position, rows: Sequence[asyncpg.Record], told: Sequence[asyncpg.Record], *, is_all: bool
) -> dict[UUID, int]:
    """Return how far each writer was read, of those that are still known."""
    if is_all:
        return {row["writer"]: row["last"] for row in rows if row["writer"]}
    reached = {row["writer"]: known.sequences.get(row["writer"], 0) for row in rows}
    reached.update((row["writer"], row["sequence"]) for row in told)
    return {writer: sequence for writer, sequence in reached.items() if sequence}


def _parsed(position: str) -> _Position:
    try:
        parts = json.loads(position)
        sequences = {UUID(writer): int(sequence) for writer, sequence in parts["sequences"].items()}
        at = datetime.fromisoformat(parts["at"])
        return _Position(int(parts["incarnation"]), at, sequences)
    except (ValueError, KeyError, TypeError, AttributeError):
        problem = "is not one of this backend: ask for the present position"
        raise InvalidArgumentError("position", problem) from None
