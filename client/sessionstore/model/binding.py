"""Bindings: what a session or run was tied to when it began. Digests have the form of `sessionstore.model.digest`."""

import re
from enum import StrEnum
from unicodedata import category

from pydantic.alias_generators import to_camel

from sessionstore.model.base import FrozenModel, OmitNone, RequiredInJson
from sessionstore.model.digest import compact_json, domain_digest, ontology_digest, require_digest
from sessionstore.model.rule import require
from sessionstore.model.scalar import F32, U32, U64, Str

LEXICAL_RETRIEVAL_PROFILE = "a3s.memory.lexical.word.v1"
COGNITIVE_PACKAGE_BINDING_SCHEMA = "a3s.code.cognitive-package-session-binding.v1"
KNOWLEDGE_SCHEMA = "agentic.ontology.r0-knowledge-lease-binding.v1"
KNOWLEDGE_SEARCH_SCHEMA = "a3s.use.okf-knowledge-search-request.v1"
KNOWLEDGE_READ_SCHEMA = "a3s.use.okf-knowledge-read-request.v1"
KNOWLEDGE_CITATION_SCHEMA = "a3s.use.okf-knowledge-citation.v1"
IMMUTABLE_CONTENT_ADAPTER_BINDING_SCHEMA = "a3s.code.immutable-content-adapter-binding.v1"
RUN_CAPABILITY_BINDING_SCHEMA = "a3s.code.run-capability-binding.v1"
CAPABILITY_SNAPSHOT_DOMAIN = "a3s.use.capability-snapshot.v1"
MAX_PACKAGE_VERSION_BYTES = 128
MAX_KNOWLEDGE_RESULTS = 4
MAX_KNOWLEDGE_BYTES = 6144

_PACKAGE_ID = re.compile(r"[a-z0-9_-]+/[a-z0-9_-]+", re.ASCII)


class DurableMemoryMode(StrEnum):
    """What a session may do with its durable memory."""

    SHADOW_CANDIDATES = "shadow_candidates"
    ACTIVE_RECALL = "active_recall"


class DurableMemoryNamespace(FrozenModel, alias_generator=to_camel):
    """Whose memory it is."""

    tenant_id: Str
    principal_id: Str
    scope_id: Str

    def check(self, path: str) -> None:
        """Check that nothing is blank. Errors: InvalidArgumentError below `path`."""
        for name in ("tenant_id", "principal_id", "scope_id"):
            require(bool(getattr(self, name).strip()), f"{path}.{name}", "must not be blank")


class DurableMemoryRecallPolicy(FrozenModel, alias_generator=to_camel):
    """How much is recalled; `min_lexical_score` from 0 to 1."""

    max_results: U64
    min_lexical_score: F32
    max_related_lookups: U64


class DurableMemoryBinding(FrozenModel, alias_generator=to_camel):
    """The durable memory of a session."""

    schema_version: U32
    namespace: DurableMemoryNamespace
    mode: DurableMemoryMode
    recall_policy: OmitNone[DurableMemoryRecallPolicy] = None
    retrieval_profile: Str = LEXICAL_RETRIEVAL_PROFILE

    def check(self, path: str) -> None:
        """Check the rules of the binding. Errors: InvalidArgumentError below `path`.

        Version 1 goes with the lexical profile; version 2 with a later one, whose name is not fixed here.
        """
        self.namespace.check(f"{path}.namespace")
        require(self.schema_version in (1, 2), f"{path}.schema_version", "must be 1 or 2")
        known_profile = self.schema_version == 2 or self.retrieval_profile == LEXICAL_RETRIEVAL_PROFILE
        require(known_profile, f"{path}.retrieval_profile", f"must be {LEXICAL_RETRIEVAL_PROFILE} in version 1")
        require(bool(self.retrieval_profile.strip()), f"{path}.retrieval_profile", "must not be blank")
        self._check_recall_policy(f"{path}.recall_policy")

    def _check_recall_policy(self, path: str) -> None:
        if self.mode is DurableMemoryMode.SHADOW_CANDIDATES:
            require(self.recall_policy is None, path, "must be absent in the mode shadow_candidates")
        elif self.recall_policy is None:
            require(False, path, "is needed in the mode active_recall")
        else:
            in_range = 0 <= self.recall_policy.min_lexical_score <= 1
            require(in_range, f"{path}.min_lexical_score", "must be from 0 to 1")


class CognitivePackageKnowledge(FrozenModel, alias_generator=to_camel, extra="forbid"):
    """The knowledge surface that a cognitive package leases."""

    schema: RequiredInJson[Str] = KNOWLEDGE_SCHEMA
    surface_id: Str
    format_version: Str
    content_digest: Str
    search_schema: RequiredInJson[Str] = KNOWLEDGE_SEARCH_SCHEMA
    read_schema: RequiredInJson[Str] = KNOWLEDGE_READ_SCHEMA
    citation_schema: RequiredInJson[Str] = KNOWLEDGE_CITATION_SCHEMA
    lifecycle_generation: U64
    generation_digest: Str

    def check(self, path: str) -> None:
        """Check its schemas. Errors: InvalidArgumentError below `path`."""
        for name, expected in (
            ("schema", KNOWLEDGE_SCHEMA),
            ("search_schema", KNOWLEDGE_SEARCH_SCHEMA),
            ("read_schema", KNOWLEDGE_READ_SCHEMA),
            ("citation_schema", KNOWLEDGE_CITATION_SCHEMA),
        ):
            require(getattr(self, name) == expected, f"{path}.{name}", f"must be {expected}")


class CognitivePackageLimits(FrozenModel, alias_generator=to_camel, extra="forbid"):
    """How much knowledge one request may return: 1 to 4 results, 1 to 6144 bytes."""

    max_results: U64
    max_document_bytes: U64
    max_total_bytes: U64

    def check(self, path: str) -> None:
        """Check the ranges. Errors: InvalidArgumentError below `path`."""
        for name, most in (
            ("max_results", MAX_KNOWLEDGE_RESULTS),
            ("max_document_bytes", MAX_KNOWLEDGE_BYTES),
            ("max_total_bytes", MAX_KNOWLEDGE_BYTES),
        ):
            require(1 <= getattr(self, name) <= most, f"{path}.{name}", f"must be from 1 to {most}")


class CognitivePackageBinding(FrozenModel, alias_generator=to_camel, extra="forbid"):
    """The cognitive package of a session or run."""

    schema: RequiredInJson[Str] = COGNITIVE_PACKAGE_BINDING_SCHEMA
    package_id: Str
    package_version: Str
    lifecycle_generation: U64
    generation_digest: Str
    capability_snapshot_digest: Str
    knowledge: CognitivePackageKnowledge
    limits: CognitivePackageLimits

    def check(self, path: str) -> None:
        """Check the rules of the binding, digests included. Errors: InvalidArgumentError below `path`."""
        schema_known = self.schema == COGNITIVE_PACKAGE_BINDING_SCHEMA
        require(schema_known, f"{path}.schema", f"must be {COGNITIVE_PACKAGE_BINDING_SCHEMA}")
        self._check_package(path)
        self.knowledge.check(f"{path}.knowledge")
        self.limits.check(f"{path}.limits")
        self._check_generation(path)
        expected = self.derive_capability_snapshot_digest()
        same = self.capability_snapshot_digest == expected
        require(same, f"{path}.capability_snapshot_digest", f"must be {expected}, which follows from the other fields")

    def derive_capability_snapshot_digest(self) -> str:
        """Return the digest of the package and its knowledge that `capability_snapshot_digest` must be."""
        parts = [
            self.package_id,
            self.package_version,
            self.lifecycle_generation,
            self.generation_digest,
            self.knowledge.surface_id,
            self.knowledge.format_version,
            self.knowledge.content_digest,
        ]
        return ontology_digest(CAPABILITY_SNAPSHOT_DOMAIN, compact_json(parts))

    def _check_package(self, path: str) -> None:
        named = _PACKAGE_ID.fullmatch(self.package_id) is not None
        require(named, f"{path}.package_id", "must be publisher/name in lower-case letters, digits, - and _")
        version = self.package_version
        trimmed = version == version.strip() and 0 < len(version.encode()) <= MAX_PACKAGE_VERSION_BYTES
        problem = f"must be 1 to {MAX_PACKAGE_VERSION_BYTES} bytes without space around it or control characters"
        require(trimmed and not _has_control_characters(version), f"{path}.package_version", problem)

    def _check_generation(self, path: str) -> None:
        require(self.lifecycle_generation > 0, f"{path}.lifecycle_generation", "must not be 0")
        require_digest(self.generation_digest, f"{path}.generation_digest")
        for name in ("lifecycle_generation", "generation_digest"):
            same = getattr(self.knowledge, name) == getattr(self, name)
            require(same, f"{path}.knowledge.{name}", "must equal that of the package")


def _has_control_characters(text: str) -> bool:
    return any(category(character) == "Cc" for character in text)


class ImmutableContentAdapterBinding(FrozenModel, extra="forbid"):
    """The adapter through which a session reads immutable content."""

    schema: RequiredInJson[Str] = IMMUTABLE_CONTENT_ADAPTER_BINDING_SCHEMA
    authority_digest: Str
    maximum_bytes: U64
    binding_digest: Str

    def check(self, path: str) -> None:
        """Check the rules of the binding, digests included. Errors: InvalidArgumentError below `path`."""
        schema_known = self.schema == IMMUTABLE_CONTENT_ADAPTER_BINDING_SCHEMA
        require(schema_known, f"{path}.schema", f"must be {IMMUTABLE_CONTENT_ADAPTER_BINDING_SCHEMA}")
        require_digest(self.authority_digest, f"{path}.authority_digest")
        require(self.maximum_bytes > 0, f"{path}.maximum_bytes", "must not be 0")
        expected = self.derive_binding_digest()
        same = self.binding_digest == expected
        require(same, f"{path}.binding_digest", f"must be {expected}, which follows from the other fields")

    def derive_binding_digest(self) -> str:
        """Return the digest of the other fields that `binding_digest` must be."""
        payload = self.model_dump(exclude={"binding_digest"})
        return domain_digest(IMMUTABLE_CONTENT_ADAPTER_BINDING_SCHEMA, compact_json(payload))


class RunCapabilityUseGeneration(FrozenModel, alias_generator=to_camel, extra="forbid"):
    """The generation of the capability registry that a run uses."""

    schema: Str
    generation: U64
    revision: Str
    registry_revision: Str


class RunCapabilityBinding(FrozenModel, alias_generator=to_camel, extra="forbid"):
    """The capabilities of a run."""

    schema: RequiredInJson[Str] = RUN_CAPABILITY_BINDING_SCHEMA
    capability_set_schema: Str
    code_catalog_generation: U64
    catalog_digest: Str
    capability_ceiling_schema: Str
    capability_ceiling_digest: Str
    use_generation: OmitNone[RunCapabilityUseGeneration] = None

    def check(self, path: str) -> None:
        """Check what is known of its rules. Errors: InvalidArgumentError below `path`."""
        schema_known = self.schema == RUN_CAPABILITY_BINDING_SCHEMA
        require(schema_known, f"{path}.schema", f"must be {RUN_CAPABILITY_BINDING_SCHEMA}")
        require_digest(self.catalog_digest, f"{path}.catalog_digest")
        require_digest(self.capability_ceiling_digest, f"{path}.capability_ceiling_digest")
