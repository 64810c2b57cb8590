"""Streams that append events: all batches that wait while a commit is under way are committed together.

How far a stream has come stands in a document of its own, its mark, which each commit of the stream moves on together
with the log. So a stream that was cut off, also by a restart of the server, goes on behind what is in, and when the
call that was cut off still commits something, the later call notices that the mark has moved.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from sessionstore.errors import (
    InvalidArgumentError,
    RequestIdReusedError,
    RevisionConflictError,
    RevisionNotKeptError,
    StaleBaseError,
    StaleLeaseError,
    StoreUnavailableError,
)
from sessionstore.v1.append_pb2 import AppendStart
from sessionstore.v1.storage_pb2 import StoredAppend
from sessionstore_server.backends.base import Backend, Commit, GuardError, Key, LogRange, View
from sessionstore_server.backends.checks import check_part
from sessionstore_server.services.aside import aside
from sessionstore_server.services.checks import MAX_COUNT
from sessionstore_server.services.keys import APPEND_PREFIX
from sessionstore_server.services.replacing import Draft
from sessionstore_server.services.streams.intake import Batch, Intake
from sessionstore_server.services.turns import ATTEMPTS, Turns, overtaken, pause
from sessionstore_server.services.writes import lease_guard

MARKS_KEPT = 64
"""How many streams of a session can go on after a cut: those that appended last."""


class Target(ABC):
    """The log to which a stream appends."""

    def __init__(self, key: Key, log: str, field: str, documents: Sequence[str] = ()) -> None:
        self.key, self.log = key, log
        self.field = field
        """The name that the records have in a batch."""
        self.documents = documents
        """What a view has to show, beside the length of the log."""

    @abstractmethod
    def check_open(self, view: View | None) -> None:
        """Refuse a stream whose log cannot be appended to. Errors: InvalidArgumentError."""

    @abstractmethod
    def checked(self, messages: Sequence[Any], first: int) -> Iterator[bytes]:
        """Yield the records that keep the next messages of this call; they begin at `first` of the stream.

        Errors: InvalidArgumentError for one that no reader could take, or that does not follow those before.
        """

    @abstractmethod
    async def draft(self, view: View | None, records: Sequence[bytes], first: int) -> Draft:
        """Return what appends the records to the log as it is in `view`, and to no other.

        Errors: RevisionNotKeptError when something else is stored by now; InvalidArgumentError.
        """


class Appender:
    """One call that appends to `target`, for the stream that `start` names."""

    def __init__(self, backend: Backend, turns: Turns, target: Target, start: AppendStart) -> None:
        self._backend, self._turns, self._target, self._start = backend, turns, target, start
        self._mark_name = APPEND_PREFIX + start.stream_id
        self._mark = b""
        """As this call last saw or wrote it; empty when there was none."""
        self._position, self._revision = start.position, 0
        """How many records of the stream are durable, and the revision of the session then."""

    async def progress(self, steps: AsyncIterator[Any]) -> AsyncIterator[tuple[int, int]]:
        """Commit what comes; yield how many records of the stream are durable, first where the batches have to begin.

        With it comes the revision of the session. Errors: InvalidArgumentError, RequestIdReusedError, StaleLeaseError;
        StoreUnavailableError when another call went on with the stream.
        """
        await self._open()
        yield self._position, self._revision
        intake = Intake()
        filling = asyncio.create_task(intake.fill(self._batches(steps)))
        try:
            while taken := await intake.take():
                await self._commit(taken)
                yield self._position, self._revision
            await filling
        finally:
            filling.cancel()
            await asyncio.gather(filling, return_exceptions=True)

    async def _open(self) -> None:
        if self._start.stream_id:
            check_part("start.stream_id", self._start.stream_id)
        view = await self._read()
        self._target.check_open(view)
        self._mark = self._stored_mark(view)
        mark = StoredAppend.FromString(self._mark)
        if not self._mark and self._may_be_forgotten(view):
            problem = "is no longer known: read what is stored, and go on in a new stream"
            raise InvalidArgumentError(field="start.stream_id", problem=problem)
        if self._mark and mark.log != self._target.log:
            raise RequestIdReusedError(request_id=self._start.stream_id)
        self._position = max(self._start.position, mark.count)
        self._revision = view.revision if view else 0

    def _may_be_forgotten(self, view: View | None) -> bool:
        """Tell whether the stream may have had a mark: all that are left are newer than its beginning.

        A stream that has come anywhere did not begin now, also when the caller does not say when it began.
        """
        is_new = not (self._start.position or self._start.HasField("opened_revision"))
        revisions = [mark.revision for mark in self._other_marks(view).values()]
        return not is_new and len(revisions) >= MARKS_KEPT and min(revisions) > self._start.opened_revision

    async def _batches(self, steps: AsyncIterator[Any]) -> AsyncIterator[Batch]:
        position = self._position
        async for step in steps:
            if not step.HasField("batch"):
                raise InvalidArgumentError(field="batch", problem="must be in every message but the first")
            messages = getattr(step.batch, self._target.field)
            _check_position(step.batch.position, position, len(messages))
            size = step.ByteSize()
            records, refusal = await aside(size, _until_refused, self._target, messages, position)
            if records:
                yield Batch(position, records, size)
                position += len(records)
            if refusal:
                raise refusal

    async def _commit(self, batches: Sequence[Batch]) -> None:
        async with self._turns.of(self._target.key):
            for attempt in range(ATTEMPTS):
                try:
                    committed = await self._try_commit(batches)
                except (RevisionConflictError, RevisionNotKeptError, StaleBaseError):
                    await pause(attempt)
                    continue
                self._position, self._revision = batches[-1].stop, committed.revision
                return
        raise overtaken(self._target.key)

    async def _try_commit(self, batches: Sequence[Batch]) -> Commit:
        view = await self._read()
        self._check_mark(view)
        revision, stop = view.revision if view else 0, batches[-1].stop
        mark = StoredAppend(log=self._target.log, count=stop, revision=revision + 1).SerializeToString()
        records = list(chain.from_iterable(batch.records for batch in batches))
        draft = await self._target.draft(view, records, batches[0].position)
        documents = {**draft.change.documents, **self._marks(view, mark)}
        guard = lease_guard(self._target.key, self._start)
        changed = replace(draft.change, documents=documents, guard=guard)
        try:
            committed = await self._backend.commit(self._target.key, changed, draft.seen_revision)
        except GuardError as error:
            raise StaleLeaseError(id=self._target.key.id, epoch=self._start.lease_epoch) from error
        self._mark = mark
        return committed

    async def _read(self) -> View | None:
        """Read what the target needs, the mark, and as long as the stream has none those of the other streams, too."""
        marks = self._mark_name if self._mark else APPEND_PREFIX
        documents, logs = (marks, *self._target.documents), {self._target.log: LogRange(0, 0)}
        return await self._backend.read(self._target.key, documents, logs)

    def _check_mark(self, view: View | None) -> None:
        """Refuse to go on when another call of the same stream did; a mark that went, with the session, is no sign."""
        if self._stored_mark(view) not in (b"", self._mark):
            problem = "another call of the stream went on; open it again"
            raise StoreUnavailableError(target=f"the stream {self._start.stream_id!r}", problem=problem)

    def _stored_mark(self, view: View | None) -> bytes:
        return view.documents.get(self._mark_name, b"") if view else b""

    def _other_marks(self, view: View | None) -> dict[str, StoredAppend]:
        documents = view.documents.items() if view else ()
        return {
            name: StoredAppend.FromString(mark)
            for name, mark in documents
            if name.startswith(APPEND_PREFIX) and name != self._mark_name
        }

    def _marks(self, view: View | None, mark: bytes) -> dict[str, bytes | None]:
        """Return the new mark, and what removes the oldest of the others when they are too many."""
        if not self._start.stream_id:
            return {}
        others = self._other_marks(view)
        oldest_first = sorted(others, key=lambda name: others[name].revision)
        return {**dict.fromkeys(oldest_first[: max(0, len(others) - MARKS_KEPT + 1)]), self._mark_name: mark}


async def first_step(steps: AsyncIterator[Any]) -> AppendStart:
    """Return the start of a stream. Errors: InvalidArgumentError when it begins with something else."""
    step = await anext(steps, None)
    if step is None or not step.HasField("start"):
        raise InvalidArgumentError(field="start", problem="must be the first message of the stream")
    start: AppendStart = step.start
    return start


def _until_refused(
    target: Target, messages: Sequence[Any], first: int
) -> tuple[Sequence[bytes], InvalidArgumentError | None]:
    """Return the records before the first message that is refused, and why that is; None when none is."""
    taken: list[bytes] = []
    try:
        for record in target.checked(messages, first):
            taken.append(record)  # noqa: PERF402 - what came before an error stays
    except InvalidArgumentError as error:
        return taken, error
    return taken, None


def _check_position(position: int, wanted: int, count: int) -> None:
    """Refuse a batch of `count` records that does not begin where it has to."""
    if position != wanted:
        problem = f"must be {wanted}, where the batch before ended, not {position}"
        raise InvalidArgumentError(field="batch.position", problem=problem)
    if position > MAX_COUNT - count:
        problem = f"must leave room for the records of the batch, since {MAX_COUNT} are the most"
        raise InvalidArgumentError(field="batch.position", problem=problem)
