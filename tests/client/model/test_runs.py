"""Pages of run events behind a cursor, and sums of token usage."""

import pytest

from sessionstore.model import (
    RunEventRecord,
    RunRecord,
    RunSnapshot,
    RunStatus,
    TokenUsage,
    TurnStartEvent,
    page_run_events,
)

U64_MAX = 2**64 - 1


def record(*sequences: int, event_count: int) -> RunRecord:
    snapshot = RunSnapshot(
        id="r",
        session_id="s",
        status=RunStatus.EXECUTING,
        prompt="p",
        created_at_ms=0,
        updated_at_ms=0,
        event_count=event_count,
    )
    return RunRecord(
        snapshot=snapshot,
        events=[
            RunEventRecord(sequence=number, timestamp_ms=0, event=TurnStartEvent(turn=number)) for number in sequences
        ],
    )


@pytest.mark.parametrize(
    ("run", "after", "limit", "sequences", "next_after", "gap", "more"),
    [
        (record(0, 1, 2, event_count=3), None, 2, [0, 1], 1, False, True),
        (record(0, 1, 2, event_count=3), 1, 2, [2], 2, False, False),
        (record(0, 1, 2, event_count=3), 2, 2, [], 2, False, False),
        (record(0, 1, 2, event_count=3), 99, 2, [], 99, False, False),
        (record(0, 1, 2, event_count=3), None, 0, [], None, False, True),
        (record(3, 5, event_count=6), None, 9, [3, 5], 5, True, False),
        (record(3, 5, event_count=6), 1, 9, [3, 5], 5, True, False),
        (record(3, 5, event_count=6), 2, 9, [3, 5], 5, False, False),
        (record(3, 5, event_count=6), 3, 1, [5], 5, False, False),
        (record(event_count=4), None, 9, [], None, True, False),
        (record(event_count=4), 2, 9, [], 2, True, False),
        (record(event_count=4), 3, 9, [], 3, False, False),
        (record(event_count=0), None, 9, [], None, False, False),
    ],
)
def test_a_page(run, after, limit, sequences, next_after, gap, more):
    page = page_run_events(run, after, limit)
    assert [kept.sequence for kept in page.events] == sequences
    assert page.first_available_sequence == (run.events[0].sequence if run.events else None)
    assert page.latest_sequence_exclusive == run.snapshot.event_count
    assert (page.next_after_sequence, page.retention_gap, page.has_more) == (next_after, gap, more)


def test_an_empty_page_in_json():
    assert page_run_events(record(event_count=0), None, 1).model_dump_json() == (
        '{"events":[],"first_available_sequence":null,"latest_sequence_exclusive":0,"next_after_sequence":null,'
        '"retention_gap":false,"has_more":false}'
    )


def test_pages_together_are_the_whole_run():
    run = record(*range(3, 40), event_count=40)
    seen, cursor = [], None
    while (page := page_run_events(run, cursor, 7)).events:
        seen += page.events
        cursor = page.next_after_sequence
    assert tuple(seen) == run.events


def test_which_statuses_are_final():
    assert [status.value for status in RunStatus if status.is_terminal] == ["completed", "failed", "cancelled"]


def test_usages_add_up():
    first = TokenUsage(prompt_tokens=1, completion_tokens=2, total_tokens=3, cache_read_tokens=4)
    second = TokenUsage(prompt_tokens=10, completion_tokens=20, total_tokens=30)
    expected = TokenUsage(prompt_tokens=11, completion_tokens=22, total_tokens=33, cache_read_tokens=4)
    assert first + second == second + first == expected
    assert (first + second).cache_write_tokens is None


def test_sums_stay_within_64_bits():
    most = TokenUsage(prompt_tokens=U64_MAX, total_tokens=U64_MAX - 1, cache_write_tokens=U64_MAX)
    total = most + TokenUsage(prompt_tokens=1, total_tokens=1, cache_write_tokens=1)
    assert (total.prompt_tokens, total.total_tokens, total.cache_write_tokens) == (U64_MAX, U64_MAX, U64_MAX)
