"""What every store promises about the ids of sessions."""

import pytest

from sessionstore.errors import InvalidArgumentError
from sessionstore.model import SessionData
from sessionstore.store import SessionStore
from sessionstore.testing.comparison import assert_same

ODD_IDS = (
    " ",
    "\t",
    "\r\n",
    ".",
    "..",
    "...",
    "../escape",
    "../../etc/passwd",
    "/",
    "//",
    "/root",
    "a",
    "A",
    "a.",
    "a ",
    "a/",
    "a//b",
    "a/b",
    "a\\b",
    "a_b",
    "a%2Fb",
    "a/../b",
    "..\\a/..\\b",
    "C:\\a",
    "CON",
    "~",
    "-rf",
    "*?[a-z]",
    "id_YQ",
    "a.json",
    "commits.jsonl",
    "sessions",
    "é",
    "e\u0301",
    "ﬀ",
    "ß",
    "日本語",
    "\u202eltr",
    "\u200b",
    "\x7f",
    "\ufeff",
    "🧵👩‍👩‍👧",
    "a" * 255,
    "a" * 256,
    "x" * 512,
    "🧵" * 128,
)
"""Ids that are all different, and each an ordinary id."""

BAD_IDS = {"empty": "", "nul": "a\0b", "too long": "a" * 513, "too many bytes": "🧵" * 128 + "a", "surrogate": "\ud800"}
"""Ids that no store takes, by what is wrong with them."""


class IdContract:
    """Which ids there are, and that no two meet."""

    pytestmark = pytest.mark.asyncio

    async def test_odd_ids_stay_apart(self, store: SessionStore) -> None:
        """I1: Any text of 1 to 512 bytes of UTF-8 without NUL is an id; ids that differ in any byte stay apart."""
        for number, session_id in enumerate(ODD_IDS):
            await store.save(SessionData(id=session_id, created_at=number, updated_at=0))
        assert await store.list() == sorted(ODD_IDS, key=str.encode)
        for number, session_id in enumerate(ODD_IDS):
            assert_same(await store.load(session_id), SessionData(id=session_id, created_at=number, updated_at=0))

    async def test_deleting_one_id_keeps_similar_ones(self, store: SessionStore) -> None:
        """I1: Deleting a session keeps those with a similar id."""
        for session_id in ("tenant/session", "tenant_session", "tenant", "tenant/"):
            await store.save(SessionData(id=session_id))
        await store.delete("tenant/session")
        assert await store.list() == ["tenant", "tenant/", "tenant_session"]
        assert not await store.exists("tenant/session")

    @pytest.mark.parametrize("bad_id", BAD_IDS.values(), ids=BAD_IDS)
    @pytest.mark.parametrize("operation", ["load", "delete", "exists"])
    async def test_bad_id_is_refused(self, store: SessionStore, operation: str, bad_id: str) -> None:
        """I2: An id that is empty, holds NUL, is longer than 512 bytes or is not Unicode is refused by its name."""
        with pytest.raises(InvalidArgumentError) as caught:
            await getattr(store, operation)(bad_id)
        assert caught.value.field == "session_id"

    @pytest.mark.parametrize("bad_id", ["", "a\0b", "a" * 513], ids=["empty", "nul", "too long"])
    async def test_session_with_bad_id_is_not_saved(self, store: SessionStore, bad_id: str) -> None:
        """I2: A session with such an id is not saved."""
        with pytest.raises(InvalidArgumentError) as caught:
            await store.save(SessionData(id=bad_id))
        assert caught.value.field == "session.id"
        assert await store.list() == []
