"""Servers are replaced one after the other while clients work; what newer programs write outlives older ones."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import NamedTuple, TypeVar

import pytest
from google.protobuf.message import Message as Proto
from tests.system.conftest import ServerProcess
from tests.system.load import under_load
from tests.system.model_check import History

from sessionstore import Message, RemoteSessionStore, SessionStore, TraceEvent
from sessionstore.store import SessionChange, WatchPage
from sessionstore.testing import samples
from sessionstore.testing.appends import numbered_traces
from sessionstore.testing.run_records import text_events
from sessionstore.testing.watching import watching
from sessionstore.v1 import run_pb2, session_pb2, trace_pb2
from sessionstore.wire import methods, records

WRITES = 20
"""How many messages are added between two things that happen."""
OF_LATER = b"\xba\x3e\x05later"
"""Field 999, which no message has."""

RUN = samples.run_records("a")[0]

T = TypeVar("T", bound=Proto)
Serve = Callable[..., Awaitable[ServerProcess]]


@pytest.fixture(params=["postgresql", "sqlite", "file"])
def url(request: pytest.FixtureRequest, folder) -> str:
    if request.param == "postgresql":
        dsn: str = request.getfixturevalue("postgres_dsn")()
        return dsn
    return f"{request.param}:{folder}"


async def test_clients_work_while_servers_are_replaced(serve: Serve, url: str) -> None:
    """No call fails, no stream has to be begun anew, and nothing is lost or there twice."""
    servers = await asyncio.gather(serve(url), serve(url))
    addresses, events = [server.address for server in servers], numbered_traces(300)
    async with under_load(addresses) as history, RemoteSessionStore(addresses) as store, watching(store) as pages:
        await anext(pages)
        replacing = asyncio.create_task(replace(servers, serve, url, history))

        async def batches() -> AsyncIterator[Sequence[TraceEvent]]:
            for event in events[:-1]:
                yield [event]
                await history.grows_by(1)
            await replacing
            yield events[-1:]

        await store.save_trace_events("streamed", [])
        following = asyncio.create_task(followed(store, len(events)))
        watching_it = asyncio.create_task(revisions_until_deletion(pages))
        assert [position async for position in store.append_trace_events("streamed", batches())][-1] == len(events)
        assert await following == await store.load_trace_events("streamed") == events
        await store.delete("streamed")
        revisions = await watching_it
        assert revisions == list(range(1, len(revisions) + 1))


async def replace(servers: Sequence[ServerProcess], serve: Serve, url: str, history: History) -> None:
    """Let each server drain and end, and start a new one in its place."""
    for server in servers:
        await history.grows_by(WRITES)
        assert await server.stop() == 0, server.log()
        await history.grows_by(WRITES)
        await serve(url, listen=server.address)
    await history.grows_by(WRITES)


async def followed(store: SessionStore, count: int) -> list[TraceEvent]:
    following = store.follow_trace_events("streamed")
    return [await anext(following) for _ in range(count)]


async def revisions_until_deletion(pages: AsyncIterator[WatchPage]) -> list[int]:
    """Return the revisions of the session with the stream, as they are told."""
    revisions: list[int] = []
    async for page in pages:
        for notice in page.commits:
            if notice.session_id == "streamed":
                revisions.append(notice.revision)
                if notice.deleted:
                    return revisions
    return revisions


class Records(NamedTuple):
    """Records as they travel."""

    session: session_pb2.SessionData
    messages: Sequence[Proto]
    trace_events: Sequence[Proto]
    run_events: Sequence[Proto]


async def test_what_a_newer_program_wrote_outlives_the_work_of_an_older_one(serve: Serve, url: str) -> None:
    """What the older one adds to, forks and goes on with keeps the fields that it does not know."""
    server, written = await serve(url), newer_records()
    async with server.store() as store:
        await write(store, written)
        added = SessionChange(
            messages=[Message.user("added")],
            trace_events=numbered_traces(1),
            run_events={RUN.snapshot.id: text_events(1, start=RUN.snapshot.event_count)},
        )
        await store.commit("a", added)
        await store.fork("a", "forked")
        for session_id in ("a", "forked"):
            kept = await read(store, session_id)
            assert OF_LATER in kept.session.SerializeToString()
            assert [each[:-1] for each in kept[1:]] == list(written[1:])
        await store.update("a", lambda session: session.messages.append(Message.user("edited")))
        assert (await read(store, "a")).messages[:-2] == written.messages


def newer_records() -> Records:
    """Return records of the session `a` with fields of a newer program."""
    session, messages = records.session_to_proto(samples.session("a"))
    traces = [records.TRACE_EVENT.to_proto(event) for event in samples.trace_events()]
    events = [records.RUN_EVENT.to_proto(event) for event in RUN.events]
    return Records(newer(session), *(list(map(newer, each)) for each in (messages, traces, events)))


def newer(message: T) -> T:
    return type(message).FromString(message.SerializeToString() + OF_LATER)


async def write(store: RemoteSessionStore, written: Records) -> None:
    save = session_pb2.SaveSessionRequest(session=written.session, messages=written.messages)
    traces = trace_pb2.SaveTraceEventsRequest(session_id="a", trace_events=written.trace_events)
    run = run_pb2.RunRecord(snapshot=records.RUN_RECORD.to_proto(RUN).snapshot, events=written.run_events)
    runs = run_pb2.SaveRunRecordsRequest(session_id="a", run_records=[run])
    await store._transport.unary(methods.SAVE_SESSION, save)
    await store._transport.unary(methods.SAVE_TRACE_EVENTS, traces)
    await store._transport.unary(methods.SAVE_RUN_RECORDS, runs)


async def read(store: RemoteSessionStore, session_id: str) -> Records:
    session, traces, runs = [
        await store._transport.unary(method, method.request(session_id=session_id))
        for method in (methods.LOAD_SESSION, methods.LOAD_TRACE_EVENTS, methods.LOAD_RUN_RECORDS)
    ]
    return Records(session.session, list(session.messages), list(traces.trace_events), list(runs.run_records[0].events))
