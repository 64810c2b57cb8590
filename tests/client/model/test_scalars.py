"""Numbers, texts and moments at the ends of their ranges."""

import struct
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from sessionstore.model import ContentStamp, ContextUsage, LlmCostRecord, SessionData, TextBlock, TokenUsage
from sessionstore.model.scalar import I32, I64, U8, U32, U64, normalise_timestamp, round_to_f32


@pytest.mark.parametrize("number", [0, 2**53 + 1, 2**64 - 1])
def test_integers_keep_64_bits(number):
    usage = TokenUsage(prompt_tokens=number)
    assert TokenUsage.model_validate_json(usage.model_dump_json()).prompt_tokens == number


def test_one_field_keeps_128_bits(faults):
    text = '{"path":"p","present":true,"len":0,"modified":%d,"mode":0,"kind":0}'
    assert ContentStamp.model_validate_json(text % (2**128 - 1)).model_dump_json() == text % (2**128 - 1)
    assert faults(ContentStamp.model_validate_json, text % 2**128) == {"modified": "less_than_equal"}
    assert faults(ContentStamp.model_validate_json, text.replace('"kind":0', '"kind":256') % 0) == {
        "kind": "less_than_equal"
    }


@pytest.mark.parametrize(
    ("kind", "least", "most"),
    [
        (U8, 0, 2**8 - 1),
        (U32, 0, 2**32 - 1),
        (U64, 0, 2**64 - 1),
        (I32, -(2**31), 2**31 - 1),
        (I64, -(2**63), 2**63 - 1),
    ],
)
def test_integers_have_exactly_their_range(faults, kind, least, most):
    read = TypeAdapter(kind).validate_json
    assert (read(str(least)), read(str(most))) == (least, most)
    assert faults(read, str(least - 1)) == {"": "greater_than_equal"}
    assert faults(read, str(most + 1)) == {"": "less_than_equal"}


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0.8, 0.8),
        (0.800000011920929, 0.8),
        (1 / 3, 0.33333334),
        (16_777_217, 16_777_216.0),
        (1e-45, 1e-45),
        (3.4028235e38, 3.4028235e38),
        (1e-46, 0.0),
    ],
)
def test_singles_have_their_own_shortest_text(number, expected):
    assert ContextUsage(percent=number).percent == expected


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_rounded_single_is_the_same_single(single):
    rounded = round_to_f32(single)
    assert struct.pack("<f", rounded) == struct.pack("<f", single)
    assert round_to_f32(rounded) == rounded
    assert len(repr(rounded)) <= len(repr(single))


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("2026-01-31T08:15:00Z", "2026-01-31T08:15:00Z"),
        ("2026-01-31t08:15:00z", "2026-01-31T08:15:00Z"),
        ("2026-01-31T08:15:00+00:00", "2026-01-31T08:15:00Z"),
        ("2026-01-31T00:15:00.5+02:30", "2026-01-30T21:45:00.500Z"),
        ("2026-01-31T08:15:00.000000Z", "2026-01-31T08:15:00Z"),
        ("2026-01-31T08:15:00.120000Z", "2026-01-31T08:15:00.120Z"),
        ("2026-01-31T08:15:00.0001Z", "2026-01-31T08:15:00.000100Z"),
        ("2026-01-31T08:15:00.1234567Z", "2026-01-31T08:15:00.123456700Z"),
        ("2026-01-31T08:15:00.1234567899Z", "2026-01-31T08:15:00.123456789Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        (datetime(2026, 1, 31, 8, 15, tzinfo=UTC), "2026-01-31T08:15:00Z"),
        (datetime(2026, 1, 31, 8, 15, 0, 1, timezone(timedelta(hours=1))), "2026-01-31T07:15:00.000001Z"),
    ],
)
def test_moments_are_normalised(text, normal):
    assert normalise_timestamp(text) == normal
    assert normalise_timestamp(normal) == normal


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-01-31",
        "2026-01-31T08:15:00",
        "2026-02-30T00:00:00Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T08:15:60Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "2026-01-31T08:15:00Z\n",
        1767225600,
        None,
        datetime(2026, 1, 31, 8, 15),  # noqa: DTZ001 - the very thing that must be refused
    ],
)
def test_what_is_no_moment_is_refused(faults, text):
    record = {"model": "m", "provider": "p", "prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    assert faults(lambda: LlmCostRecord(**record, timestamp=text)) == {"timestamp": "timestamp"}


@pytest.mark.parametrize("number", [True, "1", 1.0, -1, 2**64])
def test_python_callers_meet_the_same_checks(faults, number):
    assert faults(lambda: TokenUsage(prompt_tokens=number)).keys() == {"prompt_tokens"}


def test_text_must_be_unicode(faults):
    assert faults(lambda: TextBlock(text="\ud800")) == {"text": "string_unicode"}


def test_assignments_are_checked(faults):
    session = SessionData(id="s")
    assert faults(lambda: setattr(session, "total_cost", float("nan"))) == {"total_cost": "finite_number"}
    assert faults(lambda: setattr(session, "state", "Nowhere")) == {"state": "enum"}
    assert faults(lambda: setattr(session.config, "name", None)) == {"name": "string_type"}
    policy = session.config.tool_result_transform_policy
    assert faults(lambda: setattr(policy, "schema", 1)) == {"schema": "string_type"}
    assert session == SessionData(id="s", created_at=session.created_at, updated_at=session.updated_at)
