"""What calls hold in memory together stays within bounds, and one of them always gets on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable

import pytest

from sessionstore import InvalidArgumentError
from sessionstore.transport import Kind
from sessionstore.v1 import session_pb2, transfer_pb2
from sessionstore.wire.methods import ALL_METHODS, SESSION_EXISTS, TRANSFER
from sessionstore_server.services.handlers import Caller, Handler
from sessionstore_server.services.roads.budget import Budget
from sessionstore_server.services.roads.transfer import with_transfer


async def begun(waiting: Awaitable[None]) -> asyncio.Task[None]:
    """Return the task that waits, once it got as far as it can."""
    task = asyncio.ensure_future(waiting)
    for _ in range(5):
        await asyncio.sleep(0)
    return task


async def test_calls_share_the_budget() -> None:
    budget = Budget(100)
    with budget.share() as first, budget.share() as second:
        await first(60)
        await second(40)
        waiting = await begun(second(1))
        assert not waiting.done()
        waiting.cancel()


async def test_room_is_free_again_when_a_call_is_over() -> None:
    budget = Budget(100)
    with budget.share() as second:
        with budget.share() as first:
            await first(60)
            waiting = await begun(second(50))
            assert not waiting.done()
        await waiting


async def test_the_first_call_never_waits() -> None:
    budget = Budget(100)
    with budget.share() as idle, budget.share() as second, budget.share() as third:
        await second(60)
        await third(40)
        await second(1_000)
        for take in (idle, third):
            waiting = await begun(take(1))
            assert not waiting.done()
            waiting.cancel()


async def test_the_next_one_is_then_the_first() -> None:
    budget = Budget(100)
    with budget.share() as second, budget.share() as third:
        with budget.share() as first:
            await first(98)
            await second(1)
            await third(1)
            waiting = [await begun(take(1_000)) for take in (second, third)]
        await waiting[0]
        assert not waiting[1].done()
        waiting[1].cancel()


async def test_a_call_that_fails_gives_its_room_back() -> None:
    budget = Budget(100)

    async def fail() -> None:
        with budget.share() as take:
            await take(1_000)
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    with budget.share() as first, budget.share() as second:
        await first(50)
        await second(50)


async def test_requests_in_pieces_share_a_budget() -> None:
    """The second one is taken in once the first is answered, though all its pieces are here before."""
    answered: list[int] = []

    async def answer(request: session_pb2.SessionExistsRequest, _: Caller) -> session_pb2.SessionExistsResponse:
        answered.append(len(request.session_id))
        return session_pb2.SessionExistsResponse()

    transfer, is_complete = with_transfer({SESSION_EXISTS: answer}, 100)[TRANSFER], asyncio.Event()
    first = await begun(answered_in_pieces(transfer, "a" * 80, is_complete.wait()))
    second = await begun(answered_in_pieces(transfer, "a" * 70, asyncio.sleep(0)))
    assert answered == []
    is_complete.set()
    await asyncio.gather(first, second)
    assert answered == [80, 70]


async def answered_in_pieces(transfer: Handler, session_id: str, until_complete: Awaitable[object]) -> None:
    serialized = session_pb2.SessionExistsRequest(session_id=session_id).SerializeToString()

    async def requests() -> AsyncIterator[transfer_pb2.TransferRequest]:
        yield transfer_pb2.TransferRequest(method=SESSION_EXISTS.path)
        yield transfer_pb2.TransferRequest(piece=serialized[:60])
        await until_complete
        yield transfer_pb2.TransferRequest(piece=serialized[60:])

    _ = [part async for part in transfer(requests(), Caller())]


@pytest.mark.parametrize(
    "path", ["", "/x.Y/Z", *(method.path for method in ALL_METHODS if method.kind is not Kind.UNARY)]
)
async def test_nothing_is_collected_for_what_may_not_come_in_pieces(path: str) -> None:
    async def requests() -> AsyncIterator[transfer_pb2.TransferRequest]:
        yield transfer_pb2.TransferRequest(method=path)
        pytest.fail("a piece was read")

    transfer = with_transfer(dict.fromkeys(ALL_METHODS))[TRANSFER]
    with pytest.raises(InvalidArgumentError) as caught:
        await anext(transfer(requests(), Caller()))
    assert caught.value.field == "method"
