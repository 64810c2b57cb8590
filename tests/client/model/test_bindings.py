"""The rules of bindings, and the digests that they carry."""

from hashlib import sha256

import pytest

from sessionstore.errors import InvalidArgumentError
from sessionstore.model import (
    DurableMemoryMode,
    RunRecord,
    SessionData,
    domain_digest,
    evidence_digest,
    is_digest,
    validate_json_list,
)

ZERO_DIGEST = "sha256:" + "0" * 64


@pytest.fixture
def session(document):
    return SessionData.model_validate_json(document("session"))


def refused_field(check) -> str:
    with pytest.raises(InvalidArgumentError) as caught:
        check("at")
    return caught.value.field


def test_the_bindings_of_the_documents_are_valid(session, document):
    session.durable_memory_binding.check("at")
    session.cognitive_package_binding.check("at")
    session.immutable_content_adapter_binding.check("at")
    validate_json_list(RunRecord, document("runs"))[0].snapshot.capability_binding.check("at")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"schema": "other"}, "at.schema"),
        ({"package_id": "Acme/handbook"}, "at.package_id"),
        ({"package_id": "acme"}, "at.package_id"),
        ({"package_id": "acme/hand/book"}, "at.package_id"),
        ({"package_id": "acme/handbook\n"}, "at.package_id"),
        ({"package_version": ""}, "at.package_version"),
        ({"package_version": " 1"}, "at.package_version"),
        ({"package_version": "1\x002"}, "at.package_version"),
        ({"package_version": "é" * 65}, "at.package_version"),
        ({"lifecycle_generation": 0}, "at.lifecycle_generation"),
        ({"lifecycle_generation": 4}, "at.knowledge.lifecycle_generation"),
        ({"generation_digest": "sha256:x"}, "at.generation_digest"),
        ({"generation_digest": ZERO_DIGEST}, "at.knowledge.generation_digest"),
        ({"capability_snapshot_digest": ZERO_DIGEST}, "at.capability_snapshot_digest"),
        ({"package_version": "2.1.1"}, "at.capability_snapshot_digest"),
    ],
)
def test_rules_of_a_cognitive_package(session, changes, field):
    assert refused_field(session.cognitive_package_binding.model_copy(update=changes).check) == field


@pytest.mark.parametrize(
    ("part", "changes", "field"),
    [
        ("knowledge", {"schema": "x"}, "at.knowledge.schema"),
        ("knowledge", {"search_schema": "x"}, "at.knowledge.search_schema"),
        ("knowledge", {"read_schema": "x"}, "at.knowledge.read_schema"),
        ("knowledge", {"citation_schema": "x"}, "at.knowledge.citation_schema"),
        ("knowledge", {"content_digest": "x"}, "at.capability_snapshot_digest"),
        ("limits", {"max_results": 5}, "at.limits.max_results"),
        ("limits", {"max_results": 0}, "at.limits.max_results"),
        ("limits", {"max_document_bytes": 6145}, "at.limits.max_document_bytes"),
        ("limits", {"max_total_bytes": 0}, "at.limits.max_total_bytes"),
    ],
)
def test_rules_of_its_parts(session, part, changes, field):
    package = session.cognitive_package_binding
    changed = getattr(package, part).model_copy(update=changes)
    assert refused_field(package.model_copy(update={part: changed}).check) == field


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"schema_version": 3}, "at.schema_version"),
        ({"retrieval_profile": "a3s.memory.newer"}, "at.retrieval_profile"),
        ({"schema_version": 2, "retrieval_profile": " "}, "at.retrieval_profile"),
        ({"recall_policy": None}, "at.recall_policy"),
        ({"mode": DurableMemoryMode.SHADOW_CANDIDATES}, "at.recall_policy"),
    ],
)
def test_rules_of_durable_memory(session, changes, field):
    assert refused_field(session.durable_memory_binding.model_copy(update=changes).check) == field


def test_ranges_of_durable_memory(session):
    binding = session.durable_memory_binding
    policy = binding.recall_policy.model_copy(update={"min_lexical_score": 1.5})
    assert (
        refused_field(binding.model_copy(update={"recall_policy": policy}).check)
        == "at.recall_policy.min_lexical_score"
    )
    blank = binding.namespace.model_copy(update={"scope_id": " "})
    assert refused_field(binding.model_copy(update={"namespace": blank}).check) == "at.namespace.scope_id"


def test_newer_durable_memory_is_valid(session):
    binding = session.durable_memory_binding
    binding.model_copy(update={"schema_version": 2, "retrieval_profile": "a3s.memory.newer"}).check("at")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"schema": "x"}, "at.schema"),
        ({"authority_digest": "x"}, "at.authority_digest"),
        ({"maximum_bytes": 0}, "at.maximum_bytes"),
        ({"maximum_bytes": 2}, "at.binding_digest"),
    ],
)
def test_rules_of_a_content_adapter(session, changes, field):
    assert refused_field(session.immutable_content_adapter_binding.model_copy(update=changes).check) == field


@pytest.mark.parametrize("name", ["schema", "catalog_digest", "capability_ceiling_digest"])
def test_rules_of_run_capabilities(document, name):
    binding = validate_json_list(RunRecord, document("runs"))[0].snapshot.capability_binding
    assert refused_field(binding.model_copy(update={name: "x"}).check) == f"at.{name}"


def test_digests_are_computed_as_described():
    assert domain_digest("d", b"payload") == "sha256:" + sha256(b"d\0payload").hexdigest()
    framed = b"a3s-code-harness-evidence\0" + b"\0\0\0\0\0\0\0\x01d" + b"\0\0\0\0\0\0\0\x07payload"
    assert evidence_digest("d", b"payload") == "sha256:" + sha256(framed).hexdigest()


@pytest.mark.parametrize(
    "text", ["", "0" * 64, "sha256:" + "0" * 63, "sha256:" + "A" * 64, ZERO_DIGEST + "\n", "SHA256:" + "0" * 64]
)
def test_what_is_no_digest(text):
    assert is_digest(ZERO_DIGEST)
    assert not is_digest(text)
