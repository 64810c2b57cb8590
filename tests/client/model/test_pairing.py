"""Pairing: each tool result follows a call of its id that has no other result."""

import os
from pathlib import Path

import pytest

from sessionstore import InvalidArgumentError, Message, RunEventRecord, TextDeltaEvent, ToolResultBlock, ToolUseBlock
from sessionstore.model.pairing import check_pairing, check_rising_sequences
from sessionstore.testing import load_recorded

REPOSITORY = Path(__file__).parents[3]
FOLDER = Path(os.environ.get("SESSIONSTORE_SESSIONS", REPOSITORY.parent / "shared" / "data" / "sessions"))
RECORDINGS = [path for path in sorted(FOLDER.glob("*.jsonl*")) if path.name != "STATS.jsonl"]
SAMPLES = [REPOSITORY / "tests" / "samples" / "recorded.jsonl"]


def conversation(*turns: str) -> list[Message]:
    """Return messages of which each has calls (`+id`) and results (`-id`)."""
    return [Message(role="user", content=tuple(map(block, turn.split()))) for turn in turns]


def block(text: str) -> ToolUseBlock | ToolResultBlock:
    if text[0] == "+":
        return ToolUseBlock(id=text[1:], name="tool", input={})
    return ToolResultBlock(tool_use_id=text[1:], content="done")


@pytest.mark.parametrize(
    "turns",
    [
        (),
        ("+a", "-a"),
        ("+a +b", "-b -a"),
        ("+a", "+b", "-a"),
        ("+a -a",),
        ("+a", "-a", "+a", "-a"),
        ("+a +a", "-a -a"),
        ("+ -",),
    ],
)
def test_results_with_calls_are_taken(turns):
    check_pairing(conversation(*turns))


@pytest.mark.parametrize(
    ("turns", "path"),
    [
        (("-a",), "messages[0].content[0].tool_use_id"),
        (("+b", "-b -a"), "messages[1].content[1].tool_use_id"),
        (("-a", "+a"), "messages[0].content[0].tool_use_id"),
        (("-a +a",), "messages[0].content[0].tool_use_id"),
        (("+a", "-a", "-a"), "messages[2].content[0].tool_use_id"),
        (("+a", "-a -a"), "messages[1].content[1].tool_use_id"),
        (("+a", "-a", "+a", "-a", "-a"), "messages[4].content[0].tool_use_id"),
    ],
)
def test_result_without_an_open_call_is_named(turns, path):
    with pytest.raises(InvalidArgumentError) as caught:
        check_pairing(conversation(*turns))
    assert caught.value.field == path


@pytest.mark.parametrize("file", RECORDINGS or SAMPLES, ids=lambda path: path.name)
def test_recorded_sessions_pair(file):
    for snapshot in load_recorded(file):
        check_pairing(snapshot.session.messages)
        for run in snapshot.run_records:
            check_rising_sequences(run.events, "events")


def test_recorded_session_with_a_result_too_many_is_named():
    snapshot = next(each for each in load_recorded((RECORDINGS or SAMPLES)[0]) if results(each.session.messages))
    messages = snapshot.session.messages
    doubled = results(messages)[-1]
    with pytest.raises(InvalidArgumentError) as caught:
        check_pairing([*messages, messages[doubled]])
    assert caught.value.field.startswith(f"messages[{len(messages)}].")


def results(messages):
    """Return the positions of the messages that hold a tool result."""
    return [
        position
        for position, message in enumerate(messages)
        if any(isinstance(each, ToolResultBlock) for each in message.content)
    ]


@pytest.mark.parametrize(("sequences", "faulty"), [([0, 1, 7], None), ([3], None), ([0, 0], 1), ([1, 2, 1], 2)])
def test_sequences_grow(sequences, faulty):
    events = [
        RunEventRecord(sequence=sequence, timestamp_ms=0, event=TextDeltaEvent(text="")) for sequence in sequences
    ]
    if faulty is None:
        check_rising_sequences(events, "events")
        return
    with pytest.raises(InvalidArgumentError) as caught:
        check_rising_sequences(events, "events")
    assert caught.value.field == f"events[{faulty}].sequence"
