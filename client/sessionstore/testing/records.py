"""What a store promises about records of any kind: artifacts, trace events, runs, reports, subagent tasks."""

from typing import Any

import pytest

from sessionstore.errors import InvalidArgumentError
from sessionstore.model import SessionData
from sessionstore.store import SessionStore
from sessionstore.testing import samples
from sessionstore.testing.comparison import assert_same
from sessionstore.testing.ids import BAD_IDS, ODD_IDS
from sessionstore.testing.kinds import RECORD_KINDS, RecordKind

any_kind = pytest.mark.parametrize("kind", RECORD_KINDS, ids=str)


class RecordContract:
    """Saved as a list, loaded as a list, gone with the session."""

    pytestmark = pytest.mark.asyncio

    @any_kind
    async def test_saved_records_load(self, store: SessionStore, kind: RecordKind[Any]) -> None:
        """K1: Records load as they were saved, in their order."""
        await store.save(samples.session("a"))
        await kind.save(store, "a", kind.some("a"))
        assert_same(await kind.load(store, "a"), kind.some("a"))

    @any_kind
    async def test_records_need_no_session(self, store: SessionStore, kind: RecordKind[Any]) -> None:
        """K2: Records may be saved without the session, under any id; they do not make a session."""
        for session_id in ODD_IDS[:8]:
            await kind.save(store, session_id, kind.some(session_id))
        for session_id in ODD_IDS[:8]:
            assert_same(await kind.load(store, session_id), kind.some(session_id))
        assert not await store.exists(" ")
        assert await store.load(" ") is None
        assert await store.list() == []
        assert (await store.list_sessions()).sessions == ()

    @any_kind
    async def test_saving_again_replaces_records(self, store: SessionStore, kind: RecordKind[Any]) -> None:
        """K3: Saving records again replaces all of the kind, with fewer or with none."""
        await kind.save(store, "a", kind.some("a"))
        await kind.save(store, "a", kind.shortened(kind.some("a")))
        assert_same(await kind.load(store, "a"), kind.shortened(kind.some("a")))
        await kind.save(store, "a", kind.empty())
        assert_same(await kind.load(store, "a"), kind.empty())

    @any_kind
    async def test_never_saved_is_none(self, store: SessionStore, kind: RecordKind[Any]) -> None:
        """K4: Records that were never saved are None, for an unknown session and for a known one."""
        await store.save(samples.session("a"))
        assert await kind.load(store, "a") is None
        assert await kind.load(store, "b") is None

    @any_kind
    async def test_saved_empty_is_empty(self, store: SessionStore, kind: RecordKind[Any]) -> None:
        """K4: Records that were saved empty are empty, not None; the other kinds stay None."""
        await kind.save(store, "a", kind.empty())
        loaded = {other.name: await other.load(store, "a") for other in RECORD_KINDS}
        assert loaded == {other.name: kind.empty() if other is kind else None for other in RECORD_KINDS}

    @any_kind
    async def test_saving_session_keeps_records(self, store: SessionStore, kind: RecordKind[Any]) -> None:
        """K5: Saving the session leaves its records as they are, and saving records leaves the session."""
        await kind.save(store, "a", kind.some("a"))
        await store.save(samples.session("a"))
        assert_same(await kind.load(store, "a"), kind.some("a"))
        await kind.save(store, "a", kind.empty())
        assert_same(await store.load("a"), samples.session("a"))

    async def test_kinds_are_independent(self, store: SessionStore) -> None:
        """K5: Saving records of one kind leaves the other kinds as they are."""
        for kind in RECORD_KINDS:
            await kind.save(store, "a", kind.some("a"))
        for kind in RECORD_KINDS:
            await kind.save(store, "a", kind.shortened(kind.some("a")))
            await kind.save(store, "a", kind.some("a"))
        for kind in RECORD_KINDS:
            assert_same(await kind.load(store, "a"), kind.some("a"))

    @any_kind
    async def test_records_go_with_the_session(self, store: SessionStore, kind: RecordKind[Any]) -> None:
        """K6: Deleting a session removes its records, and no others; a new session of that id starts without."""
        for session_id in ("a", "a/b"):
            await store.save(SessionData(id=session_id))
            await kind.save(store, session_id, kind.some(session_id))
        await store.delete("a")
        await store.save(SessionData(id="a"))
        assert await kind.load(store, "a") is None
        assert_same(await kind.load(store, "a/b"), kind.some("a/b"))

    @any_kind
    async def test_records_without_session_can_be_deleted(self, store: SessionStore, kind: RecordKind[Any]) -> None:
        """K6: Deleting the id of records that have no session removes them."""
        await kind.save(store, "a", kind.some("a"))
        await store.delete("a")
        assert await kind.load(store, "a") is None

    @pytest.mark.parametrize("bad_id", BAD_IDS.values(), ids=BAD_IDS)
    @any_kind
    async def test_records_of_bad_id_are_refused(self, store: SessionStore, kind: RecordKind[Any], bad_id: str) -> None:
        """K7: The id of records is refused under the same rules as that of a session."""
        with pytest.raises(InvalidArgumentError) as caught:
            await kind.save(store, bad_id, kind.empty())
        assert caught.value.field == "session_id"
        with pytest.raises(InvalidArgumentError) as caught:
            await kind.load(store, bad_id)
        assert caught.value.field == "session_id"
