"""A document that the reference wrote comes back byte for byte."""

import json

import pytest

from sessionstore.model import (
    ArtifactManifest,
    LlmConfigData,
    LoopCheckpoint,
    RunRecord,
    SessionData,
    SessionSnapshot,
    SubagentTaskSnapshot,
    TraceEvent,
    VerificationReport,
    WorkflowCheckpoint,
    dump_json_list,
    validate_json_list,
)

OBJECTS = {
    "session": SessionData,
    "artifacts": ArtifactManifest,
    "loop_checkpoint": LoopCheckpoint,
    "workflow_checkpoint": WorkflowCheckpoint,
}
ARRAYS = {
    "runs": RunRecord,
    "traces": TraceEvent,
    "verification": VerificationReport,
    "subagent_tasks": SubagentTaskSnapshot,
}


@pytest.mark.parametrize("name", OBJECTS)
@pytest.mark.parametrize("encode", [str, str.encode])
def test_an_object_comes_back(document, name, encode):
    text = document(name)
    assert OBJECTS[name].model_validate_json(encode(text)).model_dump_json(indent=2) == text


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_comes_back(document, name):
    text = document(name)
    assert dump_json_list(validate_json_list(ARRAYS[name], text)) == text


def test_a_snapshot_comes_back(snapshot_text):
    assert SessionSnapshot.model_validate_json(snapshot_text).model_dump_json(indent=2) == snapshot_text


@pytest.mark.parametrize("name", OBJECTS)
def test_without_indent_there_are_no_spaces(document, name):
    compact = json.dumps(json.loads(document(name)), separators=(",", ":"), ensure_ascii=False)
    assert OBJECTS[name].model_validate_json(document(name)).model_dump_json() == compact


def test_an_empty_list_is_two_brackets():
    assert validate_json_list(TraceEvent, " [ ]\n") == []
    assert dump_json_list([]) == "[]"
    assert dump_json_list([], indent=None) == "[]"


def test_a_list_without_indent_has_no_spaces(document):
    traces = validate_json_list(TraceEvent, document("traces"))
    assert dump_json_list(traces, indent=None) == json.dumps(json.loads(document("traces")), separators=(",", ":"))


def test_all_event_types_are_in_the_document(document):
    runs = validate_json_list(RunRecord, document("runs"))
    assert len({event.event.type for event in runs[0].events}) == 52
    assert {type(event.event).__name__ for event in runs[0].events} == {
        "".join(part.capitalize() for part in event.event.type.split("_")) + "Event" for event in runs[0].events
    }


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("1", "1.0"),
        ("-0.0", "-0.0"),
        ("0.1", "0.1"),
        ("123456789012345.5", "123456789012345.5"),
        ("1E-7", "1e-7"),
    ],
)
def test_floats_are_written_in_their_shortest_form(document, text, written):
    session = document("session").replace('"total_cost": 0.1', f'"total_cost": {text}')
    assert f'"total_cost":{written},' in SessionData.model_validate_json(session).model_dump_json()


def test_the_api_key_is_read_and_never_written():
    text = '{"provider": "p", "model": "m", "api_key": "sk-secret", "base_url": null}'
    session = SessionData(id="s")
    session.llm_config = LlmConfigData.model_validate_json(text)
    assert session.llm_config.api_key == "sk-secret"
    for shown in (session.model_dump_json(), repr(session), str(session.llm_config), str(session.model_dump())):
        assert "sk-secret" not in shown
        assert "api_key" not in shown
