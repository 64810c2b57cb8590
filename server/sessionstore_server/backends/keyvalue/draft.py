"""What one commit writes: items and what they were before, records, counts of what is shared, head and feed."""

import secrets
from collections.abc import Collection, Mapping, Sequence

from sessionstore.errors import DataCorruptionError
from sessionstore_server.backends import checks
from sessionstore_server.backends.base import FEED_KEPT, Change, FeedEntry, Key, Splice
from sessionstore_server.backends.keyvalue import layout, values
from sessionstore_server.backends.keyvalue.layout import BLOB, DOCUMENT, DROPPED, LOG, SUMMARY
from sessionstore_server.backends.keyvalue.space import Space, undo_value
from sessionstore_server.backends.keyvalue.transaction import Transaction
from sessionstore_server.backends.keyvalue.values import Head, Log, Segment

Items = Mapping[str, bytes]


class Draft:
    """The next commit of a key, which is at `head`."""

    def __init__(self, space: Space, transaction: Transaction, key: Key, head: Head) -> None:
        self._space = space
        self._transaction = transaction
        self._key = key
        self._head = head
        self.commit = head.next_commit()

    def forked(self, items: Items) -> dict[str, bytes]:
        """Return what a fork makes of the items of its origin: its logs start now, and share their records."""
        logs = {name: values.read_log(text, name) for name, text in items.items() if name.startswith(LOG)}
        revision = self.commit.revision
        return dict(items) | {name: values.write_log(log.shared(revision)) for name, log in logs.items()}

    async def changed(self, base: Items, change: Change) -> dict[str, bytes]:
        """Return what a change makes of the items of `base`, among which are all that it names."""
        items = dict(base)
        for kind, part in ((DOCUMENT, change.documents), (LOG, change.logs)):
            for name in checks.removed(list(layout.of_kind(kind, base)), part):
                del items[kind + name]
        items |= {DOCUMENT + name: record for name, record in change.documents.items() if record is not None}
        for name, splice in change.logs.items():
            if splice is not None:
                items[LOG + name] = values.write_log(await self._spliced(name, items.get(LOG + name), splice))
        if change.summary:
            items[SUMMARY] = values.write_summary(change.summary)
        if change.blobs is not None:
            items = {name: value for name, value in items.items() if not name.startswith(BLOB)}
            items |= {BLOB + digest: b"" for digest in change.blobs}
        return items

    async def replace(self, before: Items, after: Items, *, deletes: bool = False) -> None:
        """Let the key hold `after` instead of `before`, or, if this `deletes` it, nothing but its revision."""
        taken, given_up = _blobs(after) - _blobs(before), _blobs(before) - _blobs(after)
        segments = _segments(_readable(before) if deletes else before)
        used, dropped = _segments(after) - segments, segments - _segments(after)
        anew = deletes or bool(given_up) or not self._head.history
        summary = after.get(SUMMARY, self._head.summary)
        head = Head(self.commit) if deletes else self._head.followed_by(self.commit, summary, anew=anew)
        self._store(before, after)
        released = await self._forget(None if anew else head.history[0].revision)
        if anew:
            released |= dropped
        else:
            self._keep_past(before, after, dropped)
        await self._recount_blobs(taken, given_up)
        await self._recount_segments(used, released)
        self._store_head(head)
        await self._tell(deleted=deletes)

    async def _spliced(self, name: str, text: bytes | None, splice: Splice) -> Log:
        log = values.read_log(text, f"{self._key.id}/{name}") if text else Log((), self.commit.revision, is_open=False)
        shortened_at = log.shortened_at if text else None
        checks.check_base(self._key, name, splice, log.length, shortened_at, self._head.revision)
        log = log.cut(checks.kept_records(name, splice, log.length), self.commit.revision)
        return await self._appended(log, splice.append) if splice.append else log

    async def _appended(self, log: Log, records: Sequence[bytes]) -> Log:
        *segments, last = log.segments if log.is_open else (*log.segments, Segment(secrets.token_hex(16), 0))
        # A log that is shortened again and again would have ever more segments: the new one takes over the short ones
        # before it, so that a log of n records has about log n segments, and each record is copied about so often.
        while not log.is_open and segments and segments[-1].size <= len(records):
            taken_over = segments.pop()
            records = [*await self._space.segment_records(taken_over.id, 0, taken_over.size), *records]
        for position, record in enumerate(records, start=last.size):
            self._transaction.put(layout.piece(last.id, position), record)
        grown = last._replace(size=last.size + len(records))
        return Log((*segments, grown), log.shortened_at, is_open=True)

    def _store(self, before: Items, after: Items) -> None:
        for name in before.keys() - after.keys():
            self._transaction.delete(layout.item(self._key, name))
        for name, value in after.items():
            if before.get(name) != value:
                self._transaction.put(layout.item(self._key, name), value)

    def _keep_past(self, before: Items, after: Items, dropped: Collection[str]) -> None:
        """Write how the revision before this one is read, and which segments are needed for that only."""
        revision = self.commit.revision
        for name in before.keys() | after.keys():
            if before.get(name) != after.get(name):
                self._transaction.put(layout.undo(self._key, revision, name), undo_value(before.get(name)))
        for segment in dropped:
            self._transaction.put(layout.undo(self._key, revision, DROPPED + segment), b"")

    async def _forget(self, oldest: int | None) -> set[str]:
        """Drop what only reads before the `oldest` revision need (None: any); return the segments among it."""
        end = layout.after_all(layout.undos(self._key)) if oldest is None else layout.undo(self._key, oldest + 1)
        gone = [at async for at, _ in self._space.between(layout.undos(self._key), end)]
        for at in gone:
            self._transaction.delete(at)
        return set(layout.of_kind(DROPPED, dict.fromkeys(layout.undone(self._key, at) for at in gone)))

    async def _recount_blobs(self, taken: Collection[str], given_up: Collection[str]) -> None:
        stored = await self._transaction.seen(map(layout.blob, [*taken, *given_up]))
        if missing := {digest for digest in taken if layout.blob(digest) not in stored}:
            raise checks.unknown_blobs(missing)
        for digest in await self._recount(taken, given_up):
            self._transaction.delete(layout.blob(digest))
            self._transaction.discard(values.read_blob(stored[layout.blob(digest)], digest).content)

    async def _recount_segments(self, used: Collection[str], released: Collection[str]) -> None:
        for segment in await self._recount(used, released):
            self._transaction.discard(segment)

    async def _recount(self, more: Collection[str], less: Collection[str]) -> list[str]:
        """Count this key in or out as a user of what keys share; return what has no user any more."""
        changes = dict.fromkeys(more, 1) | dict.fromkeys(less, -1)
        counts = await self._transaction.seen(map(layout.users, changes))
        unused = []
        for shared, change in changes.items():
            at = layout.users(shared)
            count = values.read_number(counts.get(at, b"0"), shared) + change
            if count > 0:
                self._transaction.put(at, values.write_number(count))
            else:
                self._transaction.delete(at)
                unused.append(shared)
        return unused

    def _store_head(self, head: Head) -> None:
        self._transaction.put(layout.head(self._key), values.write_head(head))
        if head.history:
            self._transaction.delete(layout.tombstone(self._key))
        else:
            self._transaction.put(layout.tombstone(self._key), b"")

    async def _tell(self, *, deleted: bool) -> None:
        place = self._key.namespace, self._key.collection
        end = await self._transaction.seen_one(layout.feed_end(*place))
        number = values.read_number(end or b"0", self._key.collection) + 1
        entry = FeedEntry(self._key.id, self.commit.revision, self.commit.commit_time, deleted)
        self._transaction.put(layout.feed_end(*place), values.write_number(number))
        self._transaction.put(layout.feed(*place, number), values.write_entry(entry))
        if number > FEED_KEPT:
            self._transaction.delete(layout.feed(*place, number - FEED_KEPT))


def _blobs(items: Items) -> set[str]:
    """Return the digests of the blobs to which items refer."""
    return set(layout.of_kind(BLOB, items))


def _segments(items: Items) -> set[str]:
    """Return the segments of which logs are made."""
    logs = [values.read_log(text, name) for name, text in layout.of_kind(LOG, items).items()]
    return {segment.id for log in logs for segment in log.segments}


def _readable(items: Items) -> dict[str, bytes]:
    """Return items without the logs that cannot be read: a deletion leaves their records."""
    readable = dict(items)
    for name in layout.of_kind(LOG, items):
        try:
            values.read_log(items[LOG + name], name)
        except DataCorruptionError:
            del readable[LOG + name]
    return readable
