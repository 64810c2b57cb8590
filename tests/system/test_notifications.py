"""Server processes on one PostgreSQL see each other's commits: told of at once, or else found by looking."""

from collections.abc import Callable
from contextlib import aclosing

import pytest

from sessionstore import SessionData
from sessionstore.testing.appends import appended_traces, numbered_traces
from sessionstore.testing.watching import told, watching


@pytest.fixture(params=["poll_seconds=3600", "notify=false"])
def url(request: pytest.FixtureRequest, postgres_dsn: Callable[[], str]) -> str:
    """A database of which servers hear in time by notifications only, or never by notifications."""
    dsn = postgres_dsn()
    return f"{dsn}{'&' if '?' in dsn else '?'}{request.param}"


async def test_a_commit_through_one_server_is_told_by_another(serve, url: str) -> None:
    first, second = [await serve(url) for _ in range(2)]
    async with first.store() as one, second.store() as two, watching(two) as pages:
        await anext(pages)
        for revision in range(1, 6):
            await one.save(SessionData(id="a"))
            assert [notice.revision for notice in await told(pages, 1)] == [revision]


async def test_events_added_through_one_server_are_followed_on_another(serve, url: str) -> None:
    first, second = [await serve(url) for _ in range(2)]
    async with first.store() as one, second.store() as two, aclosing(two.follow_trace_events("a")) as followed:
        for event in numbered_traces(5):
            await appended_traces(one, "a", [event])
            assert await anext(followed) == event
