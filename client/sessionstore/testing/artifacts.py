"""What a store promises about artifacts beyond what holds for records of any kind."""

import pytest

from sessionstore.model import DEFAULT_MAX_ARTIFACT_BYTES, DEFAULT_MAX_ARTIFACTS, ArtifactStore, ToolArtifact
from sessionstore.store import SessionStore
from sessionstore.testing import samples
from sessionstore.testing.comparison import assert_same


class ArtifactContract:
    """Content, order, retained uris, limits."""

    pytestmark = pytest.mark.asyncio

    async def test_content_loads_exactly(self, store: SessionStore) -> None:
        """A1: Content is any text: empty, with NUL, with any line ends, of several MiB."""
        contents = ("", "\0", "a\r\nb\rc\u2028", "🧵", "x" * (5 << 20))
        artifacts = ArtifactStore.from_snapshot([_artifact(content[:9] or "none", content) for content in contents])
        await store.save_artifacts("a", artifacts)
        assert_same(await store.load_artifacts("a"), artifacts)

    async def test_retained_uris_load(self, store: SessionStore) -> None:
        """A2: The retained uris load too, also those of absent artifacts; garbage collection then spares them."""
        artifacts = ArtifactStore.from_snapshot([_artifact("kept"), _artifact("lost")], ["kept", "absent"])
        await store.save_artifacts("a", artifacts)
        loaded = await store.load_artifacts("a")
        assert loaded is not None
        assert loaded.retained_uris == ("absent", "kept")
        assert loaded.collect_garbage() == 1
        assert [artifact.artifact_uri for artifact in loaded] == ["kept"]

    async def test_retained_uris_alone_are_kept(self, store: SessionStore) -> None:
        """A2: Retained uris are kept when there are no artifacts, and replaced with the artifacts."""
        await store.save_artifacts("a", ArtifactStore.from_snapshot([], ["soon"]))
        assert_same(await store.load_artifacts("a"), ArtifactStore.from_snapshot([], ["soon"]))
        await store.save_artifacts("a", ArtifactStore.from_snapshot([_artifact("soon")]))
        assert_same(await store.load_artifacts("a"), ArtifactStore.from_snapshot([_artifact("soon")]))

    async def test_more_artifacts_than_the_default_limit(self, store: SessionStore) -> None:
        """A3: All artifacts load, also more than the default limits take; the limits are raised so far."""
        many = [_artifact(str(number)) for number in range(DEFAULT_MAX_ARTIFACTS + 1)]
        large = _artifact("large", "x" * (DEFAULT_MAX_ARTIFACT_BYTES + 1))
        await store.save_artifacts("a", ArtifactStore.from_snapshot([*many, large]))
        loaded = await store.load_artifacts("a")
        assert loaded is not None
        assert [artifact.artifact_uri for artifact in loaded] == [artifact.artifact_uri for artifact in [*many, large]]
        assert loaded.max_artifacts > DEFAULT_MAX_ARTIFACTS
        assert loaded.max_bytes > DEFAULT_MAX_ARTIFACT_BYTES

    async def test_same_content_in_several_sessions(self, store: SessionStore) -> None:
        """A4: Artifacts of equal content are independent: one goes, the others stay."""
        for session_id in ("a", "b"):
            await store.save_artifacts(session_id, ArtifactStore.from_snapshot([_artifact("1"), _artifact("2")]))
        await store.delete("a")
        await store.save_artifacts("b", ArtifactStore.from_snapshot([_artifact("2")]))
        assert_same(await store.load_artifacts("b"), ArtifactStore.from_snapshot([_artifact("2")]))

    async def test_content_may_return_after_it_went(self, store: SessionStore) -> None:
        """A4: Content that was replaced or deleted can be saved again."""
        for _ in range(2):
            await store.save_artifacts("a", samples.artifacts())
            await store.save_artifacts("a", ArtifactStore())
            await store.save_artifacts("a", samples.artifacts())
            assert_same(await store.load_artifacts("a"), samples.artifacts())
            await store.delete("a")

    async def test_artifact_may_change_under_its_uri(self, store: SessionStore) -> None:
        """A5: A later save may give a uri other content."""
        for content in ("old", "new"):
            await store.save_artifacts("a", ArtifactStore.from_snapshot([_artifact("uri", content)]))
        assert_same(await store.load_artifacts("a"), ArtifactStore.from_snapshot([_artifact("uri", "new")]))


def _artifact(uri: str, content: str = "the same") -> ToolArtifact:
    return ToolArtifact(
        artifact_id=uri, artifact_uri=uri, tool_name="bash", content=content, original_bytes=0, shown_bytes=0
    )
