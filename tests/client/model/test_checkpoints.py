"""Which checkpoints may be resumed, and the ledger of a loop."""

import json
from hashlib import sha256

import pytest

from sessionstore.errors import InvalidArgumentError, UnsupportedVersionError
from sessionstore.model import LoopCheckpoint, MutationLedger, MutationRecord, WorkflowCheckpoint


@pytest.fixture
def loop(document):
    return LoopCheckpoint.model_validate_json(document("loop_checkpoint"))


def workflow_with(document, path: tuple[str | int, ...], value) -> WorkflowCheckpoint:
    tree = json.loads(document("workflow_checkpoint"))
    target = tree
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return WorkflowCheckpoint.model_validate_json(json.dumps(tree))


@pytest.mark.parametrize("version", [0, 1])
def test_known_versions_are_loadable(document, loop, version):
    loop.model_copy(update={"schema_version": version}).check_loadable("run-1")
    workflow_with(document, ("schema_version",), version).check_loadable("w")


def test_later_versions_are_refused(document, loop):
    with pytest.raises(UnsupportedVersionError) as caught:
        loop.model_copy(update={"schema_version": 2}).check_loadable("run-1")
    assert caught.value == UnsupportedVersionError("loop checkpoint 'run-1'", 2, 1)
    with pytest.raises(UnsupportedVersionError):
        workflow_with(document, ("schema_version",), 2).check_loadable("w")


def test_another_key_is_refused(document, loop):
    with pytest.raises(InvalidArgumentError, match=r"^run_id: .*'run-1'.*'run-2'"):
        loop.check_loadable("run-2")
    with pytest.raises(InvalidArgumentError, match=r"^workflow_id: "):
        workflow_with(document, ("workflow_id",), "w").check_loadable("other")


def test_a_bad_binding_is_refused(loop):
    binding = loop.capability_binding.model_copy(update={"catalog_digest": "x"})
    with pytest.raises(InvalidArgumentError, match=r"^capability_binding\.catalog_digest: "):
        loop.model_copy(update={"capability_binding": binding}).check_loadable("run-1")


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ((0, "task_id"), "other", "steps[0].outcome.task_id"),
        ((0, "result_receipt", "schema"), "x", "steps[0].result_receipt.schema"),
        ((0, "result_receipt", "identity", "schema"), "x", "steps[0].result_receipt.identity.schema"),
        ((0, "result_receipt", "identity", "domain"), "x", "steps[0].result_receipt.identity.domain"),
        ((0, "result_receipt", "identity", "digest"), "x", "steps[0].result_receipt.identity.digest"),
        ((0, "result_receipt", "evidence_digest"), "x", "steps[0].result_receipt.evidence_digest"),
        ((0, "result_receipt", "result_digest"), None, "steps[0].result_receipt.result_digest"),
        ((0, "result_receipt", "result_bytes"), 0, "steps[0].result_receipt.result_bytes"),
        ((0, "result_receipt", "result_bytes"), 1024 * 1024 + 1, "steps[0].result_receipt.result_bytes"),
        ((0, "result_receipt", "outcome"), "failed", "steps[0].result_receipt.result_digest"),
        ((1, "result_receipt", "result_bytes"), 1, "steps[1].result_receipt.result_bytes"),
    ],
)
def test_rules_of_workflow_steps(document, path, value, field):
    with pytest.raises(InvalidArgumentError) as caught:
        workflow_with(document, ("steps", *path), value).check_loadable("w")
    assert caught.value.field == field


def test_a_ledger_is_sorted_and_has_a_digest(loop):
    records = [
        MutationRecord(tool="write", path="b", content_digest="2"),
        MutationRecord(tool="write", path="a", content_digest="3"),
        MutationRecord(tool="edit", path="a", content_digest="1"),
    ]
    ledger = MutationLedger.from_records(records)
    assert [(record.path, record.tool) for record in ledger.records] == [("a", "edit"), ("a", "write"), ("b", "write")]
    assert ledger.digest == sha256(b"edit|a|1\nwrite|a|3\nwrite|b|2").hexdigest()
    stored = loop.convergence.mutations
    assert MutationLedger.from_records(stored.records).digest == stored.digest


def test_a_ledger_without_records_is_the_empty_one():
    assert MutationLedger.from_records([]) == MutationLedger()
