"""Streams that append, as the services see them: calls that overlap, marks, and what a server takes in."""

import asyncio
from collections.abc import AsyncIterator, Iterable

import pytest

from sessionstore.errors import InvalidArgumentError, RequestIdReusedError, StoreUnavailableError
from sessionstore.model import TraceEvent
from sessionstore.testing import samples
from sessionstore.testing.appends import numbered_traces, saved_run
from sessionstore.v1 import run_pb2, session_pb2, trace_pb2
from sessionstore.v1.append_pb2 import AppendStart
from sessionstore.wire.methods import APPEND_RUN_EVENTS, APPEND_TRACE_EVENTS, SAVE_SESSION, SAVE_TRACE_EVENTS
from sessionstore.wire.records import SESSION, TRACE_EVENT
from sessionstore_server.backends.base import REQUESTS_KEPT, Change, Commit, Key
from sessionstore_server.backends.memory import MemoryBackend
from sessionstore_server.services.aside import LARGE_BYTES
from sessionstore_server.services.assembly import services_over
from sessionstore_server.services.handlers import Caller, HandlerTable
from sessionstore_server.services.keys import APPEND_PREFIX, SESSIONS
from sessionstore_server.services.streams import intake
from sessionstore_server.services.streams.appending import MARKS_KEPT
from sessionstore_server.stores import LocalSessionStore

KEY = Key("default", SESSIONS, "a")


class HeldBackend(MemoryBackend):
    """A memory backend whose next commit may be held back."""

    def __init__(self) -> None:
        super().__init__()
        self.is_free = asyncio.Event()
        self.is_free.set()
        self.is_held = asyncio.Event()
        self.commits = 0

    async def commit(self, key: Key, change: Change, expected_revision: int | None = None) -> Commit:
        self.commits += 1
        if not self.is_free.is_set():
            self.is_held.set()
            await self.is_free.wait()
        return await super().commit(key, change, expected_revision)


@pytest.fixture
async def backend() -> AsyncIterator[HeldBackend]:
    backend = HeldBackend()
    await backend.open()
    yield backend
    await backend.aclose()


class Call:
    """One call that appends trace events, on a server of its own over a backend."""

    def __init__(
        self,
        backend: MemoryBackend,
        stream_id: str = "stream",
        position: int = 0,
        handlers: HandlerTable | None = None,
        **start: int,
    ) -> None:
        self._requests: asyncio.Queue[trace_pb2.AppendTraceEventsRequest | None] = asyncio.Queue()
        self._answers = (handlers or services_over(backend).handlers)[APPEND_TRACE_EVENTS](self._sent(), Caller())
        opening = AppendStart(session_id="a", stream_id=stream_id, position=position, **start)
        self._requests.put_nowait(trace_pb2.AppendTraceEventsRequest(start=opening))

    def send(self, position: int, events: Iterable[TraceEvent]) -> None:
        self.send_request(batch(position, events))

    def send_request(self, request: trace_pb2.AppendTraceEventsRequest) -> None:
        self._requests.put_nowait(request)

    async def told(self) -> int:
        return (await anext(self._answers)).position

    async def _sent(self) -> AsyncIterator[trace_pb2.AppendTraceEventsRequest]:
        while request := await self._requests.get():
            yield request


def batch(position: int, events: Iterable[TraceEvent]) -> trace_pb2.AppendTraceEventsRequest:
    sent = trace_pb2.TraceEventBatch(position=position, trace_events=map(TRACE_EVENT.to_proto, events))
    return trace_pb2.AppendTraceEventsRequest(batch=sent)


async def stored(backend: MemoryBackend) -> list[TraceEvent] | None:
    return await LocalSessionStore(Shared(backend)).load_trace_events("a")


class Shared(MemoryBackend):
    """The data of another backend."""

    def __init__(self, other: MemoryBackend) -> None:
        self.__dict__ = other.__dict__

    async def open(self) -> None:
        pass


async def test_a_stream_goes_on_at_another_server(backend) -> None:
    events = numbered_traces(5)
    first = Call(backend)
    assert await first.told() == 0
    first.send(0, events[:3])
    assert await first.told() == 3
    second = Call(backend)
    assert await second.told() == 3
    second.send(3, events[3:])
    assert await second.told() == 5
    assert await stored(backend) == events


async def test_a_call_that_was_given_up_adds_nothing_twice(backend) -> None:
    """Its commit was under way when the stream was opened again: the later call notices, and finds it when it comes."""
    events = numbered_traces(4)
    old = Call(backend)
    assert await old.told() == 0
    backend.is_free.clear()
    old.send(0, events[:3])
    answer = asyncio.create_task(old.told())
    await backend.is_held.wait()
    new = Call(backend)
    assert await new.told() == 0
    backend.is_free.set()
    assert await answer == 3
    new.send(0, events)
    with pytest.raises(StoreUnavailableError):
        await new.told()
    newest = Call(backend)
    assert await newest.told() == 3
    newest.send(3, events[3:])
    assert await newest.told() == 4
    assert await stored(backend) == events


async def test_a_call_that_was_given_up_is_refused_once_the_stream_went_on(backend) -> None:
    events = numbered_traces(3)
    old, new = Call(backend), Call(backend)
    assert (await old.told(), await new.told()) == (0, 0)
    new.send(0, events)
    assert await new.told() == 3
    old.send(0, events[:2])
    with pytest.raises(StoreUnavailableError):
        await old.told()
    assert await stored(backend) == events


async def test_a_stream_goes_on_after_its_session_was_deleted(backend) -> None:
    events = numbered_traces(6)
    call = Call(backend)
    assert await call.told() == 0
    call.send(0, events[:2])
    assert await call.told() == 2
    await backend.delete(KEY)
    call.send(2, events[2:4])
    assert await call.told() == 4
    await backend.delete(KEY)
    again = Call(backend, position=4)
    assert await again.told() == 4
    again.send(4, events[4:])
    assert await again.told() == 6
    assert await stored(backend) == events[4:]


async def test_marks_are_few(backend) -> None:
    """The streams that appended last can go on; those before begin where the caller says."""
    events = numbered_traces(2)
    for number in range(MARKS_KEPT + 5):
        call = Call(backend, stream_id=f"stream {number}")
        assert await call.told() == 0
        call.send(0, events)
        assert await call.told() == 2
    view = await backend.read(KEY, (APPEND_PREFIX,))
    assert view is not None
    assert len(view.documents) == MARKS_KEPT
    assert await Call(backend, stream_id=f"stream {MARKS_KEPT + 4}").told() == 2
    assert await Call(backend, stream_id="stream 5").told() == 2
    assert await Call(backend, stream_id="stream 4").told() == 0


async def test_a_stream_that_may_be_forgotten_is_refused(backend) -> None:
    """Else what is in already would be stored twice; one that began after all marks were made cannot be forgotten."""
    for number in range(MARKS_KEPT + 1):
        call = Call(backend, stream_id=f"stream {number}")
        assert await call.told() == 0
        call.send(0, numbered_traces(1))
        assert await call.told() == 1
    with pytest.raises(InvalidArgumentError) as caught:
        await Call(backend, stream_id="stream 0", opened_revision=0).told()
    assert caught.value.field == "start.stream_id"
    with pytest.raises(InvalidArgumentError) as caught:
        await Call(backend, stream_id="stream 0", position=1).told()
    assert caught.value.field == "start.stream_id"
    assert await Call(backend, stream_id="stream 1", opened_revision=1).told() == 1
    assert await Call(backend, stream_id="late", opened_revision=MARKS_KEPT + 1).told() == 0
    await backend.delete(KEY)
    assert await Call(backend, stream_id="stream 1", opened_revision=1).told() == 0


async def test_traces_are_appended_whatever_else_is_saved_meanwhile(backend) -> None:
    """Another server saves the session between all that a stream reads and its commit."""
    call = Call(backend)
    assert await call.told() == 0
    backend.is_free.clear()
    call.send(0, numbered_traces(3))
    answer = asyncio.create_task(call.told())
    await backend.is_held.wait()
    for _ in range(3):
        await MemoryBackend.commit(backend, KEY, Change(documents={"other": b""}))
    backend.is_free.set()
    assert await answer == 3
    assert backend.commits == 1
    assert await stored(backend) == numbered_traces(3)


async def test_positions_end_before_numbers_do(backend) -> None:
    last = 2**64 - 1
    call = Call(backend, position=last)
    assert await call.told() == last
    call.send(last, numbered_traces(1))
    with pytest.raises(InvalidArgumentError) as caught:
        await call.told()
    assert caught.value.field == "batch.position"


async def test_what_stands_before_a_bad_record_of_a_large_batch_is_kept(backend) -> None:
    good, large = numbered_traces(2)
    large = large.model_copy(update={"name": "a" * LARGE_BYTES})
    request = batch(0, [good, large, good])
    request.batch.trace_events.append(trace_pb2.TraceEvent(name="of no kind"))
    call = Call(backend)
    assert await call.told() == 0
    call.send_request(request)
    assert await call.told() == 3
    with pytest.raises(InvalidArgumentError, match=r"^trace_events\[3\]\.kind"):
        await call.told()
    assert await stored(backend) == [good, large, good]


async def test_a_save_waits_for_the_turn_of_a_stream(backend) -> None:
    """On one server, so that nobody who depends on what was read is overtaken."""
    session = samples.session("a")
    handlers = services_over(backend).handlers
    call = Call(backend, handlers=handlers)
    assert await call.told() == 0
    backend.is_free.clear()
    call.send(0, numbered_traces(1))
    answer = asyncio.create_task(call.told())
    await backend.is_held.wait()
    request = session_pb2.SaveSessionRequest(session=SESSION.to_proto(session))
    save = asyncio.ensure_future(handlers[SAVE_SESSION](request, Caller()))
    for _ in range(1_000):
        await asyncio.sleep(0)
    assert backend.commits == 1
    backend.is_free.set()
    assert await answer == 1
    assert (await save).revision == 2


async def test_a_stream_without_an_id_leaves_no_mark(backend) -> None:
    call = Call(backend, stream_id="")
    assert await call.told() == 0
    call.send(0, numbered_traces(2))
    assert await call.told() == 2
    view = await backend.read(KEY, (APPEND_PREFIX,))
    assert view is not None
    assert view.documents == {}


async def test_an_id_stands_for_one_log(backend) -> None:
    store = LocalSessionStore(Shared(backend))
    await store.save_run_records("a", [saved_run("run", (), 0)])
    call = Call(backend)
    assert await call.told() == 0
    call.send(0, numbered_traces(1))
    assert await call.told() == 1

    async def requests() -> AsyncIterator[run_pb2.AppendRunEventsRequest]:
        yield run_pb2.AppendRunEventsRequest(start=AppendStart(session_id="a", run_id="run", stream_id="stream"))

    with pytest.raises(RequestIdReusedError):
        await anext(services_over(backend).handlers[APPEND_RUN_EVENTS](requests(), Caller()))


@pytest.mark.parametrize(
    ("requests", "field"),
    [
        ([], "start"),
        ([batch(0, [])], "start"),
        ([trace_pb2.AppendTraceEventsRequest()], "start"),
        (
            [trace_pb2.AppendTraceEventsRequest(start=AppendStart(session_id="a", stream_id="x" * 513))],
            "start.stream_id",
        ),
        ([trace_pb2.AppendTraceEventsRequest(start=AppendStart(session_id="a"))] * 2, "batch"),
        ([trace_pb2.AppendTraceEventsRequest(start=AppendStart(session_id="a")), batch(1, [])], "batch.position"),
    ],
)
async def test_a_stream_out_of_order_is_refused(backend, requests, field: str) -> None:
    async def sent() -> AsyncIterator[trace_pb2.AppendTraceEventsRequest]:
        for request in requests:
            yield request

    answers = services_over(backend).handlers[APPEND_TRACE_EVENTS](sent(), Caller())
    with pytest.raises(InvalidArgumentError) as caught:
        assert [answer.position async for answer in answers] == [0]
    assert caught.value.field == field
    assert await stored(backend) is None


@pytest.mark.parametrize(("size", "most"), [(1, intake.MAX_BATCHES), (intake.MAX_BYTES // 4, 4)])
async def test_what_waits_is_bounded(backend, size: int, most: int) -> None:
    """While a commit is under way a server takes in so much and no more: gRPC slows the sender down."""
    event = numbered_traces(1)[0].model_copy(update={"name": "x" * size})
    sent = 0

    async def requests() -> AsyncIterator[trace_pb2.AppendTraceEventsRequest]:
        nonlocal sent
        yield trace_pb2.AppendTraceEventsRequest(start=AppendStart(session_id="a", stream_id="stream"))
        for sent in range(1, 201):
            yield batch(sent - 1, [event])

    backend.is_free.clear()
    answers = services_over(backend).handlers[APPEND_TRACE_EVENTS](requests(), Caller())
    assert (await anext(answers)).position == 0
    answer = asyncio.create_task(anext(answers))
    await backend.is_held.wait()
    for _ in range(1_000):
        await asyncio.sleep(0)
    # One that was taken out of the stream stands at the door.
    assert sent <= 2 * most + 1
    backend.is_free.set()
    positions = [(await answer).position, *[each.position async for each in answers]]
    assert positions[-1] == 200
    assert len(await stored(backend) or []) == 200


async def test_what_waits_is_committed_together(backend) -> None:
    call = Call(backend)
    assert await call.told() == 0
    backend.is_free.clear()
    call.send(0, numbered_traces(1))
    answer = asyncio.create_task(call.told())
    await backend.is_held.wait()
    for number in range(1, 31):
        call.send(number, numbered_traces(1))
    for _ in range(1_000):
        await asyncio.sleep(0)
    backend.is_free.set()
    assert await answer == 1
    assert await call.told() == 31


async def test_appends_do_not_disturb_request_ids(backend) -> None:
    """A stream takes no room where the ids of other requests are remembered."""
    save = services_over(backend).handlers[SAVE_TRACE_EVENTS]
    request = trace_pb2.SaveTraceEventsRequest(session_id="a", request_id="one")
    first = await save(request, Caller())
    call = Call(backend)
    assert await call.told() == 0
    for number in range(2 * REQUESTS_KEPT):
        call.send(number, numbered_traces(1))
        assert await call.told() == number + 1
    assert await save(request, Caller()) == first
    assert len(await stored(backend) or []) == 2 * REQUESTS_KEPT
