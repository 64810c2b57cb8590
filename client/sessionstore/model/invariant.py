"""What must hold between the parts of a whole session; each fault is an InvalidArgumentError that names its path."""

from collections.abc import Mapping, Sequence

from sessionstore.errors import InvalidArgumentError
from sessionstore.model.binding import CognitivePackageBinding, DurableMemoryBinding
from sessionstore.model.event import CognitiveContextBoundEvent
from sessionstore.model.event_dialogue import ToolEndEvent
from sessionstore.model.pairing import check_rising_sequences
from sessionstore.model.policy import ToolResultTransformPolicy
from sessionstore.model.rule import require
from sessionstore.model.run import RunRecord
from sessionstore.model.session import SessionData
from sessionstore.model.subagent import SubagentTaskSnapshot

TRANSFORM_BINDING_KEY = "a3s_tool_result_transform_binding"
TRANSFORM_EVIDENCE_KEY = "a3s_tool_result_evidence"


def check_session(session: SessionData) -> None:
    """Check the transform policy and the bindings of a session."""
    session.config.tool_result_transform_policy.check("session.config.tool_result_transform_policy")
    if session.durable_memory_binding:
        session.durable_memory_binding.check("session.durable_memory_binding")
        _check_memory_owner(session.durable_memory_binding, session)
    if session.cognitive_package_binding:
        session.cognitive_package_binding.check("session.cognitive_package_binding")
    if session.immutable_content_adapter_binding:
        session.immutable_content_adapter_binding.check("session.immutable_content_adapter_binding")


def _check_memory_owner(binding: DurableMemoryBinding, session: SessionData) -> None:
    namespace = binding.namespace
    path = "session.durable_memory_binding.namespace"
    require(namespace.tenant_id == session.tenant_id, f"{path}.tenant_id", "must equal the tenant_id of the session")
    same_principal = namespace.principal_id == session.principal
    require(same_principal, f"{path}.principal_id", "must equal the principal of the session")


def check_runs(session: SessionData, records: Sequence[RunRecord]) -> None:
    """Check that the runs belong to the session and that each is sound in itself."""
    seen: set[str] = set()
    for position, record in enumerate(records):
        path = f"run_records[{position}]"
        run = record.snapshot
        require(run.id not in seen, f"{path}.snapshot.id", f"{run.id!r} is already the id of another run")
        seen.add(run.id)
        require(run.session_id == session.id, f"{path}.snapshot.session_id", "must equal the id of the session")
        _check_bindings(record, path)
        check_rising_sequences(record.events, f"{path}.events")
        _check_event_count(record, path)
        _check_transforms(record, session.config.tool_result_transform_policy, path)


def _check_bindings(record: RunRecord, path: str) -> None:
    run = record.snapshot
    if run.cognitive_package_binding:
        run.cognitive_package_binding.check(f"{path}.snapshot.cognitive_package_binding")
    if run.capability_binding:
        run.capability_binding.check(f"{path}.snapshot.capability_binding")
    expected: CognitivePackageBinding | None = run.cognitive_package_binding
    for position, kept in enumerate(record.events):
        if isinstance(kept.event, CognitiveContextBoundEvent):
            expected = expected or kept.event.binding
            same = kept.event.binding == expected
            require(same, f"{path}.events[{position}].event.binding", "must be the binding of the whole run")


def _check_event_count(record: RunRecord, path: str) -> None:
    counted = not record.events or record.snapshot.event_count > record.events[-1].sequence
    require(counted, f"{path}.snapshot.event_count", "must be greater than the sequence of the last event")


def _check_transforms(record: RunRecord, policy: ToolResultTransformPolicy, path: str) -> None:
    for position, kept in enumerate(record.events):
        metadata = kept.event.metadata if isinstance(kept.event, ToolEndEvent) else None
        if isinstance(metadata, dict) and TRANSFORM_BINDING_KEY in metadata:
            _check_transform(metadata, policy, f"{path}.events[{position}].event.metadata")


def _check_transform(metadata: Mapping[str, object], policy: ToolResultTransformPolicy, path: str) -> None:
    """Check the binding as far as its form is known: settings that it shares with the policy are equal."""
    binding = metadata[TRANSFORM_BINDING_KEY]
    if not isinstance(binding, dict):
        raise InvalidArgumentError(f"{path}.{TRANSFORM_BINDING_KEY}", "must be an object")
    has_evidence = metadata.get(TRANSFORM_EVIDENCE_KEY) is not None
    require(has_evidence, f"{path}.{TRANSFORM_EVIDENCE_KEY}", f"must stand beside {TRANSFORM_BINDING_KEY}")
    settings = policy.model_dump(exclude={"schema"})
    for key in settings.keys() & binding.keys():
        same = binding[key] == settings[key]
        require(same, f"{path}.{TRANSFORM_BINDING_KEY}.{key}", "must equal the policy of the session")


def check_subagent_tasks(session_id: str, tasks: Sequence[SubagentTaskSnapshot]) -> None:
    """Check that the tasks were given by the session."""
    for position, task in enumerate(tasks):
        owned = task.parent_session_id in ("", session_id)
        path = f"subagent_tasks[{position}].parent_session_id"
        require(owned, path, "must be empty or equal the id of the session")
