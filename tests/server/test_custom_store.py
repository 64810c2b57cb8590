"""A store with just the five required methods, behind a real server."""

from collections.abc import AsyncIterator

import grpc
import pytest

from sessionstore import (
    Capabilities,
    InternalError,
    InvalidArgumentError,
    Message,
    RemoteSessionStore,
    RevisionConflictError,
    SessionData,
    SessionStore,
    UnsupportedOperationError,
)
from sessionstore.testing import samples
from sessionstore.v1 import session_pb2, session_pb2_grpc
from sessionstore_server.server import running_server


class ShelfStore(SessionStore):
    """Keeps the JSON of sessions in a dictionary."""

    def __init__(self) -> None:
        self.shelf: dict[str, str] = {}
        self.is_closed = False

    async def save(self, session: SessionData) -> None:
        self.shelf[session.id] = session.model_dump_json()

    async def load(self, session_id: str) -> SessionData | None:
        text = self.shelf.get(session_id)
        return None if text is None else SessionData.model_validate_json(text)

    async def delete(self, session_id: str) -> None:
        self.shelf.pop(session_id, None)

    async def list(self) -> list[str]:
        return sorted(self.shelf)

    async def exists(self, session_id: str) -> bool:
        if session_id == "broken":
            raise KeyError("sk-hidden")
        return session_id in self.shelf

    async def aclose(self) -> None:
        self.is_closed = True


@pytest.fixture
def shelf() -> ShelfStore:
    return ShelfStore()


@pytest.fixture
async def address(shelf: ShelfStore) -> AsyncIterator[str]:
    async with running_server(shelf) as server:
        yield server.address
    assert shelf.is_closed


@pytest.fixture
async def remote(address: str) -> AsyncIterator[RemoteSessionStore]:
    async with RemoteSessionStore(address) as store:
        yield store


async def test_it_keeps_sessions(remote: RemoteSessionStore, shelf: ShelfStore) -> None:
    await remote.save(samples.session())
    assert shelf.shelf.keys() == {samples.session().id}
    assert await remote.load(samples.session().id) == samples.session()
    assert await remote.list() == [samples.session().id]
    assert [summary.id for summary in (await remote.list_sessions()).sessions] == [samples.session().id]
    assert (await remote.load_snapshot(samples.session().id)).session == samples.session()


async def test_it_says_that_it_keeps_nothing_else(remote: RemoteSessionStore) -> None:
    assert await remote.capabilities() == Capabilities()


WRITES = {
    "save_artifacts": lambda store: store.save_artifacts("one", samples.artifacts()),
    "save_trace_events": lambda store: store.save_trace_events("one", samples.trace_events()),
    "save_run_records": lambda store: store.save_run_records("one", samples.run_records("one")),
    "save_verification_reports": lambda store: store.save_verification_reports("one", samples.verification_reports()),
    "save_subagent_tasks": lambda store: store.save_subagent_tasks("one", samples.subagent_tasks("one")),
    "save_loop_checkpoint": lambda store: store.save_loop_checkpoint(
        samples.loop_checkpoint().run_id, samples.loop_checkpoint()
    ),
    "save_workflow_checkpoint": lambda store: store.save_workflow_checkpoint(
        samples.workflow_checkpoint().workflow_id, samples.workflow_checkpoint()
    ),
    "save_snapshot": lambda store: store.save_snapshot(samples.snapshot()),
}


@pytest.mark.parametrize("operation", WRITES)
async def test_it_refuses_what_it_would_drop(remote: RemoteSessionStore, shelf: ShelfStore, operation: str) -> None:
    with pytest.raises(UnsupportedOperationError) as remotely:
        await WRITES[operation](remote)
    with pytest.raises(UnsupportedOperationError) as locally:
        await WRITES[operation](shelf)
    assert remotely.value == locally.value
    assert remotely.value.operation == operation
    assert shelf.shelf == {}


async def test_it_refuses_a_snapshot_whose_parts_still_come(remote: RemoteSessionStore, shelf: ShelfStore) -> None:
    large = samples.snapshot()
    large.session.messages = [Message.user("x" * (1 << 20))] * 8
    for _ in range(10):
        with pytest.raises(UnsupportedOperationError):
            await remote.save_snapshot(large)
    assert shelf.shelf == {}


async def test_it_refuses_a_write_that_expects_a_revision(address: str, shelf: ShelfStore) -> None:
    """Without revisions it could not keep that promise."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub = session_pb2_grpc.SessionServiceStub(channel)
        request = session_pb2.SaveSessionRequest(session={"id": "one", "state": 2}, expected_revision=0)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.SaveSession(request)
    assert caught.value.code() in (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.FAILED_PRECONDITION)
    assert shelf.shelf == {}


async def test_it_refuses_what_depends_on_leases_and_past_revisions(address: str, shelf: ShelfStore) -> None:
    async with RemoteSessionStore(address) as remote:
        for operation, call in {
            "lease_epoch": remote.save(samples.session("one"), lease_epoch=1),
            "revision": remote.load("one", revision=1),
            "acquire_lease": remote.acquire_lease("one", "holder", 1),
            "watch": anext(remote.watch()),
        }.items():
            with pytest.raises(UnsupportedOperationError) as caught:
                await call
            assert caught.value == UnsupportedOperationError(operation, shelf.backend_name)
    assert shelf.shelf == {}


async def test_its_own_defects_stay_on_the_server(remote: RemoteSessionStore) -> None:
    with pytest.raises(InternalError) as caught:
        await remote.exists("broken")
    assert caught.value == InternalError("SessionExists")
    assert "sk-hidden" not in str(caught.value)


async def test_its_own_errors_reach_the_caller() -> None:
    class PickyStore(ShelfStore):
        async def save(self, session: SessionData) -> None:
            raise RevisionConflictError(session.id, 1, 2**63)

    async with running_server(PickyStore()) as server, RemoteSessionStore(server.address) as store:
        with pytest.raises(RevisionConflictError) as caught:
            await store.save(samples.session())
    assert caught.value == RevisionConflictError(samples.session().id, 1, 2**63)


async def test_it_never_sees_a_bad_id(remote: RemoteSessionStore, shelf: ShelfStore) -> None:
    for session_id in ("", "a\0b", "x" * 513):
        with pytest.raises(InvalidArgumentError):
            await remote.save(samples.session(session_id))
    assert shelf.shelf == {}
