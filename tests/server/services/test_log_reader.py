"""Reads that are overtaken: a revision passes before all of it was read."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping

import pytest

from sessionstore.errors import RevisionNotKeptError, StorageError
from sessionstore_server.backends.base import REVISIONS_KEPT, Change, Key, LogRange, Splice, View
from sessionstore_server.backends.memory import MemoryBackend
from sessionstore_server.services.keys import SESSIONS, TRACES
from sessionstore_server.services.streams import log_reader
from sessionstore_server.services.streams.event_pages import read_trace_page

KEY = Key("default", SESSIONS, "a")


class BusyBackend(MemoryBackend):
    """A memory backend to which another server writes: it overtakes so many reads, and ends each wait."""

    def __init__(self, overtaken: int) -> None:
        super().__init__()
        self.overtaken = overtaken
        self.waits = 0

    async def read(
        self,
        key: Key,
        documents: Collection[str] = (),
        logs: Mapping[str, LogRange] | None = None,
        revision: int | None = None,
    ) -> View | None:
        if revision is not None and self.overtaken:
            self.overtaken -= 1
            for _ in range(REVISIONS_KEPT):
                await self.commit(key, Change())
        return await super().read(key, documents, logs, revision)

    async def wait(self, key: Key | None, timeout_seconds: float) -> None:
        self.waits += 1
        written = asyncio.create_task(self.commit(KEY, Change()))
        await super().wait(key, timeout_seconds)
        await written


@pytest.fixture
async def backend(request: pytest.FixtureRequest) -> AsyncIterator[BusyBackend]:
    backend = BusyBackend(request.param)
    await backend.open()
    await backend.commit(KEY, Change(logs={TRACES: Splice([b"one", b"two"])}))
    yield backend
    await backend.aclose()


@pytest.mark.parametrize("backend", [log_reader.ATTEMPTS - 1], indirect=True)
async def test_an_overtaken_read_begins_anew_after_a_commit(backend) -> None:
    page = await read_trace_page(backend, KEY, 0, 10)
    assert page.records == [b"one", b"two"]
    assert backend.waits == log_reader.ATTEMPTS - 1


@pytest.mark.parametrize("backend", [log_reader.ATTEMPTS], indirect=True)
async def test_a_read_that_is_always_overtaken_is_given_up(backend) -> None:
    with pytest.raises(StorageError, match="'a'"):
        await read_trace_page(backend, KEY, 0, 10)


@pytest.mark.parametrize("backend", [1], indirect=True)
async def test_the_reader_itself_tells_that_its_revision_passed(backend) -> None:
    log = await log_reader.open_log(backend, KEY, TRACES)
    assert log is not None
    with pytest.raises(RevisionNotKeptError):
        await log.read(0)
