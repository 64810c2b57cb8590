"""What a verification reads, and what it finds."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sessionstore import FileSessionStore
from sessionstore.errors import InvalidArgumentError
from sessionstore.moving import VerifyReport, verify_store
from sessionstore.testing import CustomStore, samples

from .conftest import BINARY, everything, fill


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
async def folder(sound: Path) -> Path:
    async with FileSessionStore(sound) as store:
        await fill(store)
    return sound


async def verified(folder: Path, progress) -> VerifyReport:
    async with FileSessionStore(folder) as store:
        return await verify_store(store, progress)


async def test_a_sound_store_is_counted(folder, progress):
    report = await verified(folder, progress)
    assert report.damaged == []
    async with FileSessionStore(folder) as store:
        holdings = list((await everything(store)).values())
    assert report.items == len(holdings)
    assert report.bytes == sum(holding.size for holding in holdings)
    assert report.records["messages"] == sum(holding.counts["messages"] for holding in holdings) > 0


def only(paths: Iterator[Path]) -> Path:
    (path,) = paths
    return path


def overwrite(path: Path, position: int = 0) -> None:
    """Change one byte, also of a file without the permission to write."""
    content = bytearray(path.read_bytes())
    content[position] ^= 0x10
    path.chmod(0o600)
    path.write_bytes(content)


DAMAGES = {
    "a message": ("pieces/messages.*", 0),
    "a trace event": ("snapshot/traces.*", 0),
    "an event of a run": ("snapshot/*run*events*", -2),
    "a commit": ("pieces/commits.jsonl", 0),
    "records alone": ("records%20alone/subagent_tasks.*", 0),
    "a checkpoint": ("loop*/run/commits.jsonl", 10),
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damaged_record_is_named(folder, progress, damage):
    pattern, position = DAMAGES[damage]
    found = sorted(folder.rglob(pattern))
    assert found, sorted(str(path) for path in folder.rglob("*") if path.is_file())
    overwrite(found[0], position)
    report = await verified(folder, progress)
    (note,) = report.damaged
    assert found[0].parent.name.replace("%20", " ") in note.subject
    assert report.items == 8


async def test_damaged_content_is_named_whatever_its_size(folder, progress):
    for blob in folder.glob("blobs/*/*"):
        overwrite(blob, -1)
    report = await verified(folder, progress)
    names = ("large snapshot", "large/ 🧵", "no text", "pieces", "snapshot")
    assert [note.subject for note in report.damaged] == [f"session {name!r}" for name in names]


async def test_content_that_is_gone_is_named(folder, progress):
    blob = only(path for path in folder.glob("blobs/*/*") if path.stat().st_size == len(BINARY))
    for copy in folder.rglob(blob.name):
        copy.unlink()
    report = await verified(folder, progress)
    assert [note.subject for note in report.damaged] == ["session 'large snapshot'", "session 'no text'"]


async def test_what_a_later_program_wrote_is_told(sound, progress):
    async with FileSessionStore(sound) as store:
        later = samples.loop_checkpoint("run").model_copy(update={"schema_version": 2})
        await store.save_loop_checkpoint("run", later)
        report = await verify_store(store, progress)
    (note,) = report.damaged
    assert note.subject == "loop checkpoint 'run'"
    assert "schema version 2" in note.reason


async def test_a_store_that_keeps_only_sessions_is_verified(progress):
    async with CustomStore() as store:
        await store.save(samples.session("one"))
        assert (await verify_store(store, progress)).records == {"sessions": 1, "messages": len(samples.messages())}


async def test_nobody_at_work_is_refused(progress):
    async with CustomStore() as store:
        with pytest.raises(InvalidArgumentError, match="concurrency"):
            await verify_store(store, progress, concurrency=0)
