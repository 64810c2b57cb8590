"""What follows from checks and risks."""

import pytest

from sessionstore.model import VerificationCheck, VerificationReport, VerificationStatus, summarize_verification

PASSED, FAILED, NEEDS_REVIEW, SKIPPED = VerificationStatus


def check(status: VerificationStatus, *, required: bool = False, risk: str | None = None) -> VerificationCheck:
    return VerificationCheck(id="1", kind="k", description="d", status=status, required=required, residual_risk=risk)


def report(*checks: VerificationCheck, subject: str = "s", risks: tuple[str, ...] = ()) -> VerificationReport:
    return VerificationReport.from_checks(subject, checks, risks)


@pytest.mark.parametrize(
    ("checks", "risks", "status"),
    [
        ([], [], SKIPPED),
        ([], ["risk"], NEEDS_REVIEW),
        ([check(PASSED)], [], PASSED),
        ([check(PASSED, required=True)], ["risk"], NEEDS_REVIEW),
        ([check(PASSED), check(FAILED)], ["risk"], FAILED),
        ([check(NEEDS_REVIEW, required=True), check(FAILED, required=True)], [], FAILED),
        ([check(NEEDS_REVIEW, required=True)], [], NEEDS_REVIEW),
        ([check(SKIPPED, required=True)], [], NEEDS_REVIEW),
        ([check(NEEDS_REVIEW)], [], PASSED),
        ([check(SKIPPED)], [], PASSED),
        ([check(PASSED, risk="small")], [], PASSED),
    ],
)
def test_the_status_of_a_report(checks, risks, status):
    assert VerificationReport.derive_status(checks, risks) is status
    made = VerificationReport.from_checks("s", checks, risks)
    assert made.status is status
    assert made.is_complete is (status is not NEEDS_REVIEW)


def test_a_stored_status_is_not_derived_again():
    text = '{"schema":"s","subject":"x","status":"passed","checks":[],"residual_risks":["risk"]}'
    assert VerificationReport.model_validate_json(text).status is PASSED


def test_one_more_risk_changes_the_status_and_nothing_else():
    before = report(check(PASSED))
    after = before.with_residual_risk("risk")
    assert (before.status, before.residual_risks) == (PASSED, ())
    assert (after.status, after.residual_risks, after.checks) == (NEEDS_REVIEW, ("risk",), before.checks)
    assert report(check(FAILED)).with_residual_risk("risk").status is FAILED


def test_a_summary_counts_everything():
    summary = summarize_verification(
        [
            report(check(PASSED, required=True, risk="small"), subject="b"),
            report(check(SKIPPED, required=True), check(NEEDS_REVIEW), subject="a", risks=("one", "two")),
            report(check(FAILED, required=True), check(FAILED), subject="z"),
            report(check(FAILED), subject="z"),
        ]
    )
    assert summary.model_dump() == {
        "status": FAILED,
        "report_count": 4,
        "required_check_count": 3,
        "pending_required_check_count": 1,
        "failed_check_count": 3,
        "residual_risk_count": 3,
        "pending_subjects": ("a", "b"),
        "failed_subjects": ("z",),
    }


@pytest.mark.parametrize(
    ("reports", "status", "supports_goal"),
    [
        ([], SKIPPED, False),
        ([report()], PASSED, False),
        ([report(check(PASSED))], PASSED, False),
        ([report(check(PASSED, required=True))], PASSED, True),
        ([report(check(PASSED, required=True)), report(check(SKIPPED))], PASSED, True),
        ([report(check(PASSED, required=True, risk="small"))], NEEDS_REVIEW, False),
        ([report(check(SKIPPED, required=True))], NEEDS_REVIEW, False),
        ([report(check(PASSED, required=True), risks=("r",))], NEEDS_REVIEW, False),
        ([report(check(FAILED)), report(check(SKIPPED, required=True))], FAILED, False),
    ],
)
def test_the_status_of_a_summary(reports, status, supports_goal):
    summary = summarize_verification(reports)
    assert summary.status is status
    assert summary.supports_goal is supports_goal


def test_stored_statuses_count_without_checks():
    failed = VerificationReport(subject="f", status=FAILED, checks=())
    open_ = VerificationReport(subject="o", status=NEEDS_REVIEW, checks=())
    assert summarize_verification([open_]).status is NEEDS_REVIEW
    summary = summarize_verification([open_, failed])
    assert (summary.status, summary.pending_subjects, summary.failed_subjects) == (FAILED, ("o",), ("f",))


@pytest.mark.parametrize(
    ("reports", "line"),
    [
        ([], "skipped: 0 reports, 0 required checks, 0 pending, 0 failed"),
        ([report(check(PASSED, required=True))], "passed: 1 report, 1 required check, 0 pending, 0 failed"),
        (
            [report(check(SKIPPED, required=True), risks=("r",))],
            "needs review: 1 report, 1 required check, 1 pending, 0 failed; s; 1 residual risk",
        ),
        (
            [report(check(FAILED, risk="r"), subject=name, risks=("r",)) for name in "fedcba"],
            "failed: 6 reports, 0 required checks, 0 pending, 6 failed; a, b, c, d, e, …; 12 residual risks",
        ),
    ],
)
def test_a_summary_in_one_line(reports, line):
    assert summarize_verification(reports).describe() == line
