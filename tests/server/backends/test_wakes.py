"""Who waits is woken by its own key, and leaves nothing behind."""

import asyncio

import pytest

from sessionstore_server.backends.base import Key
from sessionstore_server.backends.wakes import Wakes

ONE, TWO = Key("n", "c", "one"), Key("n", "c", "two")


@pytest.fixture
def wakes() -> Wakes:
    return Wakes()


async def waiting(wakes: Wakes, key: Key | None) -> asyncio.Task[None]:
    task = asyncio.create_task(wakes.wait(key, 3600))
    await asyncio.sleep(0)
    return task


async def test_a_key_wakes_its_own(wakes: Wakes) -> None:
    tasks = [await waiting(wakes, key) for key in (ONE, ONE, None, TWO)]
    wakes.wake(ONE)
    await asyncio.gather(*tasks[:3])
    assert not tasks[3].done()
    wakes.wake(ONE)
    wakes.wake(TWO)
    await tasks[3]


async def test_all_are_woken(wakes: Wakes) -> None:
    tasks = [await waiting(wakes, key) for key in (ONE, TWO, None)]
    wakes.wake_all()
    await asyncio.gather(*tasks)


async def test_nothing_is_left_of_those_who_went(wakes: Wakes) -> None:
    """Be it in time or cancelled; and one who goes takes nobody along."""
    staying, cancelled = await waiting(wakes, ONE), await waiting(wakes, ONE)
    await wakes.wait(ONE, 0)
    await wakes.wait(TWO, 0)
    cancelled.cancel()
    await asyncio.wait([cancelled])
    assert {key: len(tasks) for key, tasks in wakes._waiting.items()} == {ONE: 1}
    wakes.wake(ONE)
    await staying
    assert wakes._waiting == {}
