"""What a missing key turns into, against what a new object holds."""

import json

import pytest

from sessionstore.model import (
    AutoDelegationConfig,
    ConfirmationPolicy,
    ContentStamp,
    ContextUsage,
    LaneHandlerConfig,
    LlmCostRecord,
    LoopCheckpoint,
    LoopConvergenceState,
    Message,
    PermissionPolicy,
    RetryPolicyConfig,
    RunRecord,
    SecurityConfig,
    SessionConfig,
    SessionData,
    SessionQueueConfig,
    SessionSnapshot,
    Task,
    TokenUsage,
    ToolPresentationProfile,
    ToolResultBlock,
    ToolResultTransformPolicy,
    TraceEvent,
    VerificationReport,
    WorkflowCheckpoint,
)

USAGE = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
CONTEXT = {"used_tokens": 0, "max_tokens": 1, "percent": 0.0, "turns": 0}
CONFIG = {"name": "", "workspace": "", "max_context_length": 0, "auto_compact": False}
POLICY = json.loads(ToolResultTransformPolicy().model_dump_json())
TRACE = {
    "schema": "s",
    "kind": "tool_execution",
    "name": "n",
    "success": True,
    "exit_code": 0,
    "duration_ms": 0,
    "output_bytes": 0,
}
SESSION = {
    "id": "s",
    "config": CONFIG,
    "state": "Active",
    "messages": [],
    "context_usage": CONTEXT,
    "total_usage": USAGE,
    "tool_names": [],
    "thinking_enabled": False,
    "created_at": 1,
    "updated_at": 2,
}
COST = {
    "model": "m",
    "provider": "p",
    "prompt_tokens": 1,
    "completion_tokens": 1,
    "total_tokens": 2,
    "timestamp": "2026-01-31T08:15:00Z",
}
LOOP = {
    "run_id": "r",
    "session_id": "s",
    "turn": 0,
    "messages": [],
    "total_usage": USAGE,
    "tool_calls_count": 0,
    "checkpoint_ms": 0,
}

REQUIRED = {
    SessionData: SESSION,
    SessionConfig: CONFIG,
    ContextUsage: CONTEXT,
    TokenUsage: USAGE,
    LlmCostRecord: COST,
    Message: {"role": "user", "content": []},
    Task: {"id": "1", "content": "c", "status": "pending"},
    LaneHandlerConfig: {"mode": "Internal", "timeout_ms": 1},
    ConfirmationPolicy: {"enabled": True, "default_timeout_ms": 1, "timeout_action": "Reject", "yolo_lanes": []},
    SecurityConfig: json.loads(SecurityConfig().model_dump_json()),
    ToolPresentationProfile: {"schema": "s", "mode": "code"},
    ToolResultTransformPolicy: POLICY,
    TraceEvent: TRACE,
    VerificationReport: {"schema": "s", "subject": "x", "status": "passed", "checks": []},
    LoopCheckpoint: LOOP,
    WorkflowCheckpoint: {"workflow_id": "w", "steps": [], "checkpoint_ms": 0},
    SessionSnapshot: {"schema_version": 1, "session": SESSION},
}
"""For each class, the smallest object that JSON may hold."""


@pytest.mark.parametrize("model", REQUIRED)
def test_the_smallest_object_is_read(model):
    read = model.model_validate_json(json.dumps(REQUIRED[model]))
    assert model.model_validate_json(read.model_dump_json()) == read


@pytest.mark.parametrize(("model", "key"), [(model, key) for model, values in REQUIRED.items() for key in values])
def test_each_required_key_is_missed_by_name(faults, model, key):
    values = {name: value for name, value in REQUIRED[model].items() if name != key}
    assert faults(model.model_validate_json, json.dumps(values)) == {key: "missing"}


@pytest.mark.parametrize(("model", "key"), [(model, key) for model, values in REQUIRED.items() for key in values])
def test_no_required_key_may_be_null(faults, model, key):
    found = faults(model.model_validate_json, json.dumps(REQUIRED[model] | {key: None}))
    assert {path.split(".")[0] for path in found} == {key}


def test_all_missing_keys_are_reported_at_once(faults):
    assert faults(SessionData.model_validate_json, '{"id": "s"}').keys() == SESSION.keys() - {"id"}


OPTIONAL_EVENT_KEYS = {
    "confirmation_received": {"reason"},
    "user_question": {"allow_free_text"},
    "memories_searched": {"query"},
    "subagent_start": {"started_ms"},
    "subagent_end": {"finished_ms"},
    "run_control_applied": {"turn_id"},
}


def test_each_event_needs_its_keys(document, faults):
    for record in json.loads(document("runs"))[1]["events"]:
        event = record["event"]
        optional = OPTIONAL_EVENT_KEYS.get(event["type"], set())
        for key in event.keys() - optional - {"type"}:
            short = record | {"event": {name: value for name, value in event.items() if name != key}}
            found = faults(RunRecord.model_validate_json, json.dumps({"snapshot": {}, "events": [short]}))
            assert found[f"events.0.event.known.{event['type']}.{key}"] == "missing"


def test_missing_event_keys_have_defaults(document):
    runs = json.loads(document("runs"))[1:2]
    whole = json.dumps(runs[0])
    for record in runs[0]["events"]:
        for key in OPTIONAL_EVENT_KEYS.get(record["event"]["type"], ()):
            del record["event"][key]
    assert json.dumps(runs[0]) != whole
    assert RunRecord.model_validate_json(json.dumps(runs[0])) == RunRecord.model_validate_json(whole)


def test_a_missing_key_of_the_queue_is_not_what_a_new_queue_has():
    concurrency = {"control_max_concurrency", "query_max_concurrency"}
    concurrency |= {"execute_max_concurrency", "generate_max_concurrency"}
    assert list(SessionQueueConfig().model_dump(include=concurrency).values()) == [2, 4, 2, 1]
    assert list(SessionQueueConfig.model_validate_json("{}").model_dump(include=concurrency).values()) == [4, 12, 4, 2]


def test_keys_that_are_there_win_over_both_defaults():
    queue = SessionQueueConfig.model_validate_json('{"controlMaxConcurrency": 9}')
    assert (queue.control_max_concurrency, queue.query_max_concurrency) == (9, 12)


def test_defaults_of_missing_keys_reach_nested_objects():
    config = SessionConfig.model_validate_json(json.dumps(CONFIG | {"queue_config": {}}))
    assert config.queue_config is not None
    assert config.queue_config.query_max_concurrency == 12


def test_a_new_context_usage_has_a_limit_that_json_must_give(faults):
    assert ContextUsage().max_tokens == 200_000
    text = '{"used_tokens": 0, "percent": 0.0, "turns": 0}'
    assert faults(ContextUsage.model_validate_json, text) == {"max_tokens": "missing"}


def test_a_checkpoint_without_version_is_of_version_0():
    assert LoopCheckpoint.model_validate_json(json.dumps(LOOP)).schema_version == 0
    assert LoopCheckpoint.model_validate_json(json.dumps(LOOP)).convergence == LoopConvergenceState()
    workflow = WorkflowCheckpoint(workflow_id="w", steps=(), checkpoint_ms=0)
    assert workflow.schema_version == 1
    assert WorkflowCheckpoint.model_validate_json(json.dumps(REQUIRED[WorkflowCheckpoint])).schema_version == 0


@pytest.mark.parametrize(
    ("model", "text", "written"),
    [
        (
            AutoDelegationConfig,
            "{}",
            '{"enabled":false,"autoParallel":true,"allowManualDelegation":true,"minConfidence":0.72,"maxTasks":4}',
        ),
        (PermissionPolicy, "{}", '{"deny":[],"allow":[],"ask":[],"default_decision":"ask","enabled":true}'),
        (
            RetryPolicyConfig,
            '{"strategy":"none"}',
            '{"strategy":"none","maxRetries":3,"initialDelayMs":100,"fixedDelayMs":null}',
        ),
        (
            Task,
            '{"id":"1","content":"c","status":"failed","priority":"medium","dependencies":[]}',
            '{"id":"1","content":"c","status":"failed","priority":"medium"}',
        ),
        (
            ToolResultBlock,
            '{"type":"tool_result","tool_use_id":"t","content":"c","trust":"workspace_data","redaction_reviewed":false}',
            '{"type":"tool_result","tool_use_id":"t","content":"c","is_error":null}',
        ),
        (
            Message,
            '{"role":"user","content":[],"transcript_visibility":"product","reasoning_content":null}',
            '{"role":"user","content":[]}',
        ),
        (
            ContentStamp,
            '{"path":"p","present":true,"len":0,"modified":0}',
            '{"path":"p","present":true,"len":0,"modified":0,"mode":0,"kind":0}',
        ),
        (
            LoopConvergenceState,
            '{"mutations":{"records":[]},"open_observations":[],"verifier_spent":false}',
            (
                '{"parse_error_count":0,"continuation_count":0,"reasoning_only_repair_count":0,'
                '"recent_tool_signatures":[],"guarded_duplicate_count":0,"incomplete_response_stalled":false}'
            ),
        ),
        (
            TokenUsage,
            json.dumps(USAGE),
            '{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0,"cache_read_tokens":null,"cache_write_tokens":null}',
        ),
    ],
)
def test_what_is_written_for_missing_keys_and_defaults(model, text, written):
    assert model.model_validate_json(text).model_dump_json() == written


def test_a_new_session_needs_only_an_id():
    session = SessionData(id="s")
    assert SessionData.model_validate_json(session.model_dump_json()) == session
    assert session.created_at > 1_700_000_000
    assert session.config.auto_compact_threshold == 0.8


def test_new_sessions_share_nothing():
    first, second = SessionData(id="1"), SessionData(id="2")
    first.messages.append(Message.user("hello"))
    first.config.name = "first"
    assert second.messages == []
    assert second.config.name == ""


def test_old_spellings_are_read():
    session = SessionData.model_validate_json(
        json.dumps(SESSION | {"todos": [{"id": "1", "description": "look", "status": "pending"}]})
    )
    assert session.tasks == [Task(id="1", content="look")]
    delegation = AutoDelegationConfig.model_validate_json('{"auto_parallel": false, "allow_manual_delegation": false}')
    assert not delegation.auto_parallel
    assert not delegation.allow_manual_delegation


def test_a_permission_rule_may_be_bare_text():
    policy = PermissionPolicy.model_validate_json('{"deny": ["bash(rm *)", {"rule": "read"}]}')
    assert [rule.rule for rule in policy.deny] == ["bash(rm *)", "read"]
    assert '"deny":[{"rule":"bash(rm *)"},{"rule":"read"}]' in policy.model_dump_json()
