"""Whatever cannot come over is named with the reason, and everything else comes over."""

import json
import os
from pathlib import Path

import pytest

from sessionstore import MemorySessionStore, SessionData, SessionStore, StoreClosedError
from sessionstore.interchange import Note, import_a3s

MIB_256 = 256 * 1024 * 1024
A = "v1/sessions/id_YQ.json"
"""The current path of the session `a`."""


@pytest.fixture
async def store():
    async with MemorySessionStore() as store:
        yield store


@pytest.fixture
def import_beside_plain(store, folder, progress):
    """Import the folder with the good session `plain` in it, which must come over whatever else is there."""

    async def run():
        folder.put_session(folder.current("sessions", "plain"), "plain")
        report = await import_a3s(folder.path, store, progress)
        assert await store.list() == ["plain"]
        return report

    return run


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "EOF while parsing a value at line 1 column 0"),
        (b'{"id": "a", ', "EOF while parsing"),
        (b"[]", "Input should be an object"),
        (b"\xef\xbb\xbf{}", "expected value at line 1 column 1"),
        (b"{} {}", "trailing characters"),
        (b'{"id": "\xff"}', "invalid unicode code point"),
        (b'{"session": null}', "session: Input should be an object"),
        (b'{"schema_version": 1, "id": "a"}', "session: Field required"),
        (b"[" * 200 + b"]" * 200, "JSON is nested deeper than 127 levels"),
        (b"A3SE\x01" + b"n" * 12 + b"c", "is encrypted: let the reference write it without encryption first"),
        (b"A3SE\x01" + b"n" * 12, "expected value at line 1 column 1"),
    ],
)
async def test_a_damaged_or_sealed_session_is_skipped(folder, import_beside_plain, content, reason):
    folder.put(A, content)
    (note,) = (await import_beside_plain()).skipped
    assert note.subject == A
    assert reason in note.reason


async def test_the_reason_names_the_fields_and_never_shows_their_content(folder, import_beside_plain):
    folder.put(A, '{"id": 7, "config": {"name": "s3cret"}, "state": "s3cret"}')
    folder.put(folder.current("traces", "b"), '[{"schema": "s3cret", "exit_code": "s3cret"}]')
    session, traces = (await import_beside_plain()).skipped
    assert session.reason.startswith("id: Input should be a valid string; config.")
    assert traces.reason.startswith("0.kind: Field required; 0.name: Field required; 0.success: Field required; and ")
    assert "s3cret" not in session.reason + traces.reason


async def test_one_damaged_file_of_records_does_not_keep_the_session_away(store, folder, progress):
    folder.take_fixture("current")
    runs = folder.current("runs", "tenant/team\\..\\🦊")
    folder.put(runs, '[{"snapshot": {"id": "r"}, "events": []}]')
    report = await import_a3s(folder.path, store, progress)
    (note,) = report.skipped
    assert note.subject == runs
    assert note.reason.startswith("0.snapshot.session_id: Field required")
    assert await store.load_verification_reports("tenant/team\\..\\🦊")
    assert report.documents["sessions"] == 2


async def test_artifacts_that_contradict_each_other_are_skipped(folder, import_beside_plain):
    path = folder.current("artifacts", "plain")
    artifact = {"artifact_id": "a", "artifact_uri": "u", "tool_name": "t", "original_bytes": 1, "shown_bytes": 1}
    folder.put(path, json.dumps({"artifacts": [{**artifact, "content": "1"}, {**artifact, "content": "2"}]}))
    assert (await import_beside_plain()).skipped == [Note(path, "artifact_uri: u already names another artifact")]


async def test_a_file_above_the_limit_is_skipped_and_not_read(folder, import_beside_plain):
    os.truncate(folder.put(A, ""), MIB_256 + 1)
    reason = f"has {MIB_256 + 1} bytes, a document may have {MIB_256}"
    assert (await import_beside_plain()).skipped == [Note(A, reason)]


async def test_a_file_under_the_name_of_another_id_is_skipped(folder, import_beside_plain, fixture_text):
    folder.put_session(A, "b")
    folder.put_session("c_d.json", "e")
    folder.put("loop_checkpoints/other.json", fixture_text("legacy", "loop_checkpoints/run_1.json"))
    assert (await import_beside_plain()).skipped == [
        Note("c_d.json", "holds 'e', which belongs at e.json"),
        Note("loop_checkpoints/other.json", "holds 'run/1', which belongs at loop_checkpoints/run_1.json"),
        Note(A, "holds 'b', which belongs at v1/sessions/id_Yg.json"),
    ]


@pytest.mark.parametrize("name", ["id_YQ==", "id_YQ=", "YQ", "id_Y", "id_YR", "id__w", "id_ä"])
async def test_a_name_that_stands_for_no_id_is_skipped(folder, import_beside_plain, name):
    folder.put_traces(f"v1/traces/{name}.json", "trace")
    reason = "its name is not the base64 form of an id"
    assert (await import_beside_plain()).skipped == [Note(f"v1/traces/{name}.json", reason)]


@pytest.mark.parametrize(("session_id", "problem"), [("", "empty"), ("a\0b", "NUL")])
async def test_an_id_that_the_store_refuses_is_reported(folder, import_beside_plain, session_id, problem):
    path = folder.current("sessions", session_id)
    folder.put_session(path, session_id)
    (note,) = (await import_beside_plain()).skipped
    assert note.subject == path
    assert note.reason.startswith("the store refuses it: ")
    assert problem in note.reason


async def test_a_snapshot_of_another_version_is_refused_whole(store, folder, progress):
    folder.take_fixture("current")
    path = folder.current("sessions", "snapshot-1")
    folder.put(path, folder.files()[path].replace(b'"schema_version": 1', b'"schema_version": 2', 1))
    report = await import_a3s(folder.path, store, progress)
    (note,) = report.skipped
    assert note.subject == path
    assert "schema version 2" in note.reason
    assert not await store.exists("snapshot-1")


@pytest.mark.parametrize(
    ("link", "content"),
    [(A, "outside.json"), ("v1/sessions", "."), ("v1/wal", "."), ("a.json", "outside.json"), ("v1", ".")],
)
async def test_nothing_is_read_through_a_link_that_leads_outside(store, folder, progress, tmp_path, link, content):
    outside = tmp_path / "outside"
    outside.mkdir()
    folder.put_session(outside / "outside.json", "a")
    folder.put_session("plain.json", "plain")
    (folder.path / link).parent.mkdir(parents=True, exist_ok=True)
    (folder.path / link).symlink_to(outside / content)
    report = await import_a3s(folder.path, store, progress)
    (note,) = report.skipped
    assert note.subject == link
    assert note.reason.startswith("is a symbolic link that leads outside the folder")
    assert await store.list() == ["plain"]


async def test_a_link_that_stays_inside_is_followed(store, folder, progress):
    folder.put_session("elsewhere/id_YQ.json", "a")
    (folder.path / "v1").mkdir()
    (folder.path / "v1" / "sessions").symlink_to("../elsewhere")
    await import_a3s(folder.path, store, progress)
    assert await store.list() == ["a"]


@pytest.mark.parametrize(
    "make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("nowhere"), lambda path: path.symlink_to(path)]
)
async def test_what_is_no_file_is_skipped(folder, import_beside_plain, make):
    (folder.path / A).parent.mkdir(parents=True)
    make(folder.path / A)
    (note,) = (await import_beside_plain()).skipped
    assert note.subject == A
    assert note.reason.startswith(("is not a file", "cannot be read: "))


async def test_what_is_not_session_data_is_left_alone_and_named(folder, import_beside_plain):
    expected = {
        ".health_check": "the probe of a health check",
        "README": "not a path that the reference writes",
        "notes": "not a path that the reference writes",
        "traces/readme.md": "not a path that the reference writes",
        "v1/artifacts/id_YQ/other.json": "not a path that the reference writes",
        "v1/sessions/id_YQ.json.1769847300000000000.4711.3.tmp": "left behind by a write that was interrupted",
        "v1/wal/session-store.lock": "the lock of a process",
        "v1/wal/session-store.ndjson": "the write-ahead log",
        "v1/wal/session-store.ndjson.corrupt.1769847300": "the write-ahead log",
        "v1/writer_lease.json": "the lease of a writer",
    }
    for path in expected:
        folder.put("notes/deep/file.json" if path == "notes" else path, "{}")
    before = folder.files()
    report = await import_beside_plain()
    assert [note.subject for note in report.left_alone] == sorted(expected)
    assert all(note.reason.startswith(expected[note.subject]) for note in report.left_alone)
    assert report.skipped == []
    assert {path: folder.files()[path] for path in before} == before


async def test_a_name_that_no_terminal_should_see_is_escaped(folder, import_beside_plain):
    name = os.fsdecode(b"evil\x1b[2J\xff.json")
    folder.put(name, "")
    report = await import_beside_plain()
    assert [note.subject for note in report.skipped] == ["evil\\x1b[2J\\udcff.json"]
    report.to_json().encode()


class FiveMethods(SessionStore):
    """A store of somebody's own, which keeps sessions and nothing else."""

    def __init__(self):
        self.sessions = {}

    async def save(self, session: SessionData):
        self.sessions[session.id] = session

    async def load(self, session_id):
        return self.sessions.get(session_id)

    async def delete(self, session_id):
        self.sessions.pop(session_id, None)

    async def list(self):
        return sorted(self.sessions)

    async def exists(self, session_id):
        return session_id in self.sessions


async def test_what_a_store_does_not_keep_is_reported_and_never_dropped(folder, progress):
    folder.take_fixture("current")
    store = FiveMethods()
    report = await import_a3s(folder.path, store, progress)
    assert sorted(store.sessions) == ["plain", "tenant/team\\..\\🦊"]
    assert len(report.skipped) == 8
    assert all(
        "the store refuses it: the store 'unknown' does not offer save_" in note.reason for note in report.skipped
    )
    # Saving no trace events, as the session `plain` has, is refused by no store.
    assert report.documents == {"sessions": 2, "trace_events": 1}


async def test_a_store_that_fails_as_a_whole_ends_the_import(store, folder, progress):
    folder.take_fixture("current")
    await store.aclose()
    with pytest.raises(StoreClosedError):
        await import_a3s(folder.path, store, progress)
