"""What every store promises about sessions, also one with only the five required operations."""

import pytest

from sessionstore.model import LlmConfigData, Message, SessionConfig, SessionData
from sessionstore.store import SessionStore
from sessionstore.testing import samples
from sessionstore.testing.comparison import assert_same


class SessionContract:
    """Saving, loading, deleting, listing."""

    pytestmark = pytest.mark.asyncio

    async def test_saved_session_loads(self, store: SessionStore) -> None:
        """S1: A session loads as it was saved, every field of it."""
        await store.save(samples.session("a"))
        assert_same(await store.load("a"), samples.session("a"))

    async def test_minimal_session_loads(self, store: SessionStore) -> None:
        """S1: A session with nothing but an id and times loads as it was saved."""
        session = SessionData(id="a", created_at=-1, updated_at=0)
        await store.save(session)
        assert_same(await store.load("a"), session)

    async def test_unknown_session_is_none(self, store: SessionStore) -> None:
        """S2: Loading an id that was never saved gives None."""
        await store.save(samples.session("a"))
        assert await store.load("b") is None

    async def test_saving_again_replaces_whole_session(self, store: SessionStore) -> None:
        """S3: Saving again replaces the whole session: what the new one lacks is gone."""
        await store.save(samples.session("a"))
        shorter = SessionData(id="a", messages=[Message.user("anew")], updated_at=99)
        await store.save(shorter)
        assert_same(await store.load("a"), shorter)

    async def test_conversation_may_grow_shrink_and_change(self, store: SessionStore) -> None:
        """S3: Any later conversation may follow: a longer one, a shorter one, one that differs in the middle."""
        session = SessionData(id="a", messages=[Message.user(str(number)) for number in range(4)])
        await store.save(session)
        for texts in ("012345", "01", "0x2345", "", "9"):
            session.messages = [Message.user(text) for text in texts]
            await store.save(session)
            assert_same(await store.load("a"), session)

    async def test_deleted_session_is_gone(self, store: SessionStore) -> None:
        """S4: A deleted session is not loaded, not listed, and does not exist; the others stay."""
        await store.save(samples.session("a"))
        await store.save(samples.session("b"))
        await store.delete("a")
        assert await store.load("a") is None
        assert not await store.exists("a")
        assert await store.list() == ["b"]
        assert_same(await store.load("b"), samples.session("b"))

    async def test_deleting_unknown_session_succeeds(self, store: SessionStore) -> None:
        """S5: Deleting what was never saved, or is deleted already, succeeds and changes nothing."""
        await store.save(samples.session("a"))
        await store.delete("b")
        assert await store.list() == ["a"]
        await store.delete("a")
        await store.delete("a")
        assert await store.list() == []

    async def test_list_is_empty_at_first(self, store: SessionStore) -> None:
        """S6: A new store lists nothing."""
        assert await store.list() == []

    async def test_list_is_sorted_by_bytes(self, store: SessionStore) -> None:
        """S6: The list has every saved id once, sorted by UTF-8 bytes and not by any alphabet."""
        ids = ["b", "a", "Z", "é", "z", "aa", "a/b", "a-b", "\uffff", "🧵"]
        for session_id in [*ids, "a"]:
            await store.save(SessionData(id=session_id))
        assert await store.list() == sorted(ids, key=str.encode)

    async def test_exists_follows_save_and_delete(self, store: SessionStore) -> None:
        """S7: A session exists from its first save until it is deleted, and again after the next save."""
        assert not await store.exists("a")
        await store.save(samples.session("a"))
        assert await store.exists("a")
        await store.delete("a")
        assert not await store.exists("a")
        await store.save(samples.session("a"))
        assert await store.exists("a")

    async def test_api_key_is_not_stored(self, store: SessionStore) -> None:
        """S8: Provider and model of a session are stored, its API key never is."""
        config = LlmConfigData(provider="example", model="large", api_key="do-not-keep")
        await store.save(SessionData(id="a", llm_config=config))
        loaded = await store.load("a")
        assert loaded is not None
        assert loaded.llm_config == LlmConfigData(provider="example", model="large")
        assert config.api_key == "do-not-keep"

    async def test_hook_engine_is_not_stored(self, store: SessionStore) -> None:
        """S8: The hook engine of a runtime is not stored either."""
        config = SessionConfig.model_validate({"name": "hooked", "hook_engine": {"hooks": ["secret"]}})
        await store.save(SessionData(id="a", config=config))
        loaded = await store.load("a")
        assert loaded is not None
        assert loaded.config == SessionConfig(name="hooked")

    async def test_large_session_loads(self, store: SessionStore) -> None:
        """S9: A long conversation, and one message of several MiB, are ordinary sessions."""
        messages = [Message.user(f"{number} " * 20) for number in range(2_000)]
        session = SessionData(id="a", messages=[*messages, Message.assistant("ü" * (3 << 20))])
        await store.save(session)
        assert await store.load("a") == session
