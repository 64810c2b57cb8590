"""Which of several files counts, and to which session it belongs."""

import re

import pytest

from sessionstore import InvalidArgumentError, MemorySessionStore
from sessionstore.interchange import Note, import_a3s

SUPERSEDED = "the current layout has a newer file of it"
IN_SNAPSHOT = "its session is a snapshot, which holds all records; this file no longer counts"
NO_OWNER = "no session file of this name in the legacy layout tells whose it is"


@pytest.fixture
async def store():
    async with MemorySessionStore() as store:
        yield store


async def trace_names(store, session_id):
    events = await store.load_trace_events(session_id)
    return None if events is None else [event.name for event in events]


async def test_a_current_file_wins_over_a_legacy_one(store, folder, progress):
    folder.put_session("a_b.json", "a/b", name="old")
    folder.put_traces("traces/a_b.json", "old")
    folder.put_session(folder.current("sessions", "a/b"), "a/b", name="new")
    folder.put_traces(folder.current("traces", "a/b"), "new")
    report = await import_a3s(folder.path, store, progress)
    assert (await store.load("a/b")).config.name == "new"
    assert await trace_names(store, "a/b") == ["new"]
    assert report.left_alone == [Note("a_b.json", SUPERSEDED), Note("traces/a_b.json", SUPERSEDED)]
    assert report.documents == {"sessions": 1, "trace_events": 1}


async def test_legacy_records_stay_with_a_session_that_was_saved_again(store, folder, progress):
    folder.put_session("a_b.json", "a/b", name="old")
    folder.put_traces("traces/a_b.json", "old")
    folder.put_session(folder.current("sessions", "a/b"), "a/b", name="new")
    report = await import_a3s(folder.path, store, progress)
    assert (await store.load("a/b")).config.name == "new"
    assert await trace_names(store, "a/b") == ["old"]
    assert report.left_alone == [Note("a_b.json", SUPERSEDED)]


async def test_current_records_belong_to_a_session_that_has_only_a_legacy_file(store, folder, progress):
    folder.put_session("a_b.json", "a/b")
    folder.put_traces("traces/a_b.json", "old")
    folder.put_traces(folder.current("traces", "a/b"), "new")
    report = await import_a3s(folder.path, store, progress)
    assert await trace_names(store, "a/b") == ["new"]
    assert report.left_alone == [Note("traces/a_b.json", SUPERSEDED)]


async def test_ids_that_share_a_legacy_name_keep_their_records_apart(store, folder, progress):
    folder.put_session("tenant_session.json", "tenant_session")
    folder.put_traces("traces/tenant_session.json", "underscore")
    folder.put_session(folder.current("sessions", "tenant/session"), "tenant/session")
    report = await import_a3s(folder.path, store, progress)
    assert await store.list() == ["tenant/session", "tenant_session"]
    assert await trace_names(store, "tenant_session") == ["underscore"]
    assert await trace_names(store, "tenant/session") is None
    assert report.skipped == report.left_alone == []


async def test_legacy_records_without_a_session_file_belong_to_nobody(store, folder, progress):
    folder.put_session(folder.current("sessions", "alone"), "alone")
    folder.put_traces("traces/alone.json", "whose")
    report = await import_a3s(folder.path, store, progress)
    assert await trace_names(store, "alone") is None
    assert report.skipped == [Note("traces/alone.json", NO_OWNER)]


async def test_current_records_without_a_session_come_over(store, folder, progress):
    folder.put_traces(folder.current("traces", "early/bird"), "first")
    report = await import_a3s(folder.path, store, progress)
    assert await trace_names(store, "early/bird") == ["first"]
    assert not await store.exists("early/bird")
    assert report.documents == {"trace_events": 1}


@pytest.mark.parametrize(
    ("layout", "path"),
    [
        ("current", "v1/traces/id_c25hcHNob3QtMQ.json"),
        ("legacy", "v1/traces/id_c25hcHNob3QtMQ.json"),
        ("legacy", "traces/snapshot-1.json"),
    ],
)
async def test_records_beside_a_snapshot_no_longer_count(store, folder, progress, layout, path):
    folder.take_fixture(layout)
    folder.put_traces(path, "stale")
    report = await import_a3s(folder.path, store, progress)
    assert await trace_names(store, "snapshot-1") == ["bash", "build"]
    assert report.left_alone == [Note(path, IN_SNAPSHOT)]


async def test_records_of_a_session_that_cannot_be_read_are_skipped(store, folder, progress):
    """They may be left over from before a snapshot, which only the session's own file tells."""
    folder.put(folder.current("sessions", "a"), "{")
    folder.put_traces(folder.current("traces", "a"), "a")
    folder.put("b.json", "{")
    folder.put_traces("traces/b.json", "b")
    report = await import_a3s(folder.path, store, progress)
    reasons = {note.subject: note.reason for note in report.skipped}
    assert reasons[folder.current("traces", "a")] == "the file of its session was skipped"
    assert reasons["traces/b.json"] == "the file of its session was skipped"
    assert len(reasons) == 4
    assert report.documents == {}


async def test_an_unreadable_current_file_is_not_replaced_by_an_older_one(store, folder, progress):
    folder.put(folder.current("sessions", "a"), "{")
    folder.put_session("a.json", "a", name="old")
    report = await import_a3s(folder.path, store, progress)
    assert not await store.exists("a")
    assert report.left_alone == [Note("a.json", SUPERSEDED)]


async def test_a_current_checkpoint_wins_over_a_legacy_one(store, folder, progress):
    folder.take_fixture("legacy")
    for legacy, current in (
        ("loop_checkpoints/run_1.json", folder.current("loop_checkpoints", "run/1")),
        ("workflow_checkpoints/flow_1.json", folder.current("workflow_checkpoints", "flow\\1")),
    ):
        folder.put(current, re.sub(rb'"checkpoint_ms": \d+', b'"checkpoint_ms": 7', folder.files()[legacy]))
    report = await import_a3s(folder.path, store, progress)
    assert (await store.load_loop_checkpoint("run/1")).checkpoint_ms == 7
    assert (await store.load_workflow_checkpoint("flow\\1")).checkpoint_ms == 7
    assert [note.subject for note in report.left_alone] == [
        "loop_checkpoints/run_1.json",
        "workflow_checkpoints/flow_1.json",
    ]


async def test_a_legacy_name_of_200_bytes_and_more_is_read(store, folder, progress):
    long_id = "päckchen/" * 22
    folder.put_session(f"{long_id.replace('/', '_')}.json", long_id)
    await import_a3s(folder.path, store, progress)
    assert len(long_id.encode()) > 200
    assert await store.list() == [long_id]


async def test_what_the_folder_does_not_have_stays_in_the_store(store, folder, progress):
    folder.take_fixture("current")
    await import_a3s(folder.path, store, progress)
    (folder.path / folder.current("traces", "plain")).unlink()
    folder.put_session(folder.current("sessions", "plain"), "plain", name="renamed")
    (folder.path / folder.current("sessions", "snapshot-1")).unlink()
    await import_a3s(folder.path, store, progress)
    assert (await store.load("plain")).config.name == "renamed"
    assert await store.load_trace_events("plain") == []
    assert await store.exists("snapshot-1")


async def test_only_a_folder_can_be_imported(store, folder, progress):
    file = folder.put("file", "")
    with pytest.raises(InvalidArgumentError, match="is not a folder: give the one that holds the session files"):
        await import_a3s(file, store, progress)
    with pytest.raises(InvalidArgumentError, match="is not a folder"):
        await import_a3s(folder.path / "absent", store, progress)
