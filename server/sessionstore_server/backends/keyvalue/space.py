"""Reads keys as they are, and as they were: the items, undone by the entries of every commit since."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from typing import TypeVar

from sessionstore.errors import DataCorruptionError
from sessionstore_server.backends import checks
from sessionstore_server.backends.base import Commit, Key, LogRange, LogView, View
from sessionstore_server.backends.keyvalue import layout, values
from sessionstore_server.backends.keyvalue.engine import KeyValues
from sessionstore_server.backends.keyvalue.layout import DOCUMENT, LOG
from sessionstore_server.backends.keyvalue.values import Head, Log

T = TypeVar("T")

ABSENT = b"-"
"""The undo entry of an item that was not there; the others begin with a plus sign."""

_PAGE = 256


def undo_value(before: bytes | None) -> bytes:
    """Return the undo entry of an item that held `before`."""
    return ABSENT if before is None else b"+" + before


class Space:
    """What stands in an engine, read."""

    def __init__(self, engine: KeyValues) -> None:
        self._engine = engine

    async def between(self, first: bytes, last: bytes, *, page: int = _PAGE) -> AsyncIterator[tuple[bytes, bytes]]:
        """Go through the keys from `first` up to, not including, `last`, so many at a time."""
        while found := await self._engine.scan(first, last, page):
            for pair in found:
                yield pair
            first = found[-1][0] + b"\0"

    async def below(self, prefix: bytes) -> AsyncIterator[tuple[bytes, bytes]]:
        """Go through the keys that begin with `prefix`."""
        async for pair in self.between(prefix, layout.after_all(prefix)):
            yield pair

    async def head(self, key: Key) -> Head:
        """Return the head of a key."""
        at = layout.head(key)
        found = await self._engine.get([at])
        return values.read_head(found[at], key.id) if at in found else Head()

    async def at(self, key: Key, revision: int | None, read: Callable[[Commit], Awaitable[T]]) -> T | None:
        """Return what `read` makes of one revision (None: the present one); None when the key is absent.

        What was read counts if the revision can still be read afterwards: until then nothing of it goes.
        """
        while (head := await self.head(key)).history:
            commit = head.at(key, revision)
            try:
                found = await read(commit)
            except DataCorruptionError:
                if commit in (await self.head(key)).history:
                    raise
            else:
                if commit in (await self.head(key)).history:
                    return found
        return None

    async def items(self, key: Key, names: Collection[str]) -> dict[str, bytes]:
        """Return the present items of these names; one that ends in `/` stands for all that begin with it."""
        prefix = layout.items(key)
        found = dict(await self._engine.get([layout.item(key, name) for name in names if not name.endswith("/")]))
        for name in names:
            if name.endswith("/"):
                found.update([pair async for pair in self.below(layout.item(key, name))])
        return {at.removeprefix(prefix).decode(): value for at, value in found.items()}

    async def items_at(self, key: Key, revision: int, names: Collection[str]) -> dict[str, bytes]:
        """Return the items as they were at a revision."""
        items = await self.items(key, names)
        last = layout.after_all(layout.undos(key))
        undo = [pair async for pair in self.between(layout.undo(key, revision + 1), last)]
        for at, before in reversed(undo):
            items.pop(layout.undone(key, at), None)
            if before != ABSENT:
                items[layout.undone(key, at)] = before[1:]
        return {name: items[name] for name in checks.pick(items, dict.fromkeys(names))}

    async def view(self, key: Key, commit: Commit, documents: Collection[str], ranges: Mapping[str, LogRange]) -> View:
        """Return what a key held at a commit."""
        names = [*(DOCUMENT + name for name in documents if name), *(LOG + name for name in ranges if name)]
        items = await self.items_at(key, commit.revision, names)
        logs = {name: values.read_log(text, f"{key.id}/{name}") for name, text in layout.of_kind(LOG, items).items()}
        spans = checks.pick(logs, ranges)
        views = {name: await self._log_view(logs[name], span) for name, span in spans.items()}
        return View(commit.revision, commit.commit_time, layout.of_kind(DOCUMENT, items), views)

    async def _log_view(self, log: Log, span: LogRange) -> LogView:
        stop = log.length if span.stop is None else min(span.stop, log.length)
        return LogView(await self.records(log, span.start, stop), span.start, log.length, log.shortened_at)

    async def records(self, log: Log, start: int, stop: int) -> list[bytes]:
        """Return the records of a log from `start` up to `stop`. Errors: DataCorruptionError when one is missing."""
        found: list[bytes] = []
        for segment in log.segments:
            first, last = max(start, 0), min(stop, segment.size)
            if first < last:
                found += await self.segment_records(segment.id, first, last)
            start, stop = start - segment.size, stop - segment.size
        return found

    async def segment_records(self, segment: str, first: int, last: int) -> list[bytes]:
        """Return some records of one segment. Errors: DataCorruptionError when one is missing."""
        pieces = self.between(layout.piece(segment, first), layout.piece(segment, last))
        records = [record async for _, record in pieces]
        if len(records) != last - first:
            raise DataCorruptionError(f"segment {segment}", f"{last - first - len(records)} records are missing")
        return records
