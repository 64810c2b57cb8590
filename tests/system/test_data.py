"""What a real server does with large, damaged and newer data."""

import grpc
import pytest

from sessionstore import DataCorruptionError, Message, TextBlock
from sessionstore.testing import samples
from sessionstore.v1 import message_pb2, session_pb2, session_pb2_grpc

OF_LATER = b"\xba\x3e\x05later\xc0\x3e\x01"
"""Two fields that no message has: number 999 with text, and number 1000 with a number."""


async def test_a_session_of_many_megabytes(serve, folder) -> None:
    """More than gRPC takes by default, with the options that everybody gets."""
    server = await serve(f"file:{folder}")
    session = samples.session()
    session.messages = [Message(role="user", content=(TextBlock(text="é" * 500_000),)) for _ in range(12)]
    snapshot = samples.snapshot("whole")
    snapshot.session.messages = session.messages
    async with server.store() as store:
        await store.save(session)
        assert await store.load(session.id) == session
        await store.save_snapshot(snapshot)
        assert await store.load_snapshot("whole") == snapshot


@pytest.mark.parametrize("file", ["commits.jsonl", "messages.1.jsonl"])
async def test_damage_stays_in_its_session(serve, folder, file: str) -> None:
    server = await serve(f"file:{folder}")
    async with server.store() as store:
        for session_id in ("broken", "whole"):
            await store.save_snapshot(samples.snapshot(session_id))
        await server.stop()

        (path,) = (path for path in folder.rglob(file) if path.parent.name == "broken")
        damaged = bytearray(path.read_bytes())
        damaged[len(damaged) // 3] ^= 1
        path.write_bytes(damaged)

        await serve(f"file:{folder}", listen=server.address)
        for load in (store.load, store.load_snapshot):
            with pytest.raises(DataCorruptionError) as caught:
                await load("broken")
            assert str(path) in caught.value.location
        assert await store.load_snapshot("whole") == samples.snapshot("whole")
        await store.save(samples.session("new"))
        assert await store.load("new") == samples.session("new")
        assert path.read_bytes() == damaged


@pytest.mark.parametrize("durable", [True, False], ids=["file", "memory"])
async def test_fields_of_a_newer_client_come_back_byte_for_byte(serve, folder, durable: bool) -> None:
    """At the end of a message, inside a block of it, and in the session itself."""
    block = message_pb2.ContentBlock(text=message_pb2.TextBlock.FromString(b"\x0a\x05hello" + OF_LATER))
    newer = message_pb2.Message(role="user", content=[block]).SerializeToString() + OF_LATER
    session = session_pb2.SessionData(id="one", state=session_pb2.SESSION_STATE_ACTIVE).SerializeToString() + OF_LATER
    sent = session_pb2.SaveSessionRequest(
        session=session_pb2.SessionData.FromString(session),
        messages=[message_pb2.Message.FromString(newer), message_pb2.Message(role="user")],
    )
    server = await serve(f"file:{folder}" if durable else "memory:")
    async with grpc.aio.insecure_channel(server.address) as channel:
        await session_pb2_grpc.SessionServiceStub(channel).SaveSession(sent)
    if durable:
        await server.stop()
        server = await serve(f"file:{folder}")
    async with grpc.aio.insecure_channel(server.address) as channel:
        stub = session_pb2_grpc.SessionServiceStub(channel)
        loaded = await stub.LoadSession(session_pb2.LoadSessionRequest(session_id="one"))
    assert loaded.session.SerializeToString() == session
    assert [message.SerializeToString() for message in loaded.messages] == [newer, b"\x0a\x04user"]
