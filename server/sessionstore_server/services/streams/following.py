"""Follows events: those that are stored, page by page, and then those that are added."""

import asyncio
from collections.abc import AsyncIterator

from sessionstore.errors import InvalidArgumentError
from sessionstore.pages import MAX_PAGE_SIZE
from sessionstore_server.backends.base import Backend, Key
from sessionstore_server.services.records.run_events import NOT_STORED
from sessionstore_server.services.streams.event_pages import RunPage, TracePage, read_run_page, read_trace_page

PAGE_BYTES = 1 << 16
"""A page has about this size: small, since what arrives in part when a connection is lost has to be sent again."""


async def follow_traces(backend: Backend, key: Key, position: int) -> AsyncIterator[TracePage]:
    """Yield pages of the trace events from `position` on, without end."""
    async for _ in looks(backend, key):
        while (page := await read_trace_page(backend, key, position, MAX_PAGE_SIZE, PAGE_BYTES)).records:
            position += len(page.records)
            yield page


async def follow_run(backend: Backend, key: Key, run_id: str, after_sequence: int | None) -> AsyncIterator[RunPage]:
    """Yield pages of the events of a run behind a cursor, until the run has ended or is removed.

    Errors: InvalidArgumentError when the run is not stored at first.
    """
    page = await read_run_page(backend, key, run_id, after_sequence, 1)
    if page is None:
        raise InvalidArgumentError(field="run_id", problem=NOT_STORED)
    async for _ in looks(backend, key):
        while (
            page := await read_run_page(backend, key, run_id, after_sequence, MAX_PAGE_SIZE, PAGE_BYTES)
        ) and page.records:
            after_sequence = page.page.next_after_sequence
            yield page
        if page is None or page.has_ended:
            return


async def looks(backend: Backend, key: Key | None) -> AsyncIterator[None]:
    """Yield at once, and again whenever something may have been written under a key (None: under any)."""
    while True:
        written = asyncio.create_task(backend.wait(key, backend.poll_seconds))
        try:
            # A turn for the wait to begin: what is written after the look then ends it.
            await asyncio.sleep(0)
            yield
            await written
        finally:
            written.cancel()
            await asyncio.gather(written, return_exceptions=True)
