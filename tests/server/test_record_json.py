"""Every record comes back from its JSON byte for byte, and the JSON is all there is of it as long as it says it all."""

import base64
import json
from collections.abc import Iterator

import pytest
from google.protobuf.message import DecodeError, Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.client.wire.test_codec_completeness import filled_messages
from tests.client.wire.test_soundness import spoiled
from tests.contract.test_recorded import RECORDINGS, SAMPLES

from sessionstore import InvalidArgumentError
from sessionstore.model import SessionSnapshot, SessionSummary
from sessionstore.testing import load_recorded, strategies
from sessionstore.v1 import message_pb2, session_pb2
from sessionstore.wire import records
from sessionstore.wire.codec import Codec
from sessionstore_server.record_json import RecordJson
from sessionstore_server.services import keys

OF_LATER = b"\xba\x3e\x05later"
"""Field 999, which no message has."""

KINDS = {
    (keys.SESSIONS, keys.SESSION): records.SESSION,
    (keys.SESSIONS, keys.MESSAGES): records.MESSAGE,
    (keys.SESSIONS, keys.TRACES): records.TRACE_EVENT,
    (keys.SESSIONS, keys.VERIFICATION): records.VERIFICATION_REPORT,
    (keys.SESSIONS, keys.SUBAGENT_TASKS): records.SUBAGENT_TASK,
    (keys.SESSIONS, keys.SUMMARY): records.SESSION_SUMMARY,
    (keys.SESSIONS, keys.run_record("run")): records.RUN_RECORD,
    (keys.SESSIONS, keys.run_events("run")): records.RUN_EVENT,
    (keys.LOOP_CHECKPOINTS, keys.CHECKPOINT): records.LOOP_CHECKPOINT,
    (keys.WORKFLOW_CHECKPOINTS, keys.CHECKPOINT): records.WORKFLOW_CHECKPOINT,
}
MODELS = {place: codec for place, codec in KINDS.items() if place[1] != keys.SUMMARY}
"""The records of which the text is that of their model."""
JSON = RecordJson()


@pytest.mark.parametrize("place", KINDS, ids="-".join)
@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_a_model_can_hold_comes_back_from_json_alone(place, data):
    codec = KINDS[place]
    record = codec.to_proto(data.draw(strategies.models(codec.model_class))).SerializeToString()
    text = JSON.to_json(*place, record)
    assert JSON.from_json(*place, text) == record
    assert "@protobuf" not in json.loads(text)


@pytest.mark.parametrize("place", MODELS, ids="-".join)
@given(data=st.data(), later=st.sampled_from([b"", OF_LATER]))
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_text_is_what_the_model_writes(place, data, later):
    codec = KINDS[place]
    record = codec.to_proto(data.draw(strategies.models(codec.model_class))).SerializeToString() + later
    assert JSON.to_json(*place, record) == text_of_model(codec, record)


@pytest.mark.parametrize("place", MODELS, ids="-".join)
def test_the_text_of_odd_records_is_what_the_model_writes(place):
    message = next(filled_messages(KINDS[place].message_class.DESCRIPTOR))
    for _ in spoiled(message):
        record = message.SerializeToString()
        assert JSON.to_json(*place, record) == text_of_model(KINDS[place], record)


@pytest.mark.parametrize("path", [*SAMPLES, *RECORDINGS], ids=lambda path: path.name)
def test_the_text_of_recorded_sessions_is_what_the_model_writes(path):
    for place, message in (each for snapshot in load_recorded(path) for each in messages_of(snapshot)):
        record = message.SerializeToString()
        assert JSON.to_json(*place, record) == text_of_model(KINDS[place], record)
        assert KINDS[place].json_of(message)


@pytest.mark.parametrize("place", KINDS, ids="-".join)
@given(data=st.data())
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_this_program_does_not_know_comes_back(place, data):
    codec = KINDS[place]
    record = codec.to_proto(data.draw(strategies.models(codec.model_class))).SerializeToString() + OF_LATER
    assert JSON.from_json(*place, JSON.to_json(*place, record)) == record


@pytest.mark.parametrize("record", [b"", b"no record at all", OF_LATER])
@pytest.mark.parametrize("place", [*KINDS, (keys.SESSIONS, "of a newer program")], ids="-".join)
def test_bytes_that_are_no_record_come_back(place, record):
    assert JSON.from_json(*place, JSON.to_json(*place, record)) == record


@pytest.mark.parametrize("text", ["1.0", "1e0", '{"b": 1,  "a": 2}', '"\\u0041"'])
def test_another_spelling_of_an_open_value_comes_back(text):
    call = message_pb2.ToolUseBlock(id="1", name="n", input_json=text)
    message = message_pb2.Message(role="assistant", content=[message_pb2.ContentBlock(tool_use=call)])
    record = message.SerializeToString()
    assert JSON.from_json(keys.SESSIONS, keys.MESSAGES, JSON.to_json(keys.SESSIONS, keys.MESSAGES, record)) == record


def test_an_unknown_field_may_have_the_name_of_the_kept_bytes():
    session = session_pb2.SessionData(id="s", unknown_fields_json='{"@protobuf":"AAAA"}')
    record = session.SerializeToString()
    assert JSON.from_json(keys.SESSIONS, keys.SESSION, JSON.to_json(keys.SESSIONS, keys.SESSION, record)) == record


def test_a_summary_is_written_as_it_is_listed():
    summary = SessionSummary(
        id="s",
        revision=0,
        name="",
        state="Active",
        message_count=2,
        total_tokens=0,
        total_cost=0,
        created_at=0,
        updated_at=0,
    )
    record = records.SESSION_SUMMARY.to_proto(summary).SerializeToString()
    assert json.loads(JSON.to_json(keys.SESSIONS, keys.SUMMARY, record))["message_count"] == "2"


def text_of_model(codec: Codec, record: bytes) -> bytes:
    """Return the text by making the model, and the message of the model once more."""
    try:
        value = codec.from_proto(codec.message_class.FromString(record))
    except (DecodeError, InvalidArgumentError):
        return with_bytes(b"{}", record)
    comes_back = codec.to_proto(value).SerializeToString() == record
    return codec.to_json(value) if comes_back else with_bytes(codec.to_json(value), record)


def with_bytes(text: bytes, record: bytes) -> bytes:
    members = {**json.loads(text), "@protobuf": base64.b64encode(record).decode()}
    return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()


def messages_of(snapshot: SessionSnapshot) -> Iterator[tuple[tuple[str, str], Message]]:
    session, messages = records.session_to_proto(snapshot.session)
    yield (keys.SESSIONS, keys.SESSION), session
    for message in messages:
        yield (keys.SESSIONS, keys.MESSAGES), message
    for event in snapshot.trace_events:
        yield (keys.SESSIONS, keys.TRACES), records.TRACE_EVENT.to_proto(event)
    for run in snapshot.run_records:
        yield (keys.SESSIONS, keys.run_record("run")), records.RUN_RECORD.to_proto(run)
        for each in run.events:
            yield (keys.SESSIONS, keys.run_events("run")), records.RUN_EVENT.to_proto(each)
