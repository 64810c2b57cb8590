"""What a newer writer added is kept, wherever it stands."""

import json

import pytest

from sessionstore.model import (
    LoopCheckpoint,
    Message,
    RunEventRecord,
    SessionData,
    SessionSnapshot,
    TurnStartEvent,
    UnknownEvent,
    WorkflowCheckpoint,
)

OPEN_KEYS = {"input", "args", "metadata", "payload", "details", "structured", "classification_rules"}
NEW = {"z_new": {"list": [1, {"deep": None}], "big": 2**64 + 1, "text": "é"}, "a_new": None}


def add_unknown(value):
    """Add unknown keys to each object that neither is strict nor a map nor an open value; return how many."""
    if isinstance(value, list):
        return sum(add_unknown(element) for element in value)
    if not isinstance(value, dict):
        return 0
    added = sum(add_unknown(child) for key, child in value.items() if key not in OPEN_KEYS)
    if _is_strict(value):
        return added
    value.update(NEW)
    return added + 1


def _is_strict(value):
    lanes = {"Control", "Query", "Execute", "Generate"}
    mark = value.get("schema", "")
    strict_schema = mark.startswith(("a3s.code.", "agentic.")) and not mark.startswith("a3s.code.external-observation")
    nested = {"generation", "maxDocumentBytes", "codeIntelligence", "maxToolRounds", "coverageBps", "uniqueCount"}
    return strict_schema or bool(value.keys() & (lanes | nested))


@pytest.mark.parametrize(
    ("name", "model"),
    [("session", SessionData), ("loop_checkpoint", LoopCheckpoint), ("workflow_checkpoint", WorkflowCheckpoint)],
)
def test_unknown_keys_are_kept_at_any_depth(document, name, model):
    tree = json.loads(document(name))
    assert add_unknown(tree) > 5
    assert model.model_validate_json(json.dumps(tree)).model_dump_json() == _compact(tree)


def test_unknown_keys_are_kept_in_a_snapshot_with_all_events(snapshot_text):
    tree = json.loads(snapshot_text)
    assert add_unknown(tree) > 150
    assert SessionSnapshot.model_validate_json(json.dumps(tree)).model_dump_json() == _compact(tree)


def _compact(tree):
    return json.dumps(tree, separators=(",", ":"), ensure_ascii=False)


def test_unknown_keys_follow_the_known_ones_in_their_own_order():
    message = Message.model_validate_json('{"z":1,"content":[],"a":2,"role":"user"}')
    assert message.model_dump_json() == '{"role":"user","content":[],"z":1,"a":2}'


def test_unknown_keys_count_in_comparisons():
    text = '{"role":"user","content":[],"new":%d}'
    assert Message.model_validate_json(text % 1) == Message.model_validate_json(text % 1)
    assert Message.model_validate_json(text % 1) != Message.model_validate_json(text % 2)


def test_an_unknown_event_is_kept_with_its_tag_first():
    text = '{"sequence":0,"timestamp_ms":1,"event":{"z":[1],"type":"brand_new","a":{"y":1,"b":2}}}'
    record = RunEventRecord.model_validate_json(text)
    assert isinstance(record.event, UnknownEvent)
    expected = '{"sequence":0,"timestamp_ms":1,"event":{"type":"brand_new","z":[1],"a":{"y":1,"b":2}}}'
    assert record.model_dump_json() == expected
    assert RunEventRecord.model_validate_json(expected) == record


def test_the_tag_may_stand_anywhere():
    text = '{"sequence":0,"timestamp_ms":1,"event":{"turn":3,"type":"turn_start"}}'
    assert RunEventRecord.model_validate_json(text).event == TurnStartEvent(turn=3)
    message = Message.model_validate_json('{"role":"user","content":[{"text":"t","type":"text"}]}')
    assert message == Message.user("t")


def test_a_known_type_has_its_own_class(faults):
    assert faults(lambda: UnknownEvent(type="turn_start", turn=1)) == {"type": "value_error"}
