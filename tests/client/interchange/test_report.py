"""A report, for people and for programs."""

import json

from sessionstore.interchange import Report


def sample():
    report = Report("imported")
    for kind in ("trace_events", "sessions", "sessions"):
        report.count(kind)
    report.skip("b.json", "is encrypted")
    report.skip("a.json", "says\nmore")
    report.leave_alone(".health_check", "a probe")
    report.sort()
    return report


def test_people_read_counts_and_then_what_did_not_come_over():
    assert str(sample()).splitlines() == [
        "imported:",
        "  sessions: 2",
        "  trace events: 1",
        "skipped:",
        "  a.json: says\\nmore",
        "  b.json: is encrypted",
        "left alone:",
        "  .health_check: a probe",
    ]


def test_people_read_that_nothing_came_over():
    assert str(Report("exported")) == "exported:\n  nothing"


def test_programs_read_the_same():
    assert json.loads(sample().to_json()) == {
        "action": "imported",
        "documents": {"sessions": 2, "trace_events": 1},
        "skipped": [{"subject": "a.json", "reason": "says\\nmore"}, {"subject": "b.json", "reason": "is encrypted"}],
        "left_alone": [{"subject": ".health_check", "reason": "a probe"}],
    }
