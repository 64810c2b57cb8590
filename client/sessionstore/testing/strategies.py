"""Hypothesis strategies for everything that a store keeps, derived from the fields of the models.

A tolerant object may get fields that nobody knows, and any event may be of a type that nobody knows. What a store
checks (run ids that are unique, checkpoints that load) holds in every value.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin

from annotated_types import Ge, Le
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pydantic import AfterValidator, BeforeValidator, GetPydanticSchema, JsonValue
from pydantic.fields import FieldInfo

from sessionstore import model
from sessionstore.model.scalar import normalise_timestamp

M = TypeVar("M", bound=model.Model)

_MOST_ITEMS = 2
_CHARACTERS = st.characters(codec="utf-8")


def text() -> SearchStrategy[str]:
    """Make any Unicode text, NUL and characters beyond the BMP included."""
    return st.text(_CHARACTERS, max_size=8)


def ids() -> SearchStrategy[str]:
    """Make ids that every store takes."""
    return st.text(_CHARACTERS.filter("\0".__ne__), min_size=1, max_size=40)


def open_values() -> SearchStrategy[JsonValue]:
    """Make any JSON value with integers of up to 64 bits."""
    leaves = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | _doubles() | text()
    return st.recursive(leaves, _containers, max_leaves=4)


def sessions(session_id: SearchStrategy[str] | None = None) -> SearchStrategy[model.SessionData]:
    """Make sessions with any content."""
    return models(model.SessionData, id=ids() if session_id is None else session_id)


def artifact_stores() -> SearchStrategy[model.ArtifactStore]:
    """Make artifacts with retained uris, of which some may be absent."""
    return st.builds(model.ArtifactStore.from_snapshot, _artifacts(), _retained_uris())


def trace_events() -> SearchStrategy[list[model.TraceEvent]]:
    """Make lists of trace events."""
    return st.lists(models(model.TraceEvent), max_size=3)


def run_records() -> SearchStrategy[list[model.RunRecord]]:
    """Make lists of runs whose ids are unique."""
    snapshot = models(model.RunSnapshot, id=ids())
    return st.lists(models(model.RunRecord, snapshot=snapshot), max_size=3, unique_by=lambda record: record.snapshot.id)


def verification_reports() -> SearchStrategy[list[model.VerificationReport]]:
    """Make lists of verification reports."""
    return st.lists(models(model.VerificationReport), max_size=3)


def subagent_tasks() -> SearchStrategy[list[model.SubagentTaskSnapshot]]:
    """Make lists of subagent tasks."""
    return st.lists(models(model.SubagentTaskSnapshot), max_size=3)


def snapshots(session_id: SearchStrategy[str] | None = None) -> SearchStrategy[model.SessionSnapshot]:
    """Make whole sessions with all their records."""
    return models(
        model.SessionSnapshot,
        schema_version=st.just(model.SNAPSHOT_SCHEMA_VERSION),
        session=sessions(session_id),
        artifacts=_artifacts(),
        retained_artifact_uris=_retained_uris().map(sorted),
        run_records=run_records(),
    )


def loop_checkpoints(run_id: SearchStrategy[str] | None = None) -> SearchStrategy[model.LoopCheckpoint]:
    """Make loop checkpoints that can be loaded."""
    return models(
        model.LoopCheckpoint, run_id=ids() if run_id is None else run_id, schema_version=st.sampled_from([0, 1])
    )


def workflow_checkpoints(workflow_id: SearchStrategy[str] | None = None) -> SearchStrategy[model.WorkflowCheckpoint]:
    """Make workflow checkpoints that can be loaded."""
    return models(
        model.WorkflowCheckpoint,
        workflow_id=ids() if workflow_id is None else workflow_id,
        schema_version=st.sampled_from([0, 1]),
    )


def one_run_event_of_each_type() -> SearchStrategy[tuple[model.RunEventRecord, ...]]:
    """Make every type of event once, and one of a type that is not known."""
    kinds = sorted(_variants(model.AgentEvent), key=lambda kind: kind.__name__)
    events = st.tuples(*(_known_models(kind) for kind in kinds))
    return events.map(lambda made: tuple(map(_recorded_event, range(len(made)), made)))


def models(model_class: type[M], **fields: SearchStrategy[Any]) -> SearchStrategy[M]:
    """Make objects of `model_class`; `fields` replaces the strategies of single fields.

    A field that has a default is sometimes left out.
    """
    infos = {name: info for name, info in model_class.model_fields.items() if not _is_fixed(info)}
    strategies = {name: fields[name] if name in fields else _of_field(info) for name, info in infos.items()}
    always = {name: strategies[name] for name, info in infos.items() if name in fields or info.is_required()}
    sometimes = {name: strategies[name] for name in infos if name not in always}
    known = st.fixed_dictionaries(always, optional=sometimes)
    unknown = st.just({}) if model_class.model_config["extra"] == "forbid" else _unknown_fields()

    # Composed, and not mapped, since the text form of mapped strategies holds all that is nested in them.
    @st.composite
    def build(draw: st.DrawFn) -> M:
        return model_class.model_validate({**draw(unknown), **draw(known)})

    return build()


def _unknown_fields() -> SearchStrategy[dict[str, JsonValue]]:
    """Make fields that no model knows, since no name of theirs holds a dash."""
    return st.dictionaries(text().map("x-{}".format), open_values(), max_size=1)


@cache
def _known_models(model_class: type[model.Model]) -> SearchStrategy[Any]:
    special = _SPECIAL.get(model_class.__name__)
    return special() if special else models(model_class)


def _is_fixed(info: FieldInfo) -> bool:
    return get_origin(info.annotation) is Literal or info.exclude is True


def _of_field(info: FieldInfo) -> SearchStrategy[Any]:
    return _of_type(info.annotation, tuple(info.metadata))


def _of_type(hint: Any, metadata: tuple[object, ...] = ()) -> SearchStrategy[Any]:  # noqa: ANN401 - any annotation
    origin, arguments = get_origin(hint), get_args(hint)
    if any(isinstance(mark, GetPydanticSchema) for mark in metadata):
        return open_values()
    if origin is Annotated:
        return _of_type(arguments[0], tuple(_marks(arguments[1:])))
    if origin in (Union, UnionType):
        return st.one_of(*map(_of_type, arguments))
    if origin in (tuple, list):
        items = st.lists(_of_type(arguments[0]), max_size=_MOST_ITEMS)
        return items.map(tuple) if origin is tuple else items
    if origin is dict:
        return st.dictionaries(*map(_of_type, arguments), max_size=_MOST_ITEMS)
    return _of_class(hint, metadata)


def _marks(metadata: tuple[object, ...]) -> list[object]:
    """Flatten pydantic's `Field(ge=..., le=...)` inside an annotation into its single marks."""
    return [mark for item in metadata for mark in (item.metadata if isinstance(item, FieldInfo) else (item,))]


def _of_class(kind: Any, metadata: tuple[object, ...]) -> SearchStrategy[Any]:  # noqa: ANN401 - any class
    if issubclass(kind, model.Model):
        return st.deferred(lambda: _known_models(kind))
    if issubclass(kind, StrEnum):
        return st.sampled_from(list(kind))
    if kind is int:
        (least,) = (cast("int", mark.ge) for mark in metadata if isinstance(mark, Ge))
        (most,) = (cast("int", mark.le) for mark in metadata if isinstance(mark, Le))
        return st.integers(least, most)
    return _SCALARS[kind](metadata)


def _strings(metadata: tuple[object, ...]) -> SearchStrategy[str]:
    is_timestamp = any(isinstance(mark, BeforeValidator) and mark.func is normalise_timestamp for mark in metadata)
    return _timestamps() if is_timestamp else text()


def _floats(metadata: tuple[object, ...]) -> SearchStrategy[float]:
    is_single = any(isinstance(mark, AfterValidator) for mark in metadata)
    return st.floats(allow_nan=False, allow_infinity=False, width=32) if is_single else _doubles()


_SCALARS: Mapping[type, Callable[[tuple[object, ...]], SearchStrategy[Any]]] = {
    bool: lambda _: st.booleans(),
    str: _strings,
    float: _floats,
    type(None): lambda _: st.none(),
}


def _doubles() -> SearchStrategy[float]:
    return st.floats(allow_nan=False, allow_infinity=False)


def _timestamps() -> SearchStrategy[str]:
    """Make moments to the nanosecond, in the years that protobuf can express."""
    moments = st.datetimes().map(lambda moment: moment.replace(microsecond=0).isoformat())
    return st.builds("{}.{:09}Z".format, moments, st.integers(0, 10**9 - 1)).map(normalise_timestamp)


def _containers(values: SearchStrategy[JsonValue]) -> SearchStrategy[JsonValue]:
    lists: SearchStrategy[JsonValue] = st.lists(values, max_size=3)
    return lists | st.dictionaries(text(), values, max_size=3)


def _variants(union: object) -> set[type[model.Model]]:
    """Return the classes of a union, however it is nested."""
    if isinstance(union, type):
        return {union}
    inner = get_args(union)[:1] if get_origin(union) is Annotated else get_args(union)
    return {kind for part in inner for kind in _variants(part)}


def _recorded_event(sequence: int, event: model.AgentEvent) -> model.RunEventRecord:
    return model.RunEventRecord(sequence=sequence, timestamp_ms=sequence, event=event)


def _artifacts() -> SearchStrategy[list[model.ToolArtifact]]:
    return st.lists(models(model.ToolArtifact), max_size=3, unique_by=lambda artifact: artifact.artifact_uri)


def _retained_uris() -> SearchStrategy[list[str]]:
    return st.lists(text().filter(bool), max_size=_MOST_ITEMS, unique=True)


def _digests() -> SearchStrategy[str]:
    return st.text("0123456789abcdef", min_size=64, max_size=64).map("sha256:{}".format)


def _unknown_events() -> SearchStrategy[model.UnknownEvent]:
    return models(model.UnknownEvent, type=text().map("x-{}".format))


def _capability_bindings() -> SearchStrategy[model.RunCapabilityBinding]:
    return models(
        model.RunCapabilityBinding,
        schema=st.just("a3s.code.run-capability-binding.v1"),
        catalog_digest=_digests(),
        capability_ceiling_digest=_digests(),
    )


def _steps() -> SearchStrategy[model.WorkflowStepRecord]:
    def build(task_id: str) -> SearchStrategy[model.WorkflowStepRecord]:
        same = st.just(task_id)
        return models(model.WorkflowStepRecord, task_id=same, outcome=models(model.StepOutcome, task_id=same))

    return text().flatmap(build)


def _receipts() -> SearchStrategy[model.ExecutionResultReceipt]:
    domain, schema = "a3s.code.workflow-step.identity.v1", "a3s.code.execution-identity.v1"
    identity = models(model.ExecutionIdentity, schema=st.just(schema), domain=st.just(domain), digest=_digests())
    common = {
        "schema": st.just("a3s.code.execution-result-receipt.v1"),
        "identity": identity,
        "evidence_digest": _digests(),
    }
    succeeded = st.just(model.ExecutionOutcome.SUCCEEDED)
    others = st.sampled_from([outcome for outcome in model.ExecutionOutcome if outcome != "succeeded"])
    good = {"outcome": succeeded, "result_digest": _digests(), "result_bytes": st.integers(1, 1 << 20)}
    bad = {"outcome": others, "result_digest": st.none(), "result_bytes": st.just(0)}
    return models(model.ExecutionResultReceipt, **common, **good) | models(
        model.ExecutionResultReceipt, **common, **bad
    )


_SPECIAL: Mapping[str, Callable[[], SearchStrategy[Any]]] = {
    "UnknownEvent": _unknown_events,
    "RunCapabilityBinding": _capability_bindings,
    "WorkflowStepRecord": _steps,
    "ExecutionResultReceipt": _receipts,
}
