"""What was imported and is exported again comes back byte for byte."""

import json

from sessionstore.interchange import export_a3s, import_a3s

TENANT = "id_dGVuYW50L3Nlc3Npb24"
"""`tenant/session` in the current layout."""

MOVED = {
    "tenant_session.json": f"v1/sessions/{TENANT}.json",
    "artifacts/tenant_session/artifacts.json": f"v1/artifacts/{TENANT}/artifacts.json",
    "traces/tenant_session.json": f"v1/traces/{TENANT}.json",
    "runs/tenant_session.json": f"v1/runs/{TENANT}.json",
    "verification/tenant_session.json": f"v1/verification/{TENANT}.json",
    "subagent_tasks/tenant_session.json": f"v1/subagent_tasks/{TENANT}.json",
    "loop_checkpoints/run_1.json": "v1/loop_checkpoints/id_cnVuLzE.json",
    "workflow_checkpoints/flow_1.json": "v1/workflow_checkpoints/id_Zmxvd1wx.json",
    "snapshot-1.json": "v1/sessions/id_c25hcHNob3QtMQ.json",
}
"""Where each file of the legacy fixture stands in the current layout."""

EVERY_KIND = {
    "artifacts": 1,
    "loop_checkpoints": 1,
    "run_records": 1,
    "sessions": 2,
    "snapshots": 1,
    "subagent_tasks": 1,
    "trace_events": 2,
    "verification_reports": 1,
    "workflow_checkpoints": 1,
}


async def test_the_current_layout_comes_back_byte_for_byte(store, folder, target, progress):
    folder.take_fixture("current")
    imported = await import_a3s(folder.path, store, progress)
    exported = await export_a3s(target.path, store, progress)
    assert target.files() == folder.files()
    assert imported.documents == exported.documents == EVERY_KIND
    assert imported.skipped == imported.left_alone == exported.skipped == exported.left_alone == []


async def test_the_legacy_layout_comes_back_byte_for_byte_at_the_current_paths(store, folder, target, progress):
    folder.take_fixture("legacy")
    imported = await import_a3s(folder.path, store, progress)
    await export_a3s(target.path, store, progress)
    assert target.files() == {MOVED[path]: content for path, content in folder.files().items()}
    assert imported.skipped == imported.left_alone == []


async def test_everything_reaches_the_store_as_what_it_is(store, folder, progress):
    folder.take_fixture("current")
    await import_a3s(folder.path, store, progress)
    fox = "tenant/team\\..\\🦊"
    assert await store.list() == ["plain", "snapshot-1", fox]
    assert [await store.is_snapshot(session_id) for session_id in await store.list()] == [False, True, False]
    assert await store.load_trace_events("plain") == []
    assert await store.load_run_records("plain") is None
    artifacts = await store.load_artifacts(fox)
    assert [artifact.content for artifact in artifacts] == ["line one\r\nline two — 🦊", ""]
    assert artifacts.retained_uris == ("a3s://absent", "a3s://tool-output/bash/c1")
    assert [event.sequence for event in (await store.load_run_records(fox))[0].events] == [3, 5, 6]
    assert (await store.load_loop_checkpoint("run-1")).convergence.workspace_stamps[0].modified == 2**128 - 1
    assert (await store.load_workflow_checkpoint("flow/1")).steps[0].outcome.structured == {"files": []}


async def test_importing_twice_changes_nothing(store, folder, target, progress):
    folder.take_fixture("current")
    first = await import_a3s(folder.path, store, progress)
    assert await import_a3s(folder.path, store, progress) == first
    await export_a3s(target.path, store, progress)
    assert target.files() == folder.files()


async def test_a_file_in_another_layout_comes_back_in_that_of_the_reference(store, folder, target, progress):
    folder.take_fixture("current")
    expected = folder.files()
    for path, content in expected.items():
        tree = json.loads(content)
        folder.put(path, json.dumps(tree, sort_keys=True, separators=(",", ":")) + "\n")
    report = await import_a3s(folder.path, store, progress)
    await export_a3s(target.path, store, progress)
    assert report.skipped == []
    assert {path: json.loads(content) for path, content in target.files().items()} == {
        path: json.loads(content) for path, content in expected.items()
    }


async def test_more_artifacts_than_the_default_limit_are_all_kept(store, folder, target, progress):
    folder.put_session(folder.current("sessions", "many"), "many")
    artifact = {"artifact_id": "a", "tool_name": "t", "content": "c", "original_bytes": 1, "shown_bytes": 1}
    artifacts = [{**artifact, "artifact_uri": f"uri-{number}"} for number in range(257)]
    folder.put(folder.current("artifacts", "many"), json.dumps({"artifacts": artifacts}))
    await import_a3s(folder.path, store, progress)
    await export_a3s(target.path, store, progress)
    assert len(json.loads(target.files()[folder.current("artifacts", "many")])["artifacts"]) == 257


async def test_progress_counts_files_and_then_sessions_and_checkpoints(store, folder, target):
    folder.take_fixture("current")
    folder.put(".health_check", "")
    steps = []
    await import_a3s(folder.path, store, lambda done, total: steps.append((done, total)))
    assert steps == [(done, 12) for done in range(1, 13)]
    steps.clear()
    await export_a3s(target.path, store, lambda done, total: steps.append((done, total)))
    assert steps == [(done, 5) for done in range(1, 6)]


async def test_nothing_is_a_valid_folder_and_a_valid_store(store, folder, target, progress):
    imported = await import_a3s(folder.path, store, progress)
    exported = await export_a3s(target.path / "new" / "folder", store, progress)
    assert imported.documents == exported.documents == {}
    assert (target.path / "new" / "folder").is_dir()
