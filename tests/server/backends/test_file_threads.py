"""The threads of the file backend."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from threading import Event, current_thread, main_thread

import pytest

from sessionstore_server.backends.file.threads import Threads


@pytest.fixture
async def threads() -> AsyncIterator[Threads]:
    one = Threads("one", 1)
    yield one
    await asyncio.to_thread(one.close)


async def test_a_step_runs_beside_the_event_loop(threads: Threads) -> None:
    assert await threads.run(current_thread) is not main_thread()


async def test_an_error_reaches_whoever_waits_and_the_thread_goes_on(threads: Threads) -> None:
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 1 / 0)
    assert await threads.run(lambda: 2) == 2


async def test_a_step_that_is_cancelled_in_time_does_not_begin(threads: Threads) -> None:
    go_on = Event()
    done: list[int] = []
    running = threads.run(go_on.wait)
    waiting = threads.run(partial(done.append, 1))
    waiting.cancel()
    go_on.set()
    assert await running
    await threads.run(partial(done.append, 2))
    assert done == [2]


async def test_a_step_that_runs_goes_on_when_it_is_cancelled(threads: Threads) -> None:
    begun, go_on = Event(), Event()

    def step() -> None:
        begun.set()
        go_on.wait()
        done.append(1)

    done: list[int] = []
    running = threads.run(step)
    await asyncio.to_thread(begun.wait)
    running.cancel()
    go_on.set()
    await threads.run(partial(done.append, 2))
    assert done == [1, 2]


async def test_closing_waits_for_all_that_was_asked_for() -> None:
    threads = Threads("two", 2)
    done: list[int] = []
    steps = [threads.run(partial(done.append, number)) for number in range(20)]
    threads.close()
    assert sorted(done) == list(range(20))
    await asyncio.gather(*steps)


def test_a_loop_that_is_closed_does_not_end_the_thread() -> None:
    threads = Threads("one", 1)
    go_on = Event()
    done: list[int] = []

    async def leave() -> None:
        threads.run(go_on.wait)
        threads.run(partial(done.append, 1))

    asyncio.run(leave())
    go_on.set()
    threads.close()
    assert done == [1]
