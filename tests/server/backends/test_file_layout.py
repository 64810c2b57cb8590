"""What the file backend writes, and how much of it."""

import json
import re
import shutil
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionstore.errors import DataCorruptionError, StorageError
from sessionstore_server.backends.base import REVISIONS_KEPT, Change, Key, LogRange, Query, Splice, Summary
from sessionstore_server.backends.cache import Cache
from sessionstore_server.backends.file import FileBackend, RecordCodec
from sessionstore_server.backends.file.names import folder_name, is_hashed, log_file, shared_file, text_of

Opened = Callable[..., AbstractAsyncContextManager[FileBackend]]

ALL = LogRange()


@given(st.text(min_size=1))
def test_folder_names_tell_the_text(text: str) -> None:
    name = folder_name(text)
    assert re.fullmatch(r"(?![.])[A-Za-z0-9_.%~-]{1,200}(?<![.])", name)
    assert text_of(name) == (None if is_hashed(name) else text)


@given(st.text(min_size=1, max_size=5), st.text(min_size=1, max_size=5))
def test_files_of_two_logs_never_meet(one: str, other: str) -> None:
    """Not even where case is ignored, nor those of any revisions."""
    files = [{log_file(name, 1), log_file(name, 2), shared_file(name, 1, 2)} for name in (one, other)]
    folded = [{file.casefold() for file in names} for names in files]
    assert (folded[0] & folded[1] != set()) == (one == other)
    assert "commits.jsonl" not in folded[0]


def test_the_cache_is_bounded() -> None:
    cache = Cache[str, int](max_bytes=3000)
    for number in [0, 1, 0, 2]:
        cache.put(f"{number}", number, 1200)
        cache.get("0")
    assert [cache.get(f"{number}") for number in range(3)] == [0, None, 2]
    cache.forget("0")
    assert cache.get("0") is None


async def test_people_can_read_the_files(root: Path, folder: Path, key: Key, codec: RecordCodec) -> None:
    backend = FileBackend(root, codec)
    await backend.open()
    document = b'{"big":123456789012345678901234567890,"small":1e400,"twice":1,"twice":2,"escape":"\\ud800"}'
    await backend.commit(key, Change({"session": document}, {"runs/1/events": Splice([b'{"n":1}'])}, Summary(b"{}")))
    await backend.commit(key, Change({"session": None, "x": b"[]"}, {"runs/1/events": Splice([b"2"], keep=0)}))
    commits = (folder / "commits.jsonl").read_bytes()
    first, second = [json.loads(line) for line in commits.splitlines()]
    assert document in commits
    assert (first["revision"], first["key"], first["summary"]) == (1, ["default", "sessions", "one"], {})
    assert first["commit_time"].endswith("Z")
    assert (second["revision"], second["documents"], second["removed_documents"]) == (2, {"x": []}, ["session"])
    log = second["logs"]["runs/1/events"]
    [segment] = log["segments"]
    assert segment["end"] == {"records": 1, "bytes": 2, "crc32": f"{zlib.crc32(b'2' + bytes([10])):08x}"}
    assert (folder / segment["file"]).read_bytes() == b"2\n"
    assert names_in(folder) == ["commits.jsonl", "runs%2F1%2Fevents.1.jsonl", "runs%2F1%2Fevents.2.jsonl"]
    await backend.aclose()


async def test_a_document_comes_back_to_the_letter(root: Path, key: Key, codec: RecordCodec) -> None:
    document = b'{"b":1.0e2,"a":-0.0,"a":12345678901234567890123,"e":1e999,"s":"\\ud800 \\u00e9"}'
    for _ in range(2):
        backend = FileBackend(root, codec)
        await backend.open()
        await backend.commit(key, Change({"session": document, "none": b"null"}))
        view = await backend.read(key, ["session", "none"])
        assert view is not None
        assert dict(view.documents) == {"session": document, "none": b"null"}
        await backend.aclose()


async def test_an_append_writes_what_is_appended(
    root: Path, folder: Path, key: Key, codec: RecordCodec, written: Callable[[], int]
) -> None:
    """10,000 records of 1 KB, and one more: the files stay the same files and grow by little more than that one."""
    record = json.dumps("m" * 1022).encode()
    backend = FileBackend(root, codec)
    await backend.open()
    await backend.commit(key, Change({"session": record}, {"messages": Splice([record] * 10_000)}))
    files = [folder / "commits.jsonl", folder / "messages.1.jsonl"]
    before, bytes_before = [(file.stat().st_ino, file.stat().st_size) for file in files], written()
    await backend.commit(key, Change(logs={"messages": Splice([record])}))
    bytes_after, after = written(), [(file.stat().st_ino, file.stat().st_size) for file in files]
    assert [inode for inode, _ in after] == [inode for inode, _ in before]
    assert after[1][1] - before[1][1] == len(record) + 1
    assert after[0][1] - before[0][1] < 300
    assert bytes_after - bytes_before < len(record) + 1 + 300 + 300
    await backend.aclose()


async def test_the_commit_file_stays_bounded(root: Path, folder: Path, key: Key) -> None:
    """Whoever kept the state of the old file goes on with the new one."""
    writer, reader = FileBackend(root), FileBackend(root)
    await writer.open()
    await reader.open()
    sizes = []
    for number in range(300):
        change = Change(
            {"session": b"%d" % number * 500}, {"messages": Splice([b"%d" % number])}, summary=Summary(b"s")
        )
        await writer.commit(key, change)
        sizes.append((folder / "commits.jsonl").stat().st_size)
        view = await reader.read(key, ["session"], {"messages": ALL})
        assert view is not None
        assert view.documents["session"] == b"%d" % number * 500
        assert view.logs["messages"].length == view.revision == number + 1
    line = 300 + len(b"299" * 500) * 4 // 3
    assert max(sizes) < 2 * (REVISIONS_KEPT + 2) * line < sum(max(later - size, 0) for size, later in pairwise(sizes))
    await writer.aclose()
    await reader.aclose()
    fresh = FileBackend(root)
    await fresh.open()
    view = await fresh.read(key, ["session"], {"messages": ALL})
    assert view is not None
    assert (view.revision, len(view.logs["messages"].records)) == (300, 300)
    await fresh.aclose()


async def test_a_warm_read_reads_only_what_is_new(files: FileBackend, key: Key, was_read: Callable[[], int]) -> None:
    for number in range(300):
        await files.commit(key, Change({"a": b"%d" % number}))
    await files.read(key, ["a"])
    before = was_read()
    await files.read(key, ["a"])
    assert was_read() - before < 1000


async def test_a_part_of_a_long_log_is_read_without_the_rest(
    files: FileBackend, key: Key, was_read: Callable[[], int]
) -> None:
    for _ in range(100):
        await files.commit(key, Change(logs={"messages": Splice([b"x" * 1000] * 100)}))
    before = was_read()
    view = await files.read(key, logs={"messages": LogRange(5000, 5010)})
    assert view is not None
    assert len(view.logs["messages"].records) == 10
    assert was_read() - before < 1_000_000


async def test_blobs_are_shared_files(files: FileBackend, root: Path, folder: Path, key: Key) -> None:
    digest = await put(files, b"content")
    shared = root / "blobs" / digest[:2] / digest
    assert shared.read_bytes() == b"content"
    assert shared.stat().st_nlink == 1
    await files.commit(key, Change(blobs=frozenset([digest])))
    assert (folder / "blobs" / digest).samefile(shared)
    await files.commit(key, Change(blobs=frozenset()))
    assert not shared.exists()
    assert names_in(folder / "blobs") == []


async def test_an_upload_becomes_a_shared_file(files: FileBackend, root: Path) -> None:
    digest = sha256(b"content").hexdigest()
    await files.extend_upload(digest, 0, b"cont")
    assert (root / ".uploads" / digest / "content").read_bytes() == b"cont"
    await files.extend_upload(digest, 4, b"ent")
    await files.finish_upload(digest)
    shared = root / "blobs" / digest[:2] / digest
    assert (shared.read_bytes(), shared.stat().st_nlink) == (b"content", 1)
    assert names_in(root / ".uploads") == []
    assert [names_in(folder) for folder in (root / ".work").iterdir()] == [[]]


async def test_an_upload_is_hashed_in_pieces(files: FileBackend) -> None:
    """However large it is, little memory is needed."""
    piece, hashed = b"x" * (1 << 20), sha256()
    for _ in range(32):
        hashed.update(piece)
    for number in range(32):
        await files.extend_upload(hashed.hexdigest(), number << 20, piece)
    tracemalloc.start()
    await files.finish_upload(hashed.hexdigest())
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()
    assert await files.blob_size(hashed.hexdigest()) == 32 << 20


async def test_the_incarnation_stays_with_the_files(opened: Opened, root: Path) -> None:
    async with opened() as one, opened() as other:
        assert one.incarnation == other.incarnation == int((root / ".incarnation").read_text())
    async with opened() as again:
        assert again.incarnation == one.incarnation
    (root / ".incarnation").unlink()
    async with opened() as restored:
        assert restored.incarnation != one.incarnation


@pytest.mark.parametrize("half", [b"", b"123"])
async def test_an_incarnation_that_was_not_written_to_its_end(opened: Opened, root: Path, half: bytes) -> None:
    async with opened():
        (root / ".incarnation").write_bytes(half)
    async with opened() as one, opened() as other:
        assert one.incarnation == other.incarnation != 123


async def test_a_damaged_incarnation(opened: Opened, root: Path) -> None:
    async with opened():
        (root / ".incarnation").write_bytes(b"none\n")
    with pytest.raises(DataCorruptionError, match=f"{root}/.incarnation"):
        await FileBackend(root).open()


async def test_what_an_interrupted_commit_left_goes_with_the_next(
    files: FileBackend, root: Path, folder: Path, key: Key, caplog: pytest.LogCaptureFixture
) -> None:
    digest = await put(files, b"content")
    await files.commit(key, Change({"a": b"1"}, {"messages": Splice([b"1"])}))
    for name in ("messages.2.jsonl", "new.jsonl", "commits.new"):
        (folder / name).write_bytes(b"half")
    (folder / "notes.txt").write_bytes(b"by hand")
    (folder / "blobs").mkdir()
    (folder / "blobs" / digest).hardlink_to(root / "blobs" / digest[:2] / digest)
    await files.commit(key, Change({"a": b"2"}))
    assert names_in(folder) == ["blobs", "commits.jsonl", "messages.1.jsonl", "notes.txt"]
    assert names_in(folder / "blobs") == []
    assert await files.missing_blobs([digest]) == set()
    assert caplog.text.count("removed what an interrupted commit left") == 4


async def test_the_first_write_removes_what_killed_processes_left(
    root: Path, files: FileBackend, key: Key, caplog: pytest.LogCaptureFixture
) -> None:
    await files.check_health()
    [alive] = names_in(root / ".work")
    (root / ".work" / "dead" / "staged").mkdir(parents=True)
    (root / ".work" / "stray").write_bytes(b"")
    other = FileBackend(root)
    await other.open()
    await other.check_health()
    assert len(names_in(root / ".work")) == 3
    assert set(names_in(root / ".work")) >= {alive, "stray"}
    await other.aclose()
    await files.commit(key, Change({"a": b"1"}))
    assert set(names_in(root / ".work")) == {alive, "stray"}
    assert f"removed what a killed process left: {root}/.work/dead" in caplog.text
    assert f"left for the next process: {root}/.work/stray" in caplog.text


async def test_reading_makes_nothing(files: FileBackend, root: Path, key: Key) -> None:
    digest = sha256(b"").hexdigest()
    assert await files.read(key) is None
    assert await files.list("default", "sessions", Query(), None, 9) == []
    assert await files.missing_blobs([digest]) == {digest}
    assert await files.sweep_blobs(0) == await files.sweep_deleted(0) == await files.upload_size(digest) == 0
    assert (await files.feed("default", "sessions", None, 9)).entries == []
    with pytest.raises(DataCorruptionError, match="not stored"):
        _ = [piece async for piece in files.get_blob(digest)]
    assert names_in(root) == [".incarnation"]


async def test_the_root_may_be_a_link(tmp_path: Path, key: Key) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    backend = FileBackend(tmp_path / "link")
    await backend.open()
    await backend.commit(key, Change({"a": b"1"}))
    assert await backend.read(key) is not None
    await backend.aclose()
    assert (tmp_path / "real" / "default").is_dir()


async def test_a_root_that_went_is_not_an_empty_one(files: FileBackend, root: Path, key: Key) -> None:
    await files.commit(key, Change({"a": b"1"}, summary=Summary(b"s")))
    moved = shutil.move(root, root.with_name("moved"))
    for call in (
        files.read(key),
        files.list("default", "sessions", Query(), None, 9),
        files.commit(key, Change()),
        files.delete(key),
        files.missing_blobs(["0" * 64]),
        files.check_health(),
    ):
        with pytest.raises(StorageError, match="missing"):
            await call
    shutil.copytree(moved, root)
    with pytest.raises(StorageError, match="open the store again"):
        await files.check_health()


async def test_a_root_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="file"):
        await FileBackend(tmp_path / "file").open()


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def put(backend: FileBackend, content: bytes) -> str:
    async def pieces() -> AsyncIterator[bytes]:
        yield content

    digest = sha256(content).hexdigest()
    await backend.put_blob(digest, pieces())
    return digest
