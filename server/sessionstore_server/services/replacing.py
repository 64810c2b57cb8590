"""Replaces whole documents and lists of records at the price of what changed.

A service says what a key is to hold; what is stored already, and stays, is not written again. Content that is kept in
blobs is stored before the commit that refers to it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from operator import eq
from typing import Any, TypeVar

from google.protobuf.message import Message

from sessionstore.errors import InvalidArgumentError, RevisionConflictError, StaleBaseError
from sessionstore_server.backends.base import Backend, Change, Key, LogRange, Splice, Summary, View
from sessionstore_server.backends.checks import UNKNOWN_BLOBS_FIELD
from sessionstore_server.services.turns import ATTEMPTS, overtaken, pause
from sessionstore_server.services.writes import commit, expected_revision

R = TypeVar("R", bound=Message)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What some documents and logs of a key are to hold; what is not named stays as it is."""

    documents: Mapping[str, bytes] = field(default_factory=dict)
    logs: Mapping[str, Sequence[bytes]] = field(default_factory=dict)
    below: str | None = None
    """A prefix, ending in `/`, of names of which none may stay that is not wanted."""
    summary: Summary | None = None
    contents: Mapping[str, bytes] | None = None
    """The content, by sha256, of all the blobs that the key is to refer to; None: these stay as they are."""

    def change(self, view: View | None) -> Change:
        """Return the change that leads there from anything; `view` only tells which records of the logs can be kept."""
        gone = dict.fromkeys([self.below] if self.below else [])
        spliced = {name: _replaced(view, name, records) for name, records in self.logs.items()}
        blobs = None if self.contents is None else frozenset(self.contents)
        return Change({**gone, **self.documents}, {**gone, **spliced}, self.summary, blobs)

    def difference(self, view: View) -> Change:
        """Return the change that leads there from `view`, and from nothing else: what is stored is left out."""
        change = self.change(view)
        documents = {name: record for name, record in self.documents.items() if view.documents.get(name) != record}
        logs = {name: splice for name, splice in change.logs.items() if splice and not _keeps_all(view, name, splice)}
        gone = dict.fromkeys(_gone(self.below, view.documents, self.documents))
        gone_logs = dict.fromkeys(_gone(self.below, view.logs, self.logs))
        return replace(change, documents={**gone, **documents}, logs={**gone_logs, **logs})


@dataclass(frozen=True, slots=True)
class Draft:
    """A change made of what a key was seen to hold."""

    change: Change
    contents: Mapping[str, bytes] = field(default_factory=dict)
    """By sha256: the content of blobs to which the change refers, and which need not be stored yet."""
    seen_revision: int | None = None
    """The only revision on which the change may be made; None: it leads to the same from anything."""


def merged(changes: Iterable[Change]) -> Change:
    """Return what does all the changes in one; where two name the same, the later one counts."""
    result = Change()
    for change in changes:
        result = Change(
            {**result.documents, **change.documents},
            {**result.logs, **change.logs},
            result.summary if change.summary is None else change.summary,
            result.blobs if change.blobs is None else change.blobs,
        )
    return result


async def commit_wanted(
    backend: Backend,
    key: Key,
    wanted: Wanted,
    request: Any,  # noqa: ANN401 - any write
    response: Callable[..., R],
    digest: str | None = None,
) -> R:
    """Commit what leads from what `key` holds to what is wanted; see `commit` for the other arguments.

    From the second attempt on it is a change that no other write disturbs, unless it shortens a log.
    """
    prefix = (wanted.below,) if wanted.below else ()

    async def draft(attempt: int) -> Draft:
        ranges = dict.fromkeys((*wanted.logs, *prefix), LogRange())
        view = await backend.read(key, (*wanted.documents, *prefix), ranges)
        if view and not attempt and expected_revision(request) in (None, view.revision):
            return Draft(wanted.difference(view), wanted.contents or {}, view.revision)
        return Draft(wanted.change(view), wanted.contents or {})

    return await commit_drafted(backend, key, draft, request, response, digest)


async def commit_drafted(
    backend: Backend,
    key: Key,
    draft: Callable[[int], Awaitable[Draft]],
    request: Any,  # noqa: ANN401 - any write
    response: Callable[..., R],
    digest: str | None = None,
) -> R:
    """Commit what `draft`, given the number of the attempt, makes; see `commit` for the other arguments.

    Another call may write, shorten a log or take the last reference to a blob in between; then it is drafted again.
    """
    for attempt in range(ATTEMPTS):
        drafted = await draft(attempt)
        await _store(backend, drafted.contents)
        try:
            return await commit(backend, key, drafted.change, request, response, digest, drafted.seen_revision)
        except (RevisionConflictError, StaleBaseError, InvalidArgumentError) as error:
            if not _is_overtaken(error, drafted, request):
                raise
        await pause(attempt)
    raise overtaken(key)


def _is_overtaken(error: Exception, drafted: Draft, request: Any) -> bool:  # noqa: ANN401 - any write
    """Tell whether a change failed for what another call did since it was drafted."""
    if isinstance(error, RevisionConflictError):
        return expected_revision(request) is None
    if isinstance(error, InvalidArgumentError):
        return error.field == UNKNOWN_BLOBS_FIELD
    return drafted.seen_revision is None


def _gone(below: str | None, stored: Mapping[str, object], wanted: Mapping[str, object]) -> list[str]:
    if below is None:
        return []
    return [name for name in stored if name.startswith(below) and name not in wanted]


def _keeps_all(view: View, log: str, splice: Splice) -> bool:
    return log in view.logs and not splice.append and splice.keep == view.logs[log].length


def _replaced(view: View | None, log: str, records: Sequence[bytes]) -> Splice:
    if view is None or log not in view.logs:
        return Splice(append=records, keep=0)
    kept = sum(takewhile(bool, map(eq, view.logs[log].records, records)))
    return Splice(append=records[kept:], keep=kept, since=view.revision)


async def _store(backend: Backend, contents: Mapping[str, bytes]) -> None:
    for digest in await backend.missing_blobs(contents):
        await backend.put_blob(digest, _once(contents[digest]))


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
