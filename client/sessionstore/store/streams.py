"""Trace events and run events as streams: appended batch by batch, read page by page, followed live."""

from collections.abc import AsyncIterable, AsyncIterator, Sequence

from sessionstore.model import RunEventPage, RunEventRecord, TraceEvent
from sessionstore.store.base import StoreBase
from sessionstore.store.values import TraceEventPage


class StreamOperations(StoreBase):
    """An appending stream takes batches as fast as they become durable, and no faster.

    When the connection is lost it goes on by itself; every event is stored once.
    """

    def append_trace_events(
        self, session_id: str, batches: AsyncIterable[Sequence[TraceEvent]], *, lease_epoch: int | None = None
    ) -> AsyncIterator[int]:
        """Add trace events to a session; yield how many of them are durable, whenever more are.

        It ends when `batches` end and everything is durable. Errors: InvalidArgumentError for a bad event,
        StaleLeaseError; what was durable before stays.
        """
        return self._refusal("append_trace_events")

    def append_run_events(
        self,
        session_id: str,
        run_id: str,
        batches: AsyncIterable[Sequence[RunEventRecord]],
        *,
        lease_epoch: int | None = None,
    ) -> AsyncIterator[int]:
        """Add events to a stored run, whose sequences go on where those of the run end; see `append_trace_events`.

        Errors: InvalidArgumentError also when the run is not stored, or a sequence does not follow.
        """
        return self._refusal("append_run_events")

    async def read_trace_events(self, session_id: str, position: int = 0, page_size: int = 0) -> TraceEventPage | None:
        """Return some of the session's trace events, from a position on; None when none were ever saved.

        `page_size` 0 means 100, more than 1,000 means 1,000; a page may have fewer and more may follow all the same.
        """
        self._refuse("read_trace_events")

    async def read_run_events(
        self, session_id: str, run_id: str, after_sequence: int | None = None, page_size: int = 0
    ) -> RunEventPage | None:
        """Return some events of a run, behind a cursor; None when the run is not stored. See `read_trace_events`."""
        self._refuse("read_run_events")

    def follow_trace_events(self, session_id: str, position: int = 0) -> AsyncIterator[TraceEvent]:
        """Yield the session's trace events from a position on, and then those that are added, without end."""
        return self._refusal("follow_trace_events")

    def follow_run_events(
        self, session_id: str, run_id: str, after_sequence: int | None = None
    ) -> AsyncIterator[RunEventRecord]:
        """Yield the events of a run behind a cursor, and then those that are added, until the run has ended.

        Events that are no longer kept are skipped, as their sequences tell. Errors: InvalidArgumentError when the run
        is not stored.
        """
        return self._refusal("follow_run_events")
