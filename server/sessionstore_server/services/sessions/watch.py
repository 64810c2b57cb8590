"""Watching: what the feed of the backend tells, as far as the watcher reads."""

from collections.abc import AsyncIterator

from sessionstore.v1 import watch_pb2 as pb
from sessionstore.wire.methods import WATCH_COMMITS
from sessionstore_server.backends.base import Backend, Feed, FeedEntry
from sessionstore_server.services.handlers import Caller, HandlerTable
from sessionstore_server.services.keys import SESSIONS
from sessionstore_server.services.responses import timestamp
from sessionstore_server.services.streams.following import looks

_NOTICES = 1_000
"""The most in one response."""


class WatchService:
    """Answers `sessionstore.v1.WatchService`.

    A watch holds nothing but its position, and reads on when its last response is on the way, so that one that is slow
    costs the writers nothing.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def handlers(self) -> HandlerTable:
        """Return what answers which method."""
        return {WATCH_COMMITS: self.watch_commits}

    async def watch_commits(
        self, request: pb.WatchCommitsRequest, caller: Caller
    ) -> AsyncIterator[pb.WatchCommitsResponse]:
        """Tell the position, then each commit behind it."""
        feed = await self._feed(caller, request.position or None)
        told = request.position or feed.position
        yield pb.WatchCommitsResponse(position=told)
        async for _ in looks(self._backend, None):
            is_behind = True
            while is_behind:
                feed = await self._feed(caller, told)
                # Commits to other things move the position too; a watcher that is not told would fall behind.
                if feed.position != told:
                    told = feed.position
                    yield pb.WatchCommitsResponse(commits=map(_notice, feed.entries), position=told)
                is_behind = bool(feed.entries)

    async def _feed(self, caller: Caller, position: str | None) -> Feed:
        return await self._backend.feed(caller.namespace, SESSIONS, position, _NOTICES)


def _notice(entry: FeedEntry) -> pb.CommitNotice:
    return pb.CommitNotice(
        session_id=entry.id,
        revision=entry.revision,
        commit_time=timestamp(entry.commit_time),
        deleted=entry.deleted,
    )
