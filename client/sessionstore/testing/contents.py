"""What a store promises about content by itself, and about artifacts that refer to it."""

import asyncio
import io
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest

from sessionstore.errors import InvalidArgumentError
from sessionstore.model import ArtifactReference, ArtifactStore, ToolArtifact
from sessionstore.store import BlobInfo, SessionChange, SessionStore
from sessionstore.testing.comparison import assert_same

LARGE = Random(5).randbytes((5 << 20) + 7)  # noqa: S311 - no secret
BINARY = b"\xff\x00\xfe"
TEXT = "line\r\n🧵\0"


class ContentContract:
    """Contents under their digests; references, and what goes when nothing refers to it."""

    pytestmark = pytest.mark.asyncio

    @pytest.mark.parametrize("content", [b"", b"x", BINARY, LARGE], ids=["empty", "one byte", "no text", "large"])
    async def test_content_reads_as_it_was_written(self, store: SessionStore, content: bytes) -> None:
        """Z1: Content of any size, also none, is stored under its SHA-256 and reads as it was written."""
        file = io.BytesIO(content)
        file.seek(len(content))
        blob = await store.write_blob(file)
        assert blob == BlobInfo(sha256(content).hexdigest(), len(content))
        assert await _read(store, blob.sha256) == content

    async def test_content_of_a_file(self, store: SessionStore, tmp_path: Path) -> None:
        """Z1: Content may come from a file."""
        path = tmp_path / "content"
        path.write_bytes(LARGE)
        assert await _read(store, (await store.write_blob(path)).sha256) == LARGE

    async def test_pieces_are_small(self, store: SessionStore) -> None:
        """Z1: Content is handed out in pieces of at most 1 MiB."""
        blob = await store.write_blob(io.BytesIO(LARGE))
        assert max([len(piece) async for piece in store.read_blob(blob.sha256)]) <= 1 << 20

    async def test_ranges(self, store: SessionStore) -> None:
        """Z2: Any range can be read; it ends with the content."""
        digest = (await store.write_blob(io.BytesIO(LARGE))).sha256
        middle, end = 3 << 20, len(LARGE)
        for offset, limit in (
            (0, 1),
            (1, 1 << 20),
            (middle, None),
            (middle, 9 << 20),
            (end - 1, 5),
            (end, 5),
            (end, None),
        ):
            stop = None if limit is None else offset + limit
            assert await _read(store, digest, offset, limit) == LARGE[offset:stop]
        assert await _read(store, digest, 1, 0) == b""

    async def test_what_cannot_be_read(self, store: SessionStore) -> None:
        """Z3: A digest that is none, or of which nothing is stored, and an offset behind the end are refused."""
        digest = (await store.write_blob(io.BytesIO(b"four"))).sha256
        for asked, offset, field in (("no digest", 0, "sha256"), ("0" * 64, 0, "sha256"), (digest, 5, "offset")):
            with pytest.raises(InvalidArgumentError) as caught:
                await _read(store, asked, offset)
            assert caught.value.field == field

    async def test_what_is_missing(self, store: SessionStore) -> None:
        """Z4: A store tells which contents it does not have, of any number."""
        blob = await store.write_blob(io.BytesIO(b"stored"))
        absent = {sha256(b"%d" % number).hexdigest() for number in range(2500)}
        assert await store.find_missing_blobs([*absent, blob.sha256]) == absent
        assert await store.find_missing_blobs([]) == set()
        with pytest.raises(InvalidArgumentError, match="sha256"):
            await store.find_missing_blobs(["no digest"])

    async def test_content_that_broke_off(self, store: SessionStore) -> None:
        """Z5: What broke off is not stored; the next attempt stores it."""
        with pytest.raises(_BrokenError):
            await store.write_blob(_Breaking(LARGE))
        digest = sha256(LARGE).hexdigest()
        assert await store.find_missing_blobs([digest]) == {digest}
        assert (await store.write_blob(io.BytesIO(LARGE))).sha256 == digest
        assert await _read(store, digest) == LARGE

    async def test_content_that_changes_while_it_is_sent(self, store: SessionStore) -> None:
        """Z5: Content that is not what its digest says is refused, and nothing of it is kept."""
        with pytest.raises(InvalidArgumentError, match="sha256"):
            await store.write_blob(_Changing(LARGE))
        await store.write_blob(io.BytesIO(LARGE))
        assert await _read(store, sha256(LARGE).hexdigest()) == LARGE

    async def test_equal_content_from_several_at_once(self, store: SessionStore) -> None:
        """Z5: Several may write the same content at the same time; it is stored for all of them."""
        for size in (0, 1, 200_000, len(LARGE)):
            blobs = await asyncio.gather(*(store.write_blob(io.BytesIO(LARGE[:size])) for _ in range(4)))
            assert set(blobs) == {BlobInfo(sha256(LARGE[:size]).hexdigest(), size)}
            assert await _read(store, blobs[0].sha256) == LARGE[:size]

    @pytest.mark.parametrize("source", [io.StringIO("text"), "path", io.BufferedWriter(io.BytesIO())])
    async def test_what_is_no_source(self, store: SessionStore, source: object) -> None:
        """Z6: What is neither a path nor a file object with bytes is refused."""
        with pytest.raises(InvalidArgumentError) as caught:
            await store.write_blob(source)  # type: ignore[arg-type]
        assert caught.value.field == "source"

    async def test_artifacts_are_listed_without_content(self, store: SessionStore) -> None:
        """Z7: Artifacts can be listed without their content, which its digest gives, and so can retained uris."""
        assert (await store.list_artifacts("a"), await store.list_retained_uris("a")) == (None, None)
        await store.save_artifacts("a", ArtifactStore())
        assert (await store.list_artifacts("a"), await store.list_retained_uris("a")) == ([], [])
        artifacts = [_artifact("1", "one"), _artifact("2", TEXT)]
        await store.save_artifacts("a", ArtifactStore.from_snapshot(artifacts, ["of nothing", "2"]))
        assert await store.list_retained_uris("a") == ["2", "of nothing"]
        listed = await store.list_artifacts("a")
        assert listed == [_reference("1", b"one"), _reference("2", TEXT.encode())]
        assert await _read(store, listed[1].sha256) == TEXT.encode()

    async def test_references(self, store: SessionStore) -> None:
        """Z8: A commit may refer to content that is stored; each reference takes the place of its uri, or the last."""
        await store.save_artifacts(
            "a", ArtifactStore.from_snapshot([_artifact("1", "one"), _artifact("2", "two")], ["2"])
        )
        for content in (TEXT.encode(), LARGE):
            await store.write_blob(io.BytesIO(content))
        references = [_reference("1", TEXT.encode()), _reference("3", LARGE)]
        await store.commit("a", SessionChange(artifact_references=references))
        assert await store.list_artifacts("a") == [references[0], _reference("2", b"two"), references[1]]
        assert await _read(store, references[1].sha256) == LARGE

    async def test_text_that_was_referred_to(self, store: SessionStore) -> None:
        """Z8: Content that is text loads as that of any artifact; other content is refused with the uri."""
        for content in (TEXT.encode(), BINARY):
            await store.write_blob(io.BytesIO(content))
        await store.commit("a", SessionChange(artifact_references=[_reference("1", TEXT.encode())]))
        assert_same(await store.load_artifacts("a"), ArtifactStore.from_snapshot([_artifact("1", TEXT)]))
        await store.commit("a", SessionChange(artifact_references=[_reference("uri of 2", BINARY)]))
        with pytest.raises(InvalidArgumentError, match="uri of 2"):
            await store.load_artifacts("a")

    async def test_reference_to_nothing(self, store: SessionStore) -> None:
        """Z9: A reference to content that is not stored is refused with its place, and nothing is written."""
        await store.write_blob(io.BytesIO(b"one"))
        references = [_reference("1", b"one"), _reference("2", b"two")]
        with pytest.raises(InvalidArgumentError) as caught:
            await store.commit("a", SessionChange(artifact_references=references))
        assert caught.value.field == "artifact_references[1].sha256"
        assert references[1].sha256 in caught.value.problem
        assert await store.list_artifacts("a") is None

    async def test_content_stays_while_a_session_refers_to_it(self, store: SessionStore) -> None:
        """Z10: Content is shared, stays as long as any session refers to it, and goes with the last one."""
        digest = (await store.write_blob(io.BytesIO(LARGE))).sha256
        for session_id in ("a", "b", "c"):
            await store.commit(session_id, SessionChange(artifact_references=[_reference("1", LARGE)]))
        await store.delete("a")
        await store.save_artifacts("b", ArtifactStore())
        assert await _read(store, digest) == LARGE
        assert await store.find_missing_blobs([digest]) == set()
        await store.commit("c", SessionChange(artifacts=[_artifact("1", "other")]))
        assert await store.find_missing_blobs([digest]) == {digest}
        with pytest.raises(InvalidArgumentError):
            await _read(store, digest)


class _BrokenError(Exception):
    pass


class _Breaking(io.BytesIO):
    """Breaks off in the middle from the second time on."""

    times = 0

    def seek(self, offset: int, whence: int = 0) -> int:
        self.times += 1
        return super().seek(offset, whence)

    def read(self, size: int | None = -1) -> bytes:
        if self.times > 1 and self.tell() > 3 << 20:
            raise _BrokenError
        return super().read(size)


class _Changing(io.BytesIO):
    """Holds something else from the second time on."""

    times = 0

    def seek(self, offset: int, whence: int = 0) -> int:
        self.times += 1
        return super().seek(offset, whence)

    def read(self, size: int | None = -1) -> bytes:
        piece = super().read(size)
        return piece if self.times < 2 else bytes(len(piece))


async def _read(store: SessionStore, digest: str, offset: int = 0, limit: int | None = None) -> bytes:
    return b"".join([piece async for piece in store.read_blob(digest, offset, limit)])


def _artifact(uri: str, content: str) -> ToolArtifact:
    return ToolArtifact(
        artifact_id=uri, artifact_uri=uri, tool_name="bash", content=content, original_bytes=0, shown_bytes=0
    )


def _reference(uri: str, content: bytes) -> ArtifactReference:
    return ArtifactReference(
        artifact_id=uri,
        artifact_uri=uri,
        tool_name="bash",
        original_bytes=0,
        shown_bytes=0,
        sha256=sha256(content).hexdigest(),
        size=len(content),
    )
