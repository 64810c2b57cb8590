"""A request that is repeated to another server process, on the same folder, is answered as the first time."""

import signal

import pytest

from sessionstore import RequestIdReusedError
from sessionstore.remote import ChannelTransport
from sessionstore.testing.requests import PAIRS, Asked, asked
from sessionstore.transport import Kind


async def answer(transport: ChannelTransport, asked: Asked) -> object:
    method, parts = asked
    if method.kind is Kind.UNARY:
        return await transport.unary(method, parts[0])
    return await transport.upload(method, _stream(parts))


async def _stream(parts):
    for part in parts:
        yield part


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_repeats_after_a_restart(serve, folder, number: int) -> None:
    writes = {name: await asked(pair.write) for name, pair in PAIRS.items()}
    undos = {name: await asked(pair.undo) for name, pair in PAIRS.items()}
    first = await serve(f"file:{folder}")
    transport = ChannelTransport(first.address, 30, 5)
    answers = {name: await answer(transport, write) for name, write in writes.items()}
    for undo in undos.values():
        await answer(transport, undo)
    async with first.store() as store:
        before = await store.load_snapshot("a"), await store.revision("a"), await store.load_loop_checkpoint("a")
    await transport.aclose()
    await first.stop(number)

    second = await serve(f"file:{folder}")
    transport = ChannelTransport(second.address, 30, 5)
    assert {name: await answer(transport, write) for name, write in writes.items()} == answers
    for name, undo in undos.items():
        with pytest.raises(RequestIdReusedError):
            await answer(transport, undo.but(request_id=_id_of(writes[name])))
    async with second.store() as store:
        assert (
            await store.load_snapshot("a"),
            await store.revision("a"),
            await store.load_loop_checkpoint("a"),
        ) == before
    await transport.aclose()


def _id_of(asked: Asked) -> str:
    head = asked.parts[0] if asked.method.kind is Kind.UNARY else asked.parts[0].header
    return head.request_id
