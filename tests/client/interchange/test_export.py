"""What an export does to a folder that is not empty, and what it cannot write."""

import pytest

from sessionstore import MemorySessionStore, StorageError
from sessionstore.interchange import Note, export_a3s, import_a3s
from sessionstore.model import LoopCheckpoint, SessionData, SessionSnapshot, TokenUsage

PLAIN = "v1/sessions/id_cGxhaW4.json"
PLAIN_TRACES = "v1/traces/id_cGxhaW4.json"


@pytest.fixture
async def store(folder, progress):
    folder.take_fixture("current")
    async with MemorySessionStore() as store:
        await import_a3s(folder.path, store, progress)
        yield store


async def test_files_of_exported_ids_are_replaced_and_all_others_stay(store, folder, target, progress):
    stays = {"v1/sessions/id_b3RoZXI.json": b"other", "other.json": b"legacy", "v1/writer_lease.json": b"lease"}
    for path, content in {**stays, PLAIN: b"old", PLAIN_TRACES: b"old"}.items():
        target.put(path, content)
    await export_a3s(target.path, store, progress)
    assert target.files() == {**folder.files(), **stays}


async def test_records_that_the_store_does_not_have_leave_the_folder(store, folder, target, progress):
    target.put_traces("v1/runs/id_cGxhaW4.json", "stale")
    target.put_traces("runs/plain.json", "legacy")
    report = await export_a3s(target.path, store, progress)
    assert target.files().keys() == {*folder.files(), "runs/plain.json"}
    reason = "the store has no such records of 'plain', the reference may take this file for them"
    assert report.left_alone == [Note("runs/plain.json", reason)]


@pytest.mark.parametrize("link", ["v1", "v1/sessions", "v1/artifacts"])
async def test_nothing_is_written_through_a_link_that_leads_outside(store, target, progress, tmp_path, link):
    outside = tmp_path / "outside"
    outside.mkdir()
    (target.path / link).parent.mkdir(exist_ok=True)
    (target.path / link).symlink_to(outside)
    with pytest.raises(StorageError, match="a symbolic link leads outside the folder: remove it, or export to another"):
        await export_a3s(target.path, store, progress)
    assert list(outside.iterdir()) == []


async def test_a_link_in_place_of_a_file_is_replaced_and_not_followed(store, folder, target, progress, tmp_path):
    outside = tmp_path / "outside.json"
    outside.write_text("untouched")
    target.put(PLAIN, "").unlink()
    (target.path / PLAIN).symlink_to(outside)
    await export_a3s(target.path, store, progress)
    assert outside.read_text() == "untouched"
    assert target.files() == folder.files()


async def test_a_write_that_fails_names_the_file_and_leaves_nothing_behind(store, target, progress):
    target.put(f"{PLAIN}/taken", "")
    with pytest.raises(StorageError, match=r"id_cGxhaW4\.json: Is a directory"):
        await export_a3s(target.path, store, progress)
    assert target.files().keys() == {f"{PLAIN}/taken"}


async def test_the_folder_must_not_be_a_file(store, target, progress):
    with pytest.raises(StorageError, match="File exists"):
        await export_a3s(target.put("file", ""), store, progress)


@pytest.mark.parametrize("length", [200, 512])
async def test_an_id_that_is_too_long_for_a_file_name_is_reported(store, folder, target, progress, length):
    await store.save(SessionData(id="x" * length))
    report = await export_a3s(target.path, store, progress)
    (note,) = report.skipped
    assert f"(id '{'x' * length}')" in note.subject
    assert note.reason == "the id is too long for a file name on this file system"
    assert target.files() == folder.files()


async def test_a_document_above_the_limit_is_reported(store, target, progress, monkeypatch):
    monkeypatch.setattr("sessionstore.interchange.target.MAX_DOCUMENT_BYTES", 1000)
    report = await export_a3s(target.path, store, progress)
    sizes = {path: len(content) for path, content in target.files().items()}
    assert sizes
    assert max(sizes.values()) <= 1000
    assert all(note.reason.endswith("bytes, a document may have 1000") for note in report.skipped)
    assert PLAIN in [note.subject.split()[0] for note in report.skipped]
    # The records of a session go with it.
    assert PLAIN_TRACES not in sizes


async def test_a_checkpoint_that_the_store_does_not_load_is_reported(store, folder, target, progress):
    checkpoint = LoopCheckpoint(
        schema_version=2,
        run_id="new",
        session_id="plain",
        turn=0,
        messages=(),
        total_usage=TokenUsage(),
        tool_calls_count=0,
        checkpoint_ms=0,
    )
    await store.save_loop_checkpoint("new", checkpoint)
    report = await export_a3s(target.path, store, progress)
    (note,) = report.skipped
    assert note.subject == "v1/loop_checkpoints/id_bmV3.json (id 'new')"
    assert "schema version 2" in note.reason
    assert target.files() == folder.files()


class Forgetful(MemorySessionStore):
    """Loses a session between its list and its load, as when somebody deletes it in between."""

    async def list(self):
        ids = await super().list()
        await self.delete("plain")
        return ids


async def test_a_session_that_is_deleted_meanwhile_is_reported(folder, target, progress):
    folder.take_fixture("current")
    async with Forgetful() as store:
        await import_a3s(folder.path, store, progress)
        report = await export_a3s(target.path, store, progress)
    assert report.skipped == [Note(f"{PLAIN} (id 'plain')", "was deleted during the export")]
    assert target.files().keys() == folder.files().keys() - {PLAIN, PLAIN_TRACES}


async def test_records_of_a_session_that_was_never_saved_are_exported_too(target, progress):
    async with MemorySessionStore() as store:
        await store.save_trace_events("early", [])
        report = await export_a3s(target.path, store, progress)
    assert target.files() == {target.current("traces", "early"): b"[]"}
    assert report.documents == {"trace_events": 1}


async def test_a_snapshot_that_is_saved_again_stays_one_document(store, target, progress):
    session = await store.load("snapshot-1")
    session.config.name = "renamed"
    await store.save(session)
    await export_a3s(target.path, store, progress)
    snapshot = SessionSnapshot.model_validate_json(target.files()[target.current("sessions", "snapshot-1")])
    assert snapshot.session.config.name == "renamed"
    assert len(snapshot.trace_events) == 2
