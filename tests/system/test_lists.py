"""What lists on files cost: a list opens what has changed since the last one, and shows what is there all the same."""

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from unittest.mock import patch

import pytest

from sessionstore import FileSessionStore, SessionConfig, SessionData, SessionStore
from sessionstore.store import SessionFilter, SessionOrder
from sessionstore_server.backends.file import folder as folders

SESSIONS = 40
OPENS = 3
"""The root, the folder of the namespace, and that of the collection."""
KEY_OPENS = 5
"""Those, the folder of the key, and its commit file."""
NAMED = SessionFilter(name_prefix="odd")


@pytest.fixture
async def store(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FileSessionStore]:
    """A store of sessions, on a file system that tells any two changes by their times."""
    monkeypatch.setattr(folders, "_STAMP_GRAIN_NS", 0)
    async with FileSessionStore(folder) as store:
        for number in range(SESSIONS):
            await store.save(session(number))
        yield store


def session(number: int, name: str = "") -> SessionData:
    """Return a session whose name tells whether its number is odd, unless it gets another one."""
    return SessionData(id=f"{number:03}", config=SessionConfig(name=name or ("odd" if number % 2 else "even")))


@contextmanager
def counted_opens() -> Iterator[list[object]]:
    """Give the names of what is opened in the block."""
    opened: list[object] = []
    really_open = os.open

    def counting(path, *arguments, **options) -> int:
        opened.append(path)
        return really_open(path, *arguments, **options)

    with patch.object(os, "open", counting):
        yield opened


LISTS = {
    "filter": lambda store: store.list_sessions(10, filter=NAMED),
    "order": lambda store: store.list_sessions(10, order_by=SessionOrder.UPDATED_AT),
    "count": lambda store: store.count_sessions(NAMED),
    "page": lambda store: store.list_sessions(10),
}


@pytest.mark.parametrize("name", LISTS)
async def test_a_list_opens_no_session_that_it_knows(store: FileSessionStore, name: str) -> None:
    first = await LISTS[name](store)
    with counted_opens() as opened:
        assert await LISTS[name](store) == first
    assert len(opened) == OPENS


async def test_a_list_opens_what_has_changed(store: FileSessionStore, folder: Path) -> None:
    await names(store)
    async with FileSessionStore(folder) as other:
        await other.save(session(1, "other"))
        await other.save(session(SESSIONS + 1))
        await other.delete("003")
    with counted_opens() as opened:
        listed = await names(store)
    assert len(opened) <= OPENS + 3 * KEY_OPENS
    assert listed == [session(number).id for number in range(5, SESSIONS + 2, 2)]


@pytest.mark.usefixtures("store")
async def test_a_page_by_id_opens_as_many_sessions_as_it_shows(folder: Path) -> None:
    """And one more, which tells whether there is another page."""
    async with FileSessionStore(folder) as fresh:
        await fresh.exists("another")
        with counted_opens() as opened:
            await fresh.list_sessions(4)
    assert len(opened) == OPENS + 5 * KEY_OPENS


async def test_damage_is_told_of_a_session_that_was_listed_before(store: FileSessionStore, folder: Path) -> None:
    await store.list_sessions()
    (folder / "default/sessions/007/commits.jsonl").write_text("nothing\n")
    page = await store.list_sessions()
    assert page.unreachable == ("007",)
    assert len(page.sessions) == SESSIONS - 1


async def test_lists_show_what_two_processes_left(store: FileSessionStore, folder: Path) -> None:
    """After each of many changes by either, both list what a plain dictionary would hold."""
    random, expected = Random(0), {f"{number:03}": session(number).config.name for number in range(SESSIONS)}
    async with FileSessionStore(folder) as other:
        for _ in range(150):
            changed = session(random.randrange(SESSIONS + 5), random.choice(["odd", "even", "odder"]))
            writer = random.choice([store, other])
            if random.random() < 0.3:
                await writer.delete(changed.id)
                expected.pop(changed.id, None)
            else:
                await writer.save(changed)
                expected[changed.id] = changed.config.name
            odd = sorted(id_ for id_, name in expected.items() if name.startswith("odd"))
            assert await names(store) == await names(other) == odd


async def names(store: SessionStore) -> Sequence[str]:
    """Return the ids of those whose name begins as `NAMED` asks for."""
    return [each.id for each in (await store.list_sessions(1_000, filter=NAMED)).sessions]
