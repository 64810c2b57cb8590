"""A runtime in another language has generated stubs and nothing else."""

from collections.abc import AsyncIterator

import grpc
import pytest
from google.rpc import code_pb2, error_details_pb2, status_pb2

from sessionstore import MemorySessionStore
from sessionstore.v1 import message_pb2, session_pb2, session_pb2_grpc, trace_pb2, trace_pb2_grpc
from sessionstore_server.server import running_server

DETAILS_KEY = "grpc-status-details-bin"


@pytest.fixture
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    async with (
        running_server(MemorySessionStore()) as server,
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        yield channel


def a_session(session_id: str = "one") -> session_pb2.SessionData:
    return session_pb2.SessionData(id=session_id, state=session_pb2.SESSION_STATE_ACTIVE)


def text(words: str) -> message_pb2.Message:
    return message_pb2.Message(role="user", content=[message_pb2.ContentBlock(text={"text": words})])


async def refused(call: grpc.aio.UnaryUnaryCall) -> tuple[grpc.StatusCode, error_details_pb2.ErrorInfo]:
    """Return the status code of a failed call, and the error info in its trailing metadata."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    (details,) = (value for key, value in caught.value.trailing_metadata() if key == DETAILS_KEY)
    status = status_pb2.Status.FromString(details)
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (status.code, status.message) == (caught.value.code().value[0], caught.value.details())
    return caught.value.code(), info


async def test_save_and_load(channel) -> None:
    stub = session_pb2_grpc.SessionServiceStub(channel)
    saved = await stub.SaveSession(session_pb2.SaveSessionRequest(session=a_session(), messages=[text("hello")]))
    assert saved.revision == 1
    assert saved.commit_time.seconds > 0
    loaded = await stub.LoadSession(session_pb2.LoadSessionRequest(session_id="one"))
    assert (loaded.revision, loaded.session, list(loaded.messages)) == (1, a_session(), [text("hello")])


async def test_what_is_absent_is_no_error(channel) -> None:
    stub = session_pb2_grpc.SessionServiceStub(channel)
    assert await stub.LoadSession(session_pb2.LoadSessionRequest(session_id="one")) == session_pb2.LoadSessionResponse()
    assert not (await stub.SessionExists(session_pb2.SessionExistsRequest(session_id="one"))).exists
    assert not (await stub.DeleteSession(session_pb2.DeleteSessionRequest(session_id="one"))).existed


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (session_pb2.SaveSessionRequest(), "session.id"),
        (session_pb2.SaveSessionRequest(session=a_session("a\0b")), "session.id"),
        (session_pb2.SaveSessionRequest(session=a_session("é" * 257)), "session.id"),
        (
            session_pb2.SaveSessionRequest(
                session=a_session(), messages=[text("fine"), message_pb2.Message(content=[{}])]
            ),
            "messages[1].content[0]",
        ),
        (
            session_pb2.SaveSessionRequest(session={"id": "one", "cost_records": [{"model": "x"}]}),
            "session.cost_records[0].timestamp",
        ),
        (
            session_pb2.SaveSessionRequest(session={"id": "one", "unknown_fields_json": "[1"}),
            "session.unknown_fields_json",
        ),
    ],
    ids=["no session", "NUL", "long id", "empty block", "no timestamp", "broken JSON"],
)
async def test_bad_input_is_refused_by_name(channel, request_: session_pb2.SaveSessionRequest, field: str) -> None:
    stub = session_pb2_grpc.SessionServiceStub(channel)
    code, info = await refused(stub.SaveSession(request_))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert (info.reason, info.domain) == ("INVALID_ARGUMENT", "sessionstore.v1")
    assert info.metadata["field"] == field
    assert info.metadata["problem"]
    assert (await stub.ListSessions(session_pb2.ListSessionsRequest())).sessions == []


async def test_bad_records_are_refused_by_name(channel) -> None:
    stub = trace_pb2_grpc.TraceServiceStub(channel)
    events = [trace_pb2.TraceEvent(kind=trace_pb2.TRACE_EVENT_KIND_TOOL_EXECUTION, details_json="{")]
    code, info = await refused(
        stub.SaveTraceEvents(trace_pb2.SaveTraceEventsRequest(session_id="one", trace_events=events))
    )
    assert (code, info.metadata["field"]) == (grpc.StatusCode.INVALID_ARGUMENT, "trace_events[0].details")


async def test_a_page_that_was_never_given_is_refused(channel) -> None:
    stub = session_pb2_grpc.SessionServiceStub(channel)
    for request in (session_pb2.ListSessionsRequest(page_token="x"), session_pb2.ListSessionsRequest(page_size=-1)):
        code, info = await refused(stub.ListSessions(request))
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert info.metadata["field"] in ("page_token", "page_size")


async def test_a_wrong_revision_is_refused_with_the_present_one(channel) -> None:
    stub = session_pb2_grpc.SessionServiceStub(channel)
    for expected in (0, 1):
        await stub.SaveSession(session_pb2.SaveSessionRequest(session=a_session(), expected_revision=expected))
    for write in (
        stub.SaveSession(session_pb2.SaveSessionRequest(session=a_session(), expected_revision=1)),
        stub.SaveSession(session_pb2.SaveSessionRequest(session=a_session(), expected_revision=0)),
        stub.DeleteSession(session_pb2.DeleteSessionRequest(session_id="one", expected_revision=1)),
    ):
        code, info = await refused(write)
        assert (code, info.reason) == (grpc.StatusCode.ABORTED, "REVISION_CONFLICT")
        assert (info.metadata["id"], info.metadata["actual_revision"]) == ("one", "2")
    deleted = await stub.DeleteSession(session_pb2.DeleteSessionRequest(session_id="one", expected_revision=2))
    assert deleted.existed


async def test_a_call_that_does_not_exist(channel) -> None:
    call = channel.unary_unary("/sessionstore.v1.SessionService/RenameSession")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(b"")
    assert caught.value.code().value[0] == code_pb2.UNIMPLEMENTED
