"""A request that is repeated to another server process, on the same folder, is answered as the first time."""

import signal

import pytest
from google.protobuf.message import Message

from sessionstore import RequestIdReusedError, SessionStore
from sessionstore.channel_transport import ChannelTransport
from sessionstore.testing.requests import PAIRS, Asked, asked
from sessionstore.transport import Kind
from sessionstore.v1 import message_pb2, session_pb2
from sessionstore.wire.methods import SAVE_SESSION


async def answer(transport: ChannelTransport, asked: Asked) -> Message:
    """Return the answer, without what tells which program gave it."""
    method, parts = asked
    if method.kind is Kind.UNARY:
        answer = await transport.unary(method, parts[0])
    else:
        answer = await transport.upload(method, stream(parts))
    if "instance" in method.response.DESCRIPTOR.fields_by_name:
        answer.ClearField("instance")
    return answer


async def stream(parts):
    for part in parts:
        yield part


async def everything(store: SessionStore) -> list[object]:
    return [
        await store.revision("a"),
        await store.load_snapshot("a"),
        await store.load_loop_checkpoint("a"),
        await store.load_workflow_checkpoint("a"),
    ]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_every_request_is_known_after_a_restart(serve, folder, number: int) -> None:
    writes = {name: (await asked(pair.write)).but(request_id=name) for name, pair in PAIRS.items()}
    undos = {name: await asked(pair.undo) for name, pair in PAIRS.items()}
    server = await serve(f"file:{folder}")
    async with server.store() as store:
        transport = ChannelTransport(server.address, 30, 5)
        answers = {name: await answer(transport, write) for name, write in writes.items()}
        for undo in undos.values():
            await answer(transport, undo)
        before = await everything(store)
        await server.stop(number)
        await serve(f"file:{folder}", listen=server.address)
        assert {name: await answer(transport, write) for name, write in writes.items()} == answers
        for name, undo in undos.items():
            with pytest.raises(RequestIdReusedError):
                await answer(transport, undo.but(request_id=name))
        assert await everything(store) == before
        await transport.aclose()


async def test_a_save_of_what_is_new_is_known_after_a_restart(serve, folder) -> None:
    """And what it was based on still counts for a save that was not carried out before."""
    server = await serve(f"file:{folder}")
    transport = ChannelTransport(server.address, 30, 5)
    session = session_pb2.SessionData(id="a", state=session_pb2.SESSION_STATE_ACTIVE)
    first = await transport.unary(SAVE_SESSION, session_pb2.SaveSessionRequest(session=session, messages=[text("1")]))
    base = session_pb2.HeldMessages(revision=1, message_count=1, instance=first.instance)
    added = session_pb2.SaveSessionRequest(
        session=session, base=base, messages=[text("2")], expected_revision=1, request_id="added"
    )
    save = Asked(SAVE_SESSION, [added])
    answered = await answer(transport, save)
    await server.stop()
    await serve(f"file:{folder}", listen=server.address)
    assert await answer(transport, save) == answered
    assert (await answer(transport, save.but(request_id="another", expected_revision=2))).revision == 3
    await transport.aclose()
    async with server.store() as store:
        loaded = await store.load("a")
    assert [message.content[0].text for message in loaded.messages] == ["1", "2"]


def text(words: str) -> message_pb2.Message:
    return message_pb2.Message(role="user", content=[message_pb2.ContentBlock(text={"text": words})])
