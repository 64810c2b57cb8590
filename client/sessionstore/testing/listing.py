"""What a store promises about pages of session summaries."""

import asyncio

import pytest

from sessionstore.errors import InvalidArgumentError
from sessionstore.model import SessionData, SessionSummary
from sessionstore.store import SessionStore
from sessionstore.testing import samples


class ListingContract:
    """Summaries, a page at a time."""

    pytestmark = pytest.mark.asyncio

    async def test_summary_tells_the_session(self, store: SessionStore) -> None:
        """L1: A summary has the facts of the session as it was last saved."""
        session = samples.session("a")
        await store.save(SessionData(id="a"))
        await store.save(session)
        page = await store.list_sessions()
        assert page.sessions == (
            SessionSummary(
                id="a",
                revision=page.sessions[0].revision,
                name=session.config.name,
                state=session.state,
                model_name=session.model_name,
                parent_id=session.parent_id,
                tenant_id=session.tenant_id,
                principal=session.principal,
                agent_template_id=session.agent_template_id,
                message_count=len(session.messages),
                total_tokens=session.total_usage.total_tokens,
                total_cost=session.total_cost,
                created_at=session.created_at,
                updated_at=session.updated_at,
            ),
        )
        assert page.next_page_token == ""

    async def test_pages_cover_every_session_once(self, store: SessionStore) -> None:
        """L2: Pages of any size go through all sessions in the order of the list, each session once."""
        for session_id in ("c", "a", "🧵", "b/1", "b"):
            await store.save(SessionData(id=session_id))
        for page_size in range(1, 7):
            assert await _ids_by_page(store, page_size) == await store.list()

    async def test_full_last_page_has_no_token(self, store: SessionStore) -> None:
        """L2: Only a page behind which there is another session has a token."""
        for session_id in ("a", "b"):
            await store.save(SessionData(id=session_id))
        assert (await store.list_sessions(page_size=2)).next_page_token == ""
        assert (await store.list_sessions(page_size=1)).next_page_token != ""

    async def test_page_sizes(self, store: SessionStore) -> None:
        """L3: Page size 0 means 100, more than 1,000 means 1,000; the plain list has all sessions all the same."""
        ids = [f"{number:04}" for number in range(1_001)]
        await asyncio.gather(*(store.save(SessionData(id=session_id)) for session_id in ids))
        assert len((await store.list_sessions()).sessions) == 100
        assert len((await store.list_sessions(page_size=5_000)).sessions) == 1_000
        assert await store.list() == ids

    async def test_changes_between_pages(self, store: SessionStore) -> None:
        """L4: Sessions saved or deleted between two pages make no other session skipped or repeated."""
        for session_id in ("b", "d", "f", "h"):
            await store.save(SessionData(id=session_id))
        first = await store.list_sessions(page_size=2)
        await store.delete("b")
        await store.delete("d")
        await store.save(SessionData(id="a"))
        second = await store.list_sessions(page_size=2, page_token=first.next_page_token)
        assert [summary.id for summary in second.sessions] == ["f", "h"]

    @pytest.mark.parametrize("token", ["garbage", "Z2FyYmFnZQ==", "é", "\0"])
    async def test_bad_page_token_is_refused(self, store: SessionStore, token: str) -> None:
        """L5: A page token that came from nowhere is refused by its name."""
        with pytest.raises(InvalidArgumentError) as caught:
            await store.list_sessions(page_token=token)
        assert caught.value.field == "page_token"

    @pytest.mark.parametrize("page_size", [-1, -(2**40)])
    async def test_bad_page_size_is_refused(self, store: SessionStore, page_size: int) -> None:
        """L5: A negative page size is refused by its name."""
        with pytest.raises(InvalidArgumentError) as caught:
            await store.list_sessions(page_size=page_size)
        assert caught.value.field == "page_size"


async def _ids_by_page(store: SessionStore, page_size: int) -> list[str]:
    ids: list[str] = []
    token = ""
    while True:
        page = await store.list_sessions(page_size, token)
        assert len(page.sessions) <= page_size
        ids += [summary.id for summary in page.sessions]
        token = page.next_page_token
        if not token:
            return ids
