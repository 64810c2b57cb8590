"""What a store promises about lists that are selected and ordered."""

import asyncio
from collections import Counter
from random import Random
from typing import Any

import pytest

from sessionstore.errors import InvalidArgumentError
from sessionstore.model import SessionConfig, SessionData, SessionState
from sessionstore.store import SessionFilter, SessionOrder, SessionStore

_NAMES = ("", "a", "ab", "a b", "B", "ä", "￼", "🧵", "🧵 a")
"""UTF-16 would put the last ones elsewhere."""
_OWNERS = (None, "", "one", "two", "🧵/1")
_TIMES = (-(2**63), -1, 0, 1, 1_700_000_000, 2**63 - 1)
_ORDERS = tuple((order, descending) for order in SessionOrder for descending in (False, True))


class SelectionContract:
    """Filters, orders, and counts."""

    pytestmark = pytest.mark.asyncio

    @pytest.mark.parametrize("seed", range(3))
    async def test_any_selection_in_any_order(self, store: SessionStore, seed: int) -> None:
        """L7: A list has the sessions for which all of the filter holds, in any order; they can be counted."""
        random = Random(seed)  # noqa: S311 - no secret
        sessions = [_any_session(random, f"{random.choice('ab🧵￼')}{number}") for number in range(40)]
        for session in sessions:
            await store.save(session)
        for _ in range(40):
            asked, (order_by, descending) = _any_filter(random), random.choice(_ORDERS)
            found = await _ids(store, random.randint(1, 15), asked, order_by, descending=descending)
            selected = [session for session in sessions if _is_selected(session, asked)]
            selected.sort(key=lambda session: _place(session, order_by), reverse=descending)
            assert found == [session.id for session in selected]
            assert await store.count_sessions(asked) == len(selected)

    async def test_no_filter_is_everything(self, store: SessionStore) -> None:
        """L7: No filter, or an empty one, selects every session; where there is none the count is 0."""
        assert await store.count_sessions() == 0
        for session_id in ("a", "b"):
            await store.save(SessionData(id=session_id))
        assert await store.count_sessions() == await store.count_sessions(SessionFilter()) == 2
        assert (await store.list_sessions(filter=SessionFilter())).sessions == (await store.list_sessions()).sessions

    async def test_selection_follows_the_session(self, store: SessionStore) -> None:
        """L8: A session is selected and ordered by what was saved last."""
        session = SessionData(id="a", state=SessionState.ACTIVE, tenant_id="one")
        await store.save(session)
        session.state, session.tenant_id = SessionState.COMPLETED, None
        await store.save(session)
        assert await store.count_sessions(SessionFilter(state=SessionState.ACTIVE)) == 0
        assert await store.count_sessions(SessionFilter(tenant_id="one")) == 0
        assert await store.count_sessions(SessionFilter(state=SessionState.COMPLETED)) == 1
        await store.delete("a")
        assert await store.count_sessions() == 0

    async def test_token_goes_with_its_list(self, store: SessionStore) -> None:
        """L9: A page token goes with the filter, the order and the direction of its page, and with no other."""
        for session_id in ("a", "b", "c"):
            await store.save(SessionData(id=session_id, tenant_id="one"))
        asked: dict[str, Any] = {"filter": SessionFilter(tenant_id="one"), "order_by": SessionOrder.NAME}
        token = (await store.list_sessions(1, **asked)).next_page_token
        assert [each.id for each in (await store.list_sessions(2, token, **asked)).sessions] == ["b", "c"]
        for other in (
            {"filter": None},
            {"filter": SessionFilter(principal="one")},
            {"order_by": SessionOrder.ID},
            {"descending": True},
        ):
            with pytest.raises(InvalidArgumentError) as caught:
                await store.list_sessions(1, token, **asked | other)
            assert caught.value.field == "page_token"

    @pytest.mark.parametrize(
        "bad",
        [
            {"created_from": 2**63},
            {"created_before": -(2**63) - 1},
            {"updated_from": 2**64},
            {"updated_before": 0.5},
            {"tenant_id": "a" * 513},
            {"principal": "a\0b"},
            {"parent_id": "\ud800"},
            {"name_prefix": "🧵" * 129},
            {"model_name": 1},
            {"state": "Active"},
        ],
        ids=str,
    )
    async def test_bad_filter_is_refused(self, store: SessionStore, bad: dict[str, Any]) -> None:
        """L10: A value that no session can have is an InvalidArgumentError by its name, such as `filter.state`."""
        for call in (store.list_sessions(filter=SessionFilter(**bad)), store.count_sessions(SessionFilter(**bad))):
            with pytest.raises(InvalidArgumentError) as caught:
                await call
            assert caught.value.field == f"filter.{next(iter(bad))}"

    @pytest.mark.parametrize("text", ["a" * 600, "b\0c", "🧵" * 200], ids=["long", "nul", "wide"])
    async def test_text_that_no_filter_takes(self, store: SessionStore, text: str) -> None:
        """L11: Any text is listed. A name counts up to 512 bytes or a NUL, other text beyond these matches nothing."""
        await store.save(SessionData(id="a", config=SessionConfig(name=text), tenant_id=text, model_name=text))
        await store.save(SessionData(id="b", config=SessionConfig(name="zzz")))
        beginning = text.partition("\0")[0].encode()[:512].decode(errors="ignore")
        page = await store.list_sessions(filter=SessionFilter(name_prefix=beginning))
        assert [(each.id, each.name, each.tenant_id) for each in page.sessions] == [("a", text, text)]
        assert await store.count_sessions(SessionFilter(tenant_id=beginning)) == 0
        for descending in (False, True):
            assert sorted(await _ids(store, 1, None, SessionOrder.NAME, descending=descending)) == ["a", "b"]

    @pytest.mark.parametrize(("order_by", "descending"), _ORDERS, ids=str)
    async def test_lists_beside_writers(self, store: SessionStore, order_by: SessionOrder, descending: bool) -> None:
        """L12: While others are saved, moved and deleted, a session that keeps its place is listed exactly once."""
        kept = [_numbered(number, number) for number in range(0, 40, 2)]
        for session in kept:
            await store.save(session)
        stop = asyncio.Event()
        writing = asyncio.create_task(_move_others(store, stop))
        try:
            for page_size in (1, 2, 3, 7, 50):
                counted = Counter(await _ids(store, page_size, None, order_by, descending=descending))
                assert [counted[session.id] for session in kept] == [1] * len(kept)
        finally:
            stop.set()
            await writing


def _any_session(random: Random, session_id: str) -> SessionData:
    return SessionData(
        id=session_id,
        config=SessionConfig(name=random.choice(_NAMES)),
        state=random.choice(list(SessionState)),
        created_at=random.choice(_TIMES),
        updated_at=random.choice(_TIMES),
        model_name=random.choice(_OWNERS),
        parent_id=random.choice(_OWNERS),
        tenant_id=random.choice(_OWNERS),
        principal=random.choice(_OWNERS),
        agent_template_id=random.choice(_OWNERS),
    )


def _any_filter(random: Random) -> SessionFilter:
    owners = ("model_name", "parent_id", "tenant_id", "principal", "agent_template_id")
    times = ("created_from", "created_before", "updated_from", "updated_before")
    asked: dict[str, Any] = {
        name: random.choice(_OWNERS) for name in random.sample(owners, random.choice((0, 0, 1, 2)))
    }
    asked |= {name: random.choice(_TIMES) for name in random.sample(times, random.choice((0, 0, 1, 2)))}
    return SessionFilter(
        state=random.choice((None, None, *SessionState)), name_prefix=random.choice(("", "", *_NAMES)), **asked
    )


def _is_selected(session: SessionData, asked: SessionFilter) -> bool:
    """Tell the same as the store, from the session itself."""
    same = ("state", "model_name", "parent_id", "tenant_id", "principal", "agent_template_id")
    return (
        all(getattr(asked, name) in (None, getattr(session, name)) for name in same)
        and session.config.name.startswith(asked.name_prefix)
        and (asked.created_from is None or session.created_at >= asked.created_from)
        and (asked.created_before is None or session.created_at < asked.created_before)
        and (asked.updated_from is None or session.updated_at >= asked.updated_from)
        and (asked.updated_before is None or session.updated_at < asked.updated_before)
    )


def _place(session: SessionData, order_by: SessionOrder) -> tuple[Any, bytes]:
    values = {
        SessionOrder.ID: 0,
        SessionOrder.NAME: session.config.name.encode(),
        SessionOrder.CREATED_AT: session.created_at,
        SessionOrder.UPDATED_AT: session.updated_at,
    }
    return values[order_by], session.id.encode()


async def _ids(
    store: SessionStore, page_size: int, asked: SessionFilter | None, order_by: SessionOrder, *, descending: bool
) -> list[str]:
    ids: list[str] = []
    token = ""
    while True:
        page = await store.list_sessions(page_size, token, filter=asked, order_by=order_by, descending=descending)
        assert len(page.sessions) <= page_size
        ids += [summary.id for summary in page.sessions]
        token = page.next_page_token
        if not token:
            return ids
        # A store that never waits would otherwise not let writers run.
        await asyncio.sleep(0)


def _numbered(number: int, place: int) -> SessionData:
    """Return a session that has this place in every order but that of the ids."""
    return SessionData(id=f"{number:02}", config=SessionConfig(name=f"{place:02}"), created_at=place, updated_at=place)


async def _move_others(store: SessionStore, stop: asyncio.Event) -> None:
    """Save sessions between the even numbers, give them other places, and delete them, until told to stop."""
    random = Random(1)  # noqa: S311 - no secret
    while not stop.is_set():
        number = random.randrange(1, 40, 2)
        if random.random() < 0.3:
            await store.delete(f"{number:02}")
        else:
            await store.save(_numbered(number, random.randrange(40)))
        await asyncio.sleep(0)
