"""What must not be read, and where the error says the fault is."""

import json

import pytest

from sessionstore.model import (
    AutoDelegationConfig,
    ContextUsage,
    ImmutableContentAdapterBinding,
    Message,
    RunEventRecord,
    SessionData,
    SessionSnapshot,
    Task,
    ToolPresentationProfile,
    ToolUseBlock,
    TraceEvent,
    validate_json_list,
)

DEPTH = 127


def session_with(document, **changes) -> str:
    return json.dumps(json.loads(document("session")) | changes)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"state": "active"}, "state"),
        ({"state": 1}, "state"),
        ({"id": 1}, "id"),
        ({"id": None}, "id"),
        ({"created_at": 1.0}, "created_at"),
        ({"created_at": "1"}, "created_at"),
        ({"created_at": True}, "created_at"),
        ({"created_at": 2**63}, "created_at"),
        ({"created_at": -(2**63) - 1}, "created_at"),
        ({"thinking_budget": -1}, "thinking_budget"),
        ({"thinking_budget": 2**64}, "thinking_budget"),
        ({"thinking_enabled": 1}, "thinking_enabled"),
        ({"thinking_enabled": "true"}, "thinking_enabled"),
        ({"total_cost": "1"}, "total_cost"),
        ({"total_cost": True}, "total_cost"),
        ({"total_cost": float("nan")}, "total_cost"),
        ({"total_cost": float("-inf")}, "total_cost"),
        ({"tool_names": [None]}, "tool_names.0"),
        ({"tool_names": {}}, "tool_names"),
        ({"tasks": None}, "tasks"),
        ({"tasks": [{"id": "1", "content": "c", "status": "done"}]}, "tasks.0.status"),
        ({"messages": [{"role": "user", "content": [{"type": "video"}]}]}, "messages.0.content.0"),
        ({"messages": [{"role": "user", "content": [{"text": "t"}]}]}, "messages.0.content.0"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": 1}]}]},
            "messages.0.content.0.text.text",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": None}]}]},
            "messages.0.content.0.tool_result.content.blocks",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [1]}]}]},
            "messages.0.content.0.tool_result.content.blocks.0",
        ),
    ],
)
def test_a_bad_value_is_refused_by_its_path(document, faults, changes, path):
    assert path in faults(SessionData.model_validate_json, session_with(document, **changes))


@pytest.mark.parametrize(
    ("lane_handlers", "path"),
    [
        ({"Nowhere": {"mode": "Internal", "timeout_ms": 1}}, "config.queue_config.laneHandlers.Nowhere.[key]"),
        ({"Query": {"mode": "internal", "timeout_ms": 1}}, "config.queue_config.laneHandlers.Query.mode"),
    ],
)
def test_keys_of_maps_are_checked(document, faults, lane_handlers, path):
    session = json.loads(document("session"))
    session["config"]["queue_config"]["laneHandlers"] = lane_handlers
    assert path in faults(SessionData.model_validate_json, json.dumps(session))


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\ufeff{}",
        '{"id": "s"',
        '{"id": "s"} trailing',
        '{"id": "s",}',
        '{"id": "a\nb"}',
        '{"id": "\\ud800"}',
        '{"id": "\\udc00\\ud800"}',
        '{"id": "\ud800"}',
        b'{"id": "\xff"}',
        b'{"id": "\xed\xa0\x80"}',
        '{"id": "s"}'.encode("utf-16"),
        "{'id': 's'}",
        "[]",
        "null",
    ],
)
@pytest.mark.parametrize("model", [SessionData, SessionSnapshot, Message, ContextUsage])
def test_text_that_is_no_json_object_is_refused(faults, model, text):
    assert faults(model.model_validate_json, text).keys() == {""}


def test_nul_and_white_space_are_fine():
    assert Message.model_validate_json(' \t\r\n{"role": "\\u0000", "content": []}\n').role == "\0"


def nested(levels: int) -> str:
    """Return a tool call whose deepest array is `levels` levels below the top."""
    inside = levels - 1
    return '{"type":"tool_use","id":"]]","name":"\\"{{","input":' + "[" * inside + "]" * inside + "}"


def test_nesting_is_limited(faults):
    assert ToolUseBlock.model_validate_json(nested(DEPTH)).model_dump_json() == nested(DEPTH)
    assert faults(ToolUseBlock.model_validate_json, nested(DEPTH + 1)) == {"": "nesting_too_deep"}
    assert faults(ToolUseBlock.model_validate_json, nested(100_000)) == {"": "nesting_too_deep"}
    assert faults(validate_json_list, TraceEvent, "[" * 1000) == {"": "nesting_too_deep"}


def test_brackets_in_strings_are_no_nesting():
    text = json.dumps({"role": "[{" * 500 + '"\\', "content": []})
    assert Message.model_validate_json(text).role.startswith("[{[{")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_open_values_hold_only_finite_numbers(faults, number):
    text = '{"type":"tool_use","id":"","name":"","input":{"a":[%s]}}'
    assert faults(ToolUseBlock.model_validate_json, text % number) == {"input": "open_value"}
    assert faults(Message.model_validate_json, f'{{"role":"","content":[],"new":{number}}}') == {"new": "open_value"}


def test_a_single_beyond_its_range_is_refused(faults):
    text = '{"used_tokens":0,"max_tokens":0,"turns":0,"percent":%s}'
    assert ContextUsage.model_validate_json(text % "3.4028235e38").percent == 3.4028235e38
    assert faults(ContextUsage.model_validate_json, text % "3.5e38") == {"percent": "f32_range"}


@pytest.mark.parametrize(
    ("model", "text", "path"),
    [
        (Message, '{"role":"a","role":"a","content":[]}', "role"),
        (Message, '{"role":"a","content":[{"type":"text","text":"","text":""}]}', "content.0.text"),
        (Message, '{"role":"a","content":[],"new":{"deep":[{"x":1,"\\u0078":2}]}}', "new.deep.0.x"),
        (Message, '{"role":"a","content":[],"new":{"x":1,"x":1},"new":0}', "new"),
        (ContextUsage, '{"turns":1,"turns":1}', "turns"),
    ],
)
def test_a_key_that_stands_twice_is_refused(faults, model, text, path):
    assert faults(model.model_validate_json, text) == {path: "repeated_key"}


def test_a_key_that_stands_twice_in_an_array_of_objects_is_refused(faults):
    assert faults(validate_json_list, TraceEvent, '[{"schema":"a"},{"name":"b","name":"c"}]') == {
        "1.name": "repeated_key"
    }


def test_in_sessions_and_snapshots_the_last_of_two_keys_counts(document, snapshot_text):
    twice = document("session").replace('"id": "s/1 é",', '"id": "first", "id": "last",', 1)
    assert SessionData.model_validate_json(twice).id == "last"
    twice = snapshot_text.replace('"schema_version": 1,', '"schema_version": 7, "schema_version": 1,', 1)
    assert SessionSnapshot.model_validate_json(twice).schema_version == 1


@pytest.mark.parametrize(
    ("model", "text", "path"),
    [
        (Task, '{"id":"1","status":"pending","content":"a","description":"a"}', "description"),
        (AutoDelegationConfig, '{"autoParallel":true,"auto_parallel":true}', "auto_parallel"),
        (
            AutoDelegationConfig,
            '{"allow_manual_delegation":true,"allowManualDelegation":true}',
            "allow_manual_delegation",
        ),
    ],
)
def test_two_names_of_one_field_are_refused(faults, model, text, path):
    assert faults(model.model_validate_json, text) == {path: "repeated_key"}


def test_tasks_and_todos_together_are_refused(document, faults):
    both = session_with(document, todos=[])
    assert faults(SessionData.model_validate_json, both) == {"todos": "repeated_key"}
    assert faults(lambda: SessionData(id="s", tasks=[], todos=[])) == {"todos": "repeated_key"}


@pytest.mark.parametrize(
    ("model", "text", "path"),
    [
        (ToolPresentationProfile, '{"schema":"s","mode":"code","new":1}', "new"),
        (
            ImmutableContentAdapterBinding,
            '{"schema":"s","authority_digest":"","maximum_bytes":1,"binding_digest":"","x":1}',
            "x",
        ),
    ],
)
def test_strict_objects_refuse_unknown_keys(faults, model, text, path):
    assert faults(model.model_validate_json, text) == {path: "extra_forbidden"}


@pytest.mark.parametrize(
    "path",
    [
        ("config", "tool_presentation_profile"),
        ("config", "tool_result_transform_policy"),
        ("cognitive_package_binding",),
        ("cognitive_package_binding", "knowledge"),
        ("cognitive_package_binding", "limits"),
        ("immutable_content_adapter_binding",),
    ],
)
def test_strict_objects_of_a_session_refuse_unknown_keys(document, faults, path):
    session = json.loads(document("session"))
    target = session
    for key in path:
        target = target[key]
    target["new"] = 1
    assert faults(SessionData.model_validate_json, json.dumps(session)) == {".".join((*path, "new")): "extra_forbidden"}


def test_evidence_in_events_is_strict(document, faults):
    strict = 0
    for record in json.loads(document("runs"))[0]["events"]:
        snapshot = record["event"].get("snapshot")
        if snapshot:
            strict += 1
            snapshot["new"] = 1
            path = f"event.known.{record['event']['type']}.snapshot.new"
            assert faults(RunEventRecord.model_validate_json, json.dumps(record)) == {path: "extra_forbidden"}
    assert strict == 5


@pytest.mark.parametrize("event", [{}, {"type": 1}, {"type": None}, [], "turn_start"])
def test_an_event_needs_a_type(faults, event):
    text = json.dumps({"sequence": 0, "timestamp_ms": 0, "event": event})
    assert faults(RunEventRecord.model_validate_json, text) == {"event": "event_type_missing"}


def test_a_malformed_event_of_a_known_type_is_not_taken_as_unknown(faults):
    text = '{"sequence":0,"timestamp_ms":0,"event":{"type":"turn_start","turn":"1"}}'
    assert faults(RunEventRecord.model_validate_json, text) == {"event.known.turn_start.turn": "int_type"}


def test_errors_do_not_show_content(document):
    with pytest.raises(ValueError, match="state") as caught:
        SessionData.model_validate_json(session_with(document, state="secret-word", total_cost="secret-word"))
    assert "secret-word" not in str(caught.value)
    session = SessionData(id="s")
    session.messages.append({"role": "secret-word"})
    with pytest.raises(ValueError, match="add models") as caught:
        session.model_dump_json()
    assert "secret-word" not in str(caught.value)
