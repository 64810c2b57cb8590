"""What a message cannot say, or says wrongly, is an InvalidArgumentError that names the place; a plan that misses a
field is never made.
"""

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from sessionstore import InvalidArgumentError, SessionData, Task, model
from sessionstore.model import FrozenModel
from sessionstore.model.scalar import Str
from sessionstore.testing import samples
from sessionstore.v1 import checkpoint_pb2, event_context_pb2, message_pb2, run_pb2, session_pb2, task_pb2, trace_pb2
from sessionstore.wire import records
from sessionstore.wire.codec import Codec

NOT_JSON = ["", "{", "NaN", "[1] 2", '"\\ud800"', "[" * 1000]


def message_with(block: message_pb2.ContentBlock) -> message_pb2.Message:
    return message_pb2.Message(role="user", content=[message_pb2.ContentBlock(text={"text": "first"}), block])


def refused_field(codec: Codec, message: object) -> str:
    with pytest.raises(InvalidArgumentError) as caught:
        codec.from_proto(message)
    return caught.value.field


@pytest.mark.parametrize("text", NOT_JSON)
def test_text_of_an_open_value_must_be_json(text: str) -> None:
    block = message_pb2.ContentBlock(tool_use={"id": "1", "name": "bash", "input_json": text})
    assert refused_field(records.MESSAGE, message_with(block)) == "content[1].tool_use.input"


@pytest.mark.parametrize("text", [*NOT_JSON, "[]", "1", "null"])
def test_text_of_unknown_fields_must_be_an_object(text: str) -> None:
    block = message_pb2.ContentBlock(text={"text": "second", "unknown_fields_json": text})
    assert refused_field(records.MESSAGE, message_with(block)) == "content[1].text.unknown_fields_json"


@pytest.mark.parametrize("text", [*NOT_JSON, "[]", "1", "null", "{}", '{"type":1}'])
def test_text_of_an_unknown_event_must_be_an_object_with_a_type(text: str) -> None:
    event = run_pb2.RunEventRecord(sequence=1, event={"unknown_json": text})
    assert refused_field(records.RUN_EVENT, event).startswith("event")


@pytest.mark.parametrize("text", [*NOT_JSON, "null", '{"later":1}'])
def test_text_of_evidence_must_be_its_snapshot(text: str) -> None:
    bound = event_context_pb2.ModelInputBoundEvent(snapshot_json=text)
    event = run_pb2.RunEventRecord(event={"model_input_bound": bound})
    assert ".snapshot" in refused_field(records.RUN_EVENT, event)


@pytest.mark.parametrize("digits", ["", "x", "1.0", "-1", str(2**128)])
def test_a_large_number_must_be_digits(digits: str) -> None:
    stamp = checkpoint_pb2.ContentStamp(modified=digits)
    assert refused_field(Codec(*matching("ContentStamp", checkpoint_pb2)), stamp) == "modified"


def test_a_moment_must_be_within_the_calendar() -> None:
    record = session_pb2.LlmCostRecord(timestamp=Timestamp(seconds=2**62))
    assert refused_field(Codec(*matching("LlmCostRecord", session_pb2)), record) == "timestamp"


def test_an_unset_oneof_is_named() -> None:
    assert refused_field(records.MESSAGE, message_with(message_pb2.ContentBlock())) == "content[1]"
    assert refused_field(records.RUN_EVENT, run_pb2.RunEventRecord(event={})) == "event"
    block = message_pb2.ContentBlock(tool_result={"tool_use_id": "1"})
    assert refused_field(records.MESSAGE, message_with(block)) == "content[1].tool_result.content"


def test_an_unset_message_is_named() -> None:
    assert refused_field(records.RUN_EVENT, run_pb2.RunEventRecord(sequence=1)) == "event"
    block = message_pb2.ContentBlock(image={})
    assert refused_field(records.MESSAGE, message_with(block)) == "content[1].image.source"


def test_an_unset_enum_without_default_is_named() -> None:
    assert refused_field(records.TRACE_EVENT, trace_pb2.TraceEvent(name="bash")) == "kind"
    assert refused_field(records.RUN_RECORD, run_pb2.RunRecord(snapshot={"id": "run-1"})) == "snapshot.status"


def test_an_enum_value_of_a_newer_program_is_named() -> None:
    trace = trace_pb2.TraceEvent(kind=99, name="bash")  # type: ignore[arg-type]
    assert refused_field(records.TRACE_EVENT, trace) == "kind"


def test_a_value_that_was_slipped_into_a_list_is_named() -> None:
    session = samples.session()
    session.tasks.append({"id": 1})  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match=r"^tasks\[2\]"):
        records.session_to_proto(session)


def test_unset_is_the_default_of_a_new_object() -> None:
    message = session_pb2.SessionData(id="plain", state=session_pb2.SESSION_STATE_UNKNOWN)
    assert records.session_from_proto(message, []) == SessionData(id="plain", created_at=0, updated_at=0)


def test_a_field_that_an_older_program_did_not_know_is_taken_by_name() -> None:
    task = task_pb2.Task(id="1", status=task_pb2.TASK_STATUS_PENDING, unknown_fields_json='{"tool":"bash","x":[2]}')
    made = Codec(Task, task_pb2.Task).from_proto(task)
    assert (made.tool, made.__pydantic_extra__) == ("bash", {"x": [2]})


def test_a_model_field_without_partner_is_refused() -> None:
    class Urgency(Task):
        urgency: Str = "low"

    with pytest.raises(TypeError, match=r"sessionstore\.v1\.Task has no field for urgency"):
        Codec(Urgency, task_pb2.Task).from_proto(task_pb2.Task())


def test_a_proto_field_without_partner_is_refused() -> None:
    class Name(FrozenModel):
        id: Str

    with pytest.raises(TypeError, match=r"Name has no field for \['content', 'dependencies'"):
        Codec(Name, task_pb2.Task).to_proto(Name(id="1"))


def matching(name: str, module: object) -> tuple[type, type]:
    """Return the model class and the message class of one name."""
    return getattr(model, name), getattr(module, name)
