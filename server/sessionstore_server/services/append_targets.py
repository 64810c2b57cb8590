"""To what streams append: the trace events of a session, and the events of a run."""

from collections.abc import Sequence

from typing_extensions import override

from sessionstore.errors import InvalidArgumentError, RevisionConflictError
from sessionstore.wire.records import RUN_EVENT, TRACE_EVENT
from sessionstore_server.backends.base import Backend, Change, Key, Splice, View
from sessionstore_server.services.appending import Target, records_of
from sessionstore_server.services.checks import checked_all
from sessionstore_server.services.intake import Batch
from sessionstore_server.services.keys import TRACES, run_events
from sessionstore_server.services.replacing import Draft
from sessionstore_server.services.retention import Retention
from sessionstore_server.services.run_events import NOT_STORED, RunEnd, added_events, check_sequences, read_run_end


class TraceTarget(Target):
    """The trace events of a session, to which several streams may append at once."""

    def __init__(self, key: Key) -> None:
        super().__init__(key, TRACES)

    @override
    async def check_open(self) -> None:
        pass

    @override
    def check(self, batch: Batch, before: Batch | None) -> None:
        checked_all(TRACE_EVENT, "trace_events", batch.records, batch.position)

    @override
    async def draft(self, view: View | None, batches: Sequence[Batch]) -> Draft:
        records = [event.SerializeToString() for event in records_of(batches)]
        splice = Splice(records, length=0)
        if view and self.log in view.logs:
            splice = Splice(records, since=view.revision, length=view.logs[self.log].length)
        # Other writes of the session do not matter, and all calls of one stream make the log longer.
        return Draft(Change(logs={self.log: splice}))


class RunTarget(Target):
    """The events of a stored run, of which as many are kept as `retention` says."""

    def __init__(self, backend: Backend, key: Key, run_id: str, retention: Retention) -> None:
        super().__init__(key, run_events(run_id))
        self._backend, self._run_id, self._retention = backend, run_id, retention

    @override
    async def check_open(self) -> None:
        await self._end()

    @override
    def check(self, batch: Batch, before: Batch | None) -> None:
        checked_all(RUN_EVENT, "run_events", batch.records, batch.position)
        last = before.records[-1].sequence if before else batch.records[0].sequence - 1
        check_sequences("run_events", batch.records, last + 1, batch.position)

    @override
    async def draft(self, view: View | None, batches: Sequence[Batch]) -> Draft:
        end, events = await self._end(), records_of(batches)
        revision = view.revision if view else 0
        if end.revision != revision:
            raise RevisionConflictError(self.key.id, revision, end.revision)
        check_sequences("run_events", events, end.next_sequence, batches[0].position)
        change = await added_events(self._run_id, end, events, self._retention)
        return Draft(change, seen_revision=revision)

    async def _end(self) -> RunEnd:
        end = await read_run_end(self._backend, self.key, self._run_id)
        if end is None:
            raise InvalidArgumentError(field="run_id", problem=NOT_STORED)
        return end
