"""Interrupted writes are undone, damage is named, and neither touches what is beside it."""

import shutil
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from pathlib import Path

import pytest

from sessionstore.errors import DataCorruptionError, UnsupportedVersionError
from sessionstore_server.backends.base import Change, Key, LogRange, Splice, View
from sessionstore_server.backends.file import FileBackend, RecordCodec, lines
from sessionstore_server.backends.file.names import folder_name

ALL = LogRange()
OTHER = Key("default", "sessions", "other")


async def read(backend: FileBackend, key: Key) -> View:
    view = await backend.read(key, ["session"], {"messages": ALL})
    assert view is not None
    return view


async def three_commits(root: Path, key: Key) -> None:
    backend = FileBackend(root)
    await backend.open()
    for number in (b"1", b"2", b"3"):
        await backend.commit(key, Change({"session": number}, {"messages": Splice([number])}, summary=number))
    await backend.commit(OTHER, Change({"session": b"other"}, {"messages": Splice([b"other"])}, summary=b"other"))
    await backend.aclose()


async def check_goes_on(root: Path, key: Key, caplog: pytest.LogCaptureFixture) -> None:
    """Expect the second revision, and that a commit cuts the rest off and says so."""
    backend = FileBackend(root)
    await backend.open()
    view = await read(backend, key)
    assert (view.revision, view.documents["session"], list(view.logs["messages"].records)) == (2, b"2", [b"1", b"2"])
    caplog.clear()
    await backend.commit(key, Change({"session": b"new"}, {"messages": Splice([b"new"])}))
    assert "cut an interrupted write off the end of" in caplog.text
    await backend.aclose()
    await backend.open()
    view = await read(backend, key)
    assert (view.revision, view.documents["session"]) == (3, b"new")
    assert list(view.logs["messages"].records) == [b"1", b"2", b"new"]
    await backend.aclose()


async def test_a_commit_line_cut_at_every_byte(
    root: Path, folder: Path, key: Key, caplog: pytest.LogCaptureFixture
) -> None:
    await three_commits(root, key)
    whole = (folder / "commits.jsonl").read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    log = (folder / "messages.jsonl").read_bytes()
    for end in range(last, len(whole)):
        (folder / "commits.jsonl").write_bytes(whole[:end])
        (folder / "messages.jsonl").write_bytes(log)
        await check_goes_on(root, key, caplog)


async def test_a_log_append_cut_at_every_byte(
    root: Path, folder: Path, key: Key, caplog: pytest.LogCaptureFixture
) -> None:
    """The commit line was not written yet, so however much of the append arrived, it does not exist."""
    await three_commits(root, key)
    commits = (folder / "commits.jsonl").read_bytes()
    commits = commits[: commits.rindex(b"\n", 0, -1) + 1]
    log = (folder / "messages.jsonl").read_bytes()
    for end in range(log.rindex(b"\n", 0, -1) + 2, len(log) + 1):
        (folder / "commits.jsonl").write_bytes(commits)
        (folder / "messages.jsonl").write_bytes(log[:end])
        await check_goes_on(root, key, caplog)


@pytest.mark.parametrize("garbage", [b"\0" * 50, b"\0" * 50 + b"\n", b'{"revision":4}\n', b"\n", b"\xff\n"])
async def test_a_last_line_without_its_checksum(root: Path, folder: Path, key: Key, garbage: bytes) -> None:
    await three_commits(root, key)
    with (folder / "commits.jsonl").open("ab") as file:
        file.write(garbage)
    backend = FileBackend(root)
    await backend.open()
    assert (await read(backend, key)).revision == 3
    assert (await backend.commit(key, Change())).revision == 4
    assert (await read(backend, key)).revision == 4
    await backend.aclose()


def flip(file: Path, position: int) -> None:
    data = bytearray(file.read_bytes())
    data[position] ^= 0x08
    file.write_bytes(data)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "first commit line": (lambda folder: flip(folder / "commits.jsonl", 30), "commits.jsonl line 1"),
    "commit line in the middle": (
        lambda folder: flip(folder / "commits.jsonl", middle_line(folder)),
        "commits.jsonl line 2",
    ),
    "no commit line": (lambda folder: (folder / "commits.jsonl").write_bytes(b""), "commits.jsonl"),
    "half a first line": (lambda folder: (folder / "commits.jsonl").write_bytes(b'{"revision"'), "commits.jsonl"),
    "a line lost": (lambda folder: drop_second_line(folder / "commits.jsonl"), "commits.jsonl line 2"),
    "commits missing": (
        lambda folder: (folder / "commits.jsonl").unlink(),
        "commits.jsonl is damaged: the file is missing",
    ),
    "log damaged": (lambda folder: flip(folder / "messages.jsonl", 20), "messages.jsonl bytes 0 to"),
    "log too short": (lambda folder: shorten(folder / "messages.jsonl"), "messages.jsonl is damaged: it ends at byte"),
    "log missing": (
        lambda folder: (folder / "messages.jsonl").unlink(),
        "messages.jsonl is damaged: the file is missing",
    ),
}


def middle_line(folder: Path) -> int:
    return (folder / "commits.jsonl").read_bytes().index(b"\n") + 30


def drop_second_line(file: Path) -> None:
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([lines[0], *lines[2:], lines[2]]))


def shorten(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


@pytest.mark.parametrize("damage", DAMAGES)
async def test_damage_is_named(
    root: Path, folder: Path, key: Key, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    await three_commits(root, key)
    do, named = DAMAGES[damage]
    do(folder)
    backend = FileBackend(root)
    await backend.open()
    for _ in range(2):
        with pytest.raises(DataCorruptionError, match=f"{folder}/{named}"):
            await backend.read(key, ["session"], {"messages": ALL})
    assert (await read(backend, OTHER)).documents["session"] == b"other"
    ids = [one.id for one in await backend.list("default", "sessions", None, 9)]
    if named.startswith("commits"):
        with pytest.raises(DataCorruptionError, match=r"commits\.jsonl"):
            await backend.commit(key, Change({"session": b"new"}))
        assert ids == ["other"]
        assert f"left a key out of a list: {folder}/commits.jsonl" in caplog.text
    else:
        assert ids == ["one", "other"]
    assert await backend.delete(key)
    assert await backend.read(key) is None
    await backend.aclose()


async def test_appending_to_a_damaged_log(root: Path, folder: Path, key: Key) -> None:
    await three_commits(root, key)
    shorten(folder / "messages.jsonl")
    backend = FileBackend(root)
    await backend.open()
    for keep in (None, 2):
        with pytest.raises(DataCorruptionError, match=r"messages\.jsonl"):
            await backend.commit(key, Change({"session": b"x"}, {"messages": Splice([b"4"], keep=keep)}))
    assert await backend.read(key, ["session"]) is not None
    assert (await backend.commit(key, Change(logs={"messages": Splice([b"4"], keep=0)}))).revision == 4
    assert list((await read(backend, key)).logs["messages"].records) == [b"4"]
    await backend.aclose()


async def test_damage_of_a_long_log_is_found_where_it_is(root: Path, folder: Path, key: Key) -> None:
    backend = FileBackend(root)
    await backend.open()
    for _ in range(4):
        await backend.commit(key, Change(logs={"messages": Splice([b"x" * 300_000])}))
    flip(folder / "messages.jsonl", 500_000)
    for position in (0, 2, 3):
        view = await backend.read(key, logs={"messages": LogRange(position, position + 1)})
        assert view is not None
        assert list(view.logs["messages"].records) == [b"x" * 300_000]
    with pytest.raises(DataCorruptionError, match=r"messages.jsonl bytes 400\d+ to 800\d+"):
        await backend.read(key, logs={"messages": LogRange(1, 2)})
    await backend.aclose()


@pytest.mark.parametrize("id_", ["other", "long" * 100])
async def test_the_folder_of_another_key(
    root: Path, folder: Path, key: Key, id_: str, caplog: pytest.LogCaptureFixture
) -> None:
    """So it looks on a file system that ignores case."""
    await three_commits(root, key)
    source = Key("default", "sessions", id_)
    backend = FileBackend(root)
    await backend.open()
    await backend.commit(source, Change(summary=b"s"))
    shutil.rmtree(folder)
    (root / "default/sessions" / folder_name(id_)).rename(folder)
    for call in (backend.read(key), backend.commit(key, Change()), backend.delete(key)):
        with pytest.raises(DataCorruptionError, match="another key"):
            await call
    assert "one" not in [one.id for one in await backend.list("default", "sessions", None, 9)]
    assert "left a key out of a list" in caplog.text
    await backend.aclose()


async def test_foreign_folders_are_reported(
    files: FileBackend, root: Path, key: Key, caplog: pytest.LogCaptureFixture
) -> None:
    await files.commit(key, Change(summary=b"s"))
    for name in ("%zz", "~short", "%41", ".hidden"):
        (root / "default/sessions" / name).mkdir()
    assert [one.id for one in await files.list("default", "sessions", None, 9)] == ["one"]
    assert caplog.text.count("default/sessions/") == 4


async def test_a_record_that_the_codec_refuses(root: Path, folder: Path, key: Key, codec: RecordCodec) -> None:
    backend = FileBackend(root, codec)
    await backend.open()
    await backend.commit(key, Change({"good": b"1"}, {"messages": Splice([b"1", b'"bad"', b"3"])}))
    await backend.commit(key, Change({"bad": b'"bad"'}))
    await backend.commit(key, Change(summary=b'"bad"'))
    with pytest.raises(DataCorruptionError, match=f"{folder}/commits.jsonl line 2"):
        await backend.read(key, ["bad"])
    with pytest.raises(DataCorruptionError, match=f"{folder}/messages.jsonl line 2"):
        await backend.read(key, logs={"messages": LogRange(1)})
    view = await backend.read(key, ["good"], {"messages": LogRange(2)})
    assert view is not None
    assert (dict(view.documents), list(view.logs["messages"].records)) == ({"good": b"1"}, [b"3"])
    assert await backend.list("default", "sessions", None, 9) == []
    await backend.aclose()


async def test_a_newer_format_is_refused(root: Path, folder: Path, key: Key) -> None:
    await three_commits(root, key)
    commits = folder / "commits.jsonl"
    first, *rest = commits.read_bytes().splitlines(keepends=True)
    body = first[: -lines.SEAL_BYTES].replace(b'"version":1', b'"version":2')
    commits.write_bytes(lines.sealed(body) + b"".join(rest))
    backend = FileBackend(root)
    await backend.open()
    for call in (backend.read(key), backend.commit(key, Change()), backend.delete(key)):
        with pytest.raises(UnsupportedVersionError) as refused:
            await call
        assert refused.value == UnsupportedVersionError(str(commits), 2, 1)
    assert [one.id for one in await backend.list("default", "sessions", None, 9)] == ["other"]
    await backend.aclose()


async def test_a_damaged_blob(files: FileBackend, root: Path) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"content"

    digest = sha256(b"content").hexdigest()
    await files.put_blob(digest, pieces())
    blob = root / "blobs" / digest[:2] / digest
    flip(blob, 3)
    with pytest.raises(DataCorruptionError, match=str(blob)):
        _ = [piece async for piece in files.get_blob(digest)]
    assert [piece async for piece in files.get_blob(digest, 4)] == [b"ent"]
