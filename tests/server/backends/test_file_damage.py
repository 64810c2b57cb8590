"""Interrupted writes are undone, damage is named, and neither touches what is beside it."""

import shutil
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from pathlib import Path

import pytest

from sessionstore.errors import DataCorruptionError, UnsupportedVersionError
from sessionstore_server.backends.base import Change, Key, Listed, LogRange, Query, Splice, Summary, View
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
        await backend.commit(key, Change({"session": number}, {"messages": Splice([number])}, summary=Summary(number)))
    await backend.commit(
        OTHER, Change({"session": b"other"}, {"messages": Splice([b"other"])}, summary=Summary(b"other"))
    )
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
    log = (folder / "messages.1.jsonl").read_bytes()
    for end in range(last, len(whole)):
        (folder / "commits.jsonl").write_bytes(whole[:end])
        (folder / "messages.1.jsonl").write_bytes(log)
        await check_goes_on(root, key, caplog)


async def test_a_log_append_cut_at_every_byte(
    root: Path, folder: Path, key: Key, caplog: pytest.LogCaptureFixture
) -> None:
    """The commit line was not written yet, so however much of the append arrived, it does not exist."""
    await three_commits(root, key)
    commits = (folder / "commits.jsonl").read_bytes()
    commits = commits[: commits.rindex(b"\n", 0, -1) + 1]
    log = (folder / "messages.1.jsonl").read_bytes()
    for end in range(log.rindex(b"\n", 0, -1) + 2, len(log) + 1):
        (folder / "commits.jsonl").write_bytes(commits)
        (folder / "messages.1.jsonl").write_bytes(log[:end])
        await check_goes_on(root, key, caplog)


@pytest.mark.parametrize("garbage", [b"\0" * 50, b'{"revision":4\0\0\0}\n', b'{"revision":4}'])
async def test_an_interrupted_last_line(
    root: Path, folder: Path, key: Key, garbage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Each reader says once that it passed over it, and the next commit cuts it off."""
    await three_commits(root, key)
    with (folder / "commits.jsonl").open("ab") as file:
        file.write(garbage)
    backend = FileBackend(root)
    await backend.open()
    for _ in range(3):
        assert (await read(backend, key)).revision == 3
    assert caplog.text.count(f"passed over the end of {folder}/commits.jsonl") == 1
    assert (await backend.commit(key, Change())).revision == 4
    assert (await read(backend, key)).revision == 4
    assert garbage not in (folder / "commits.jsonl").read_bytes()
    await backend.aclose()


async def test_a_whole_last_line_that_is_wrong(root: Path, folder: Path, key: Key) -> None:
    """It was acknowledged, so it is damage wherever its bytes changed, and what it names stays."""
    backend = FileBackend(root)
    await backend.open()
    await backend.commit(key, Change({"session": b"1"}, {"messages": Splice([b"1", b"2"])}))
    await backend.commit(key, Change({"session": b"2"}, {"messages": Splice([b"3"], keep=1)}))
    await backend.aclose()
    await backend.open()
    whole = (folder / "commits.jsonl").read_bytes()
    for position in range(whole.index(b"\n") + 1, len(whole) - 1, 3):
        flip(folder / "commits.jsonl", position)
        before = contents(folder)
        for call in (backend.read(key), backend.commit(key, Change({"session": b"3"}))):
            with pytest.raises(DataCorruptionError, match=f"{folder}/commits.jsonl line 2"):
                await call
        assert contents(folder) == before
        assert set(before) == {"commits.jsonl", "messages.1.jsonl", "messages.2.jsonl"}
        (folder / "commits.jsonl").write_bytes(whole)
    assert (await read(backend, key)).documents["session"] == b"2"
    await backend.aclose()


@pytest.mark.parametrize("told", [b"1", b"3"])
async def test_a_log_with_more_or_fewer_lines_than_were_named(root: Path, folder: Path, key: Key, told: bytes) -> None:
    backend = FileBackend(root)
    await backend.open()
    await backend.commit(key, Change({"session": b"1"}, {"messages": Splice([b"1", b"2"])}))
    await backend.aclose()
    path = folder / "commits.jsonl"
    body = path.read_bytes()[: -lines.SEAL_BYTES]
    assert b'"records":2' in body
    path.write_bytes(lines.sealed(body.replace(b'"records":2', b'"records":' + told)))
    await backend.open()
    with pytest.raises(DataCorruptionError, match=r"messages\.1\.jsonl .*2 lines"):
        await read(backend, key)
    await backend.aclose()


@pytest.mark.parametrize("garbage", [b'{"revision":4}\n', b"\n", b"\xff\n", b"\0\n{", b"\0\n\n"])
async def test_a_line_that_no_write_leaves(root: Path, folder: Path, key: Key, garbage: bytes) -> None:
    await three_commits(root, key)
    with (folder / "commits.jsonl").open("ab") as file:
        file.write(garbage)
    before = contents(folder)
    backend = FileBackend(root)
    await backend.open()
    for call in (backend.read(key), backend.commit(key, Change()), backend.delete(key, expected_revision=3)):
        with pytest.raises(DataCorruptionError, match=r"commits\.jsonl line 4"):
            await call
    assert contents(folder) == before
    await backend.aclose()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


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
    "commits in a folder": (
        lambda folder: put_into_folder(folder / "commits.jsonl"),
        "commits.jsonl is damaged: it is not a regular file",
    ),
    "commits behind a link": (
        lambda folder: put_behind_link(folder / "commits.jsonl"),
        "commits.jsonl is damaged: it is not a regular file",
    ),
    "log damaged": (lambda folder: flip(folder / "messages.1.jsonl", 20), "messages.1.jsonl bytes 0 to"),
    "log too short": (
        lambda folder: shorten(folder / "messages.1.jsonl"),
        "messages.1.jsonl is damaged: it ends at byte",
    ),
    "log missing": (
        lambda folder: (folder / "messages.1.jsonl").unlink(),
        "messages.1.jsonl is damaged: the file is missing",
    ),
}


def put_into_folder(file: Path) -> None:
    file.rename(file.with_suffix(".old"))
    file.mkdir()
    file.with_suffix(".old").rename(file / file.name)


def put_behind_link(file: Path) -> None:
    outside = file.parents[4] / "outside"
    file.rename(outside)
    file.symlink_to(outside)


def middle_line(folder: Path) -> int:
    return (folder / "commits.jsonl").read_bytes().index(b"\n") + 30


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def drop_second_line(file: Path) -> None:
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([lines[0], *lines[2:], lines[2]]))


def shorten(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


@pytest.mark.parametrize("damage", DAMAGES)
async def test_damage_is_named(root: Path, folder: Path, key: Key, damage: str) -> None:
    await three_commits(root, key)
    do, named = DAMAGES[damage]
    do(folder)
    backend = FileBackend(root)
    await backend.open()
    for _ in range(2):
        with pytest.raises(DataCorruptionError, match=f"{folder}/{named}"):
            await backend.read(key, ["session"], {"messages": ALL})
    assert (await read(backend, OTHER)).documents["session"] == b"other"
    one, other = await backend.list("default", "sessions", Query(), None, 9)
    assert (one.id, other) == ("one", Listed("other", 1, b"other"))
    if named.startswith("commits"):
        with pytest.raises(DataCorruptionError, match=r"commits\.jsonl"):
            await backend.commit(key, Change({"session": b"new"}))
        assert (one.revision, one.summary) == (0, b"")
        assert f"{folder}/{named}" in str(one.damage)
    else:
        assert one == Listed("one", 3, b"3")
    assert await backend.list("default", "sessions", Query(summarized=False), None, 9) == []
    assert await backend.delete(key)
    assert await backend.read(key) is None
    assert names_in(folder) == ["commits.jsonl"]
    assert (await backend.commit(key, Change({"session": b"new"}))).revision > 1
    await backend.aclose()


async def test_appending_to_a_damaged_log(root: Path, folder: Path, key: Key) -> None:
    await three_commits(root, key)
    shorten(folder / "messages.1.jsonl")
    backend = FileBackend(root)
    await backend.open()
    for keep in (None, 2):
        with pytest.raises(DataCorruptionError, match=r"messages\.1\.jsonl"):
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
    flip(folder / "messages.1.jsonl", 500_000)
    for position in (0, 2, 3):
        view = await backend.read(key, logs={"messages": LogRange(position, position + 1)})
        assert view is not None
        assert list(view.logs["messages"].records) == [b"x" * 300_000]
    with pytest.raises(DataCorruptionError, match=r"messages.1.jsonl bytes 400\d+ to 800\d+"):
        await backend.read(key, logs={"messages": LogRange(1, 2)})
    await backend.aclose()


@pytest.mark.parametrize("id_", ["other", "long" * 100])
async def test_the_folder_of_another_key(root: Path, folder: Path, key: Key, id_: str) -> None:
    """So it looks on a file system that ignores case."""
    await three_commits(root, key)
    source = Key("default", "sessions", id_)
    backend = FileBackend(root)
    await backend.open()
    await backend.commit(source, Change(summary=Summary(b"s")))
    shutil.rmtree(folder)
    (root / "default/sessions" / folder_name(id_)).rename(folder)
    for call in (backend.read(key), backend.commit(key, Change()), backend.delete(key)):
        with pytest.raises(DataCorruptionError, match="another key"):
            await call
    listed = {one.id: one.damage for one in await backend.list("default", "sessions", Query(), None, 9)}
    assert "it belongs to another key" in str(listed["one"])
    await backend.aclose()


async def test_a_damaged_key_whose_folder_does_not_tell_its_id(
    files: FileBackend, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key = Key("default", "sessions", "long" * 100)
    file = root / "default/sessions" / folder_name(key.id) / "commits.jsonl"
    for summary in (b"1", b"2"):
        await files.commit(key, Change(summary=Summary(summary)))
    whole = file.read_bytes()
    flip(file, len(whole) - 10)
    [listed] = await files.list("default", "sessions", Query(), None, 9)
    assert (listed.id, listed.revision, listed.summary) == (key.id, 0, b"")
    assert f"{file} line 2" in str(listed.damage)
    flip(file, 10)
    assert await files.list("default", "sessions", Query(), None, 9) == []
    assert f"left a key out of a list: {file} line 1" in caplog.text


async def test_foreign_folders_are_reported(
    files: FileBackend, root: Path, key: Key, caplog: pytest.LogCaptureFixture
) -> None:
    await files.commit(key, Change(summary=Summary(b"s")))
    for name in ("%zz", "~short", "%41", ".hidden"):
        (root / "default/sessions" / name).mkdir()
    assert [one.id for one in await files.list("default", "sessions", Query(), None, 9)] == ["one"]
    assert caplog.text.count("default/sessions/") == 4


async def test_a_record_that_the_codec_refuses(root: Path, folder: Path, key: Key, codec: RecordCodec) -> None:
    backend = FileBackend(root, codec)
    await backend.open()
    await backend.commit(key, Change({"good": b"1"}, {"messages": Splice([b"1", b'"bad"', b"3"])}))
    await backend.commit(key, Change({"bad": b'"bad"'}))
    await backend.commit(key, Change(summary=Summary(b'"bad"')))
    await backend.aclose()
    # Who has not written it has to parse it.
    backend = FileBackend(root, codec)
    await backend.open()
    with pytest.raises(DataCorruptionError, match=f"{folder}/commits.jsonl line 2"):
        await backend.read(key, ["bad"])
    with pytest.raises(DataCorruptionError, match=f"{folder}/messages.1.jsonl line 2"):
        await backend.read(key, logs={"messages": LogRange(1)})
    view = await backend.read(key, ["good"], {"messages": LogRange(2)})
    assert view is not None
    assert (dict(view.documents), list(view.logs["messages"].records)) == ({"good": b"1"}, [b"3"])
    [listed] = await backend.list("default", "sessions", Query(), None, 9)
    assert f"{folder}/commits.jsonl line 3 is damaged: summary: a bad record" in str(listed.damage)
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
    one, other = await backend.list("default", "sessions", Query(), None, 9)
    assert (one.id, other.id, other.damage) == ("one", "other", None)
    assert "schema version 2" in str(one.damage)
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
