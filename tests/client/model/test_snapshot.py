"""What must hold between the parts of a snapshot, and what a fork changes."""

import json

import pytest

from sessionstore.errors import InvalidArgumentError, UnsupportedVersionError
from sessionstore.model import SessionData, SessionSnapshot

TRANSFORM = "a3s_tool_result_transform_binding"
EVIDENCE = "a3s_tool_result_evidence"


def index_of(events, kind: str) -> int:
    return next(position for position, record in enumerate(events) if record["event"]["type"] == kind)


def test_the_snapshot_of_the_documents_keeps_all_rules(snapshot):
    snapshot.validate_invariants()


@pytest.mark.parametrize("version", [0, 2])
def test_only_version_1_is_loadable(snapshot, version):
    snapshot.schema_version = version
    for check in (snapshot.check_loadable, snapshot.validate_invariants, lambda: snapshot.fork("new")):
        with pytest.raises(UnsupportedVersionError):
            check()


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (
            ("session", "config", "tool_result_transform_policy", "schema"),
            "x",
            "session.config.tool_result_transform_policy.schema",
        ),
        (("session", "tenant_id"), "other", "session.durable_memory_binding.namespace.tenant_id"),
        (("session", "principal"), None, "session.durable_memory_binding.namespace.principal_id"),
        (
            ("session", "durable_memory_binding", "schemaVersion"),
            9,
            "session.durable_memory_binding.schema_version",
        ),
        (
            ("session", "cognitive_package_binding", "packageId"),
            "x",
            "session.cognitive_package_binding.package_id",
        ),
        (
            ("session", "immutable_content_adapter_binding", "maximum_bytes"),
            0,
            "session.immutable_content_adapter_binding.maximum_bytes",
        ),
        (("run_records", 1, "snapshot", "id"), "run-1", "run_records[1].snapshot.id"),
        (("run_records", 2, "snapshot", "session_id"), "other", "run_records[2].snapshot.session_id"),
        (
            ("run_records", 0, "snapshot", "capability_binding", "catalogDigest"),
            "x",
            "run_records[0].snapshot.capability_binding.catalog_digest",
        ),
        (
            ("run_records", 0, "snapshot", "cognitive_package_binding", "packageId"),
            "x",
            "run_records[0].snapshot.cognitive_package_binding.package_id",
        ),
        (("run_records", 0, "events", 1, "sequence"), 3, "run_records[0].events[1].sequence"),
        (("run_records", 0, "snapshot", "event_count"), 54, "run_records[0].snapshot.event_count"),
        (("subagent_tasks", 0, "parent_session_id"), "other", "subagent_tasks[0].parent_session_id"),
    ],
)
def test_a_broken_rule_is_named_by_its_path(snapshot_text, path, value, field):
    tree = json.loads(snapshot_text)
    target = tree
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    with pytest.raises(InvalidArgumentError) as caught:
        SessionSnapshot.model_validate_json(json.dumps(tree)).validate_invariants()
    assert caught.value.field == field


def test_gaps_and_a_late_start_of_sequences_are_fine(snapshot_text):
    tree = json.loads(snapshot_text)
    events = tree["run_records"][0]["events"]
    for record in events:
        record["sequence"] = record["sequence"] * 10 + 7
    tree["run_records"][0]["snapshot"]["event_count"] = events[-1]["sequence"] + 1
    SessionSnapshot.model_validate_json(json.dumps(tree)).validate_invariants()


@pytest.mark.parametrize(("run", "also_bound"), [(0, False), (1, True)])
def test_the_package_of_a_run_does_not_change(snapshot_text, run, also_bound):
    """An event agrees with its run or, where the run has no package, with the events before it."""
    tree = json.loads(snapshot_text)
    events = tree["run_records"][run]["events"]
    position = index_of(events, "cognitive_context_bound")
    if also_bound:
        events.append(json.loads(json.dumps(events[position])))
        position = len(events) - 1
        events[position]["sequence"] = events[position - 1]["sequence"] + 1
    SessionSnapshot.model_validate_json(json.dumps(tree)).validate_invariants()
    events[position]["event"]["binding"]["limits"]["maxResults"] = 3
    with pytest.raises(InvalidArgumentError) as caught:
        SessionSnapshot.model_validate_json(json.dumps(tree)).validate_invariants()
    assert caught.value.field == f"run_records[{run}].events[{position}].event.binding"


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ({TRANSFORM: {"head_bytes": 2}, EVIDENCE: {}}, None),
        ({EVIDENCE: {}}, None),
        ({TRANSFORM: {"head_bytes": 2}}, EVIDENCE),
        ({TRANSFORM: {"head_bytes": 2}, EVIDENCE: None}, EVIDENCE),
        ({TRANSFORM: "x", EVIDENCE: {}}, TRANSFORM),
        ({TRANSFORM: {"head_bytes": 3}, EVIDENCE: {}}, f"{TRANSFORM}.head_bytes"),
    ],
)
def test_transformed_tool_results_follow_the_policy(snapshot_text, metadata, field):
    tree = json.loads(snapshot_text)
    events = tree["run_records"][0]["events"]
    position = index_of(events, "tool_end")
    events[position]["event"]["metadata"] = metadata
    snapshot = SessionSnapshot.model_validate_json(json.dumps(tree))
    if field is None:
        snapshot.validate_invariants()
        return
    with pytest.raises(InvalidArgumentError) as caught:
        snapshot.validate_invariants()
    assert caught.value.field == f"run_records[0].events[{position}].event.metadata.{field}"


def test_a_fork_belongs_to_the_new_session(snapshot):
    before = snapshot.model_dump_json()
    fork = snapshot.fork("new", workspace="/elsewhere")
    assert snapshot.model_dump_json() == before
    assert (fork.session.id, fork.session.config.workspace) == ("new", "/elsewhere")
    assert {record.snapshot.session_id for record in fork.run_records} == {"new"}
    assert [task.parent_session_id for task in fork.subagent_tasks] == ["new", ""]
    fork.validate_invariants()


def test_a_fork_changes_nothing_else(snapshot):
    tree = json.loads(snapshot.model_dump_json())
    tree["session"]["id"] = "new"
    for record in tree["run_records"]:
        record["snapshot"]["session_id"] = "new"
    tree["subagent_tasks"][0]["parent_session_id"] = "new"
    assert json.loads(snapshot.fork("new").model_dump_json()) == tree


def test_a_fork_shares_nothing_that_may_be_edited(snapshot):
    fork = snapshot.fork("new")
    fork.session.messages.clear()
    fork.session.config.permission_policy.deny.clear()
    fork.artifacts.clear()
    assert snapshot.session.messages
    assert snapshot.session.config.permission_policy.deny
    assert snapshot.artifacts


@pytest.mark.parametrize("new_id", ["", " \t"])
def test_a_fork_needs_an_id(snapshot, new_id):
    with pytest.raises(InvalidArgumentError, match=r"^new_id: "):
        snapshot.fork(new_id)


def test_a_broken_snapshot_cannot_be_forked(snapshot):
    snapshot.subagent_tasks[0] = snapshot.subagent_tasks[0].model_copy(update={"parent_session_id": "other"})
    with pytest.raises(InvalidArgumentError):
        snapshot.fork("new")


def test_a_new_snapshot_needs_only_a_session():
    snapshot = SessionSnapshot(session=SessionData(id="s"))
    snapshot.validate_invariants()
    assert SessionSnapshot.model_validate_json(snapshot.model_dump_json()) == snapshot
