"""Reads of one key, each one statement and so of one moment."""

import struct
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from operator import itemgetter

import asyncpg

from sessionstore.errors import DataCorruptionError, RevisionNotKeptError
from sessionstore_server.backends import checks
from sessionstore_server.backends.base import REVISIONS_KEPT, Commit, Key, LogRange, LogView, View
from sessionstore_server.backends.postgres.chunks import unpacked
from sessionstore_server.backends.postgres.database import Database
from sessionstore_server.backends.postgres.states import is_kept, name_id, stored


class _Part(IntEnum):
    """What a row tells of, in the statement `read`."""

    KEY = 0
    DOCUMENT = 1
    LOG = 2
    CHUNK = 3


@dataclass(slots=True)
class _Found:
    """What the statement `read` returned, by its parts."""

    keys: list[asyncpg.Record] = field(default_factory=list)
    documents: dict[str, bytes] = field(default_factory=dict)
    logs: dict[str, asyncpg.Record] = field(default_factory=dict)
    chunks: defaultdict[bytes, list[asyncpg.Record]] = field(default_factory=lambda: defaultdict(list))
    """By the names of the logs, as they are stored."""


async def read(
    database: Database, key: Key, documents: Collection[str], logs: Mapping[str, LogRange], revision: int | None
) -> View | None:
    """Return a view of a key, see `Backend.read`."""
    ranges = [(name, stored(span.start), stored(span.stop)) for name, span in logs.items()]
    below = [one for one in ranges if one[0].endswith("/")]
    rows = await database.fetch(
        "read",
        key.namespace,
        key.collection,
        key.id,
        None if revision is None else stored(revision),
        [name_id(name) for name in documents],
        [name.encode() for name in documents if name.endswith("/")],
        [name_id(name) for name, _, _ in ranges],
        [start for _, start, _ in ranges],
        [stop for _, _, stop in ranges],
        [name.encode() for name, _, _ in below],
        [start for _, start, _ in below],
        [stop for _, _, stop in below],
    )
    found = _sorted_out(rows)
    if not found.keys:
        return None
    head = found.keys[0]
    if revision is not None and not is_kept(revision, head["other"], head["bound"]):
        raise RevisionNotKeptError(key.id, revision)
    if head["number"] is None:
        raise DataCorruptionError(f"{key.collection} {key.id!r}", "its last commit is missing")
    spans = checks.pick(found.logs, logs)
    views = {name: _view(key, name, found, span) for name, span in spans.items()}
    return View(head["number"], head["commit_time"], found.documents, views)


async def history(database: Database, key: Key) -> Sequence[Commit]:
    """Return the revisions that are kept, see `Backend.history`."""
    rows = await database.fetch("history", key.namespace, key.collection, key.id, REVISIONS_KEPT)
    return [Commit(row["revision"], row["commit_time"]) for row in rows]


def _sorted_out(rows: Sequence[asyncpg.Record]) -> _Found:
    found = _Found()
    for row in rows:
        match row["part"]:
            # First, since these are the most.
            case _Part.CHUNK:
                found.chunks[row["name"]].append(row)
            case _Part.KEY:
                found.keys.append(row)
            case _Part.DOCUMENT:
                found.documents[row["name"].decode()] = row["content"]
            case _Part.LOG:
                found.logs[row["name"].decode()] = row
    return found


def _view(key: Key, name: str, found: _Found, span: LogRange) -> LogView:
    length: int = found.logs[name]["number"]
    stop = length if span.stop is None else min(span.stop, length)
    problem = f"records of the log {name!r} are missing"
    try:
        records = _records(found.chunks[name.encode()], span.start)
    except struct.error as error:
        raise DataCorruptionError(f"{key.collection} {key.id!r}", f"{problem}: {error}") from error
    if len(records) != max(stop - span.start, 0):
        raise DataCorruptionError(f"{key.collection} {key.id!r}", problem)
    return LogView(tuple(records), span.start, length, found.logs[name]["other"])


def _records(chunks: Sequence[asyncpg.Record], start: int) -> list[bytes]:
    """Return the records from a position on, as far as there is no gap. Errors: struct.error."""
    records: list[bytes] = []
    for chunk in sorted(chunks, key=itemgetter("number")):
        position, stop = chunk["number"], chunk["other"]
        first = start + len(records)
        if position <= first:
            records += unpacked(chunk["content"], stop - position)[first - position : chunk["bound"] - position]
    return records
