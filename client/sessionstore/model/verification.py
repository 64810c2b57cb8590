"""Verification reports: what was checked, and what follows from the checks."""

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import Self

from sessionstore.model.base import FrozenModel, OmitEmpty, OmitNone, RequiredInJson
from sessionstore.model.scalar import U64, Bool, Str

VERIFICATION_REPORT_SCHEMA = "a3s.verification_report.v1"
_SUBJECTS_SHOWN = 5


class VerificationStatus(StrEnum):
    """The outcome of a check or a report."""

    PASSED = "passed"
    FAILED = "failed"
    NEEDS_REVIEW = "needs_review"
    SKIPPED = "skipped"


class VerificationCheck(FrozenModel):
    """One check; a required one that was not made leaves its report open."""

    id: Str
    kind: Str
    description: Str
    status: VerificationStatus
    required: Bool = False
    suggested_tools: OmitEmpty[tuple[Str, ...]] = ()
    evidence_uris: OmitEmpty[tuple[Str, ...]] = ()
    residual_risk: OmitNone[Str] = None

    @property
    def is_pending(self) -> bool:
        """Whether it is required, and still to be made or looked at."""
        return self.required and self.status in (VerificationStatus.NEEDS_REVIEW, VerificationStatus.SKIPPED)

    @property
    def has_failed(self) -> bool:
        """Whether it failed, required or not."""
        return self.status is VerificationStatus.FAILED


class VerificationReport(FrozenModel):
    """What was checked about one subject. The status is kept as it was stored, not derived again."""

    schema: RequiredInJson[Str] = VERIFICATION_REPORT_SCHEMA
    subject: Str
    status: VerificationStatus
    checks: tuple[VerificationCheck, ...]
    residual_risks: OmitEmpty[tuple[Str, ...]] = ()
    effect_digest: OmitNone[Str] = None

    @classmethod
    def from_checks(
        cls,
        subject: str,
        checks: Iterable[VerificationCheck],
        residual_risks: Iterable[str] = (),
        effect_digest: str | None = None,
    ) -> Self:
        """Build a report whose status follows from its checks and risks."""
        checks, risks = tuple(checks), tuple(residual_risks)
        status = cls.derive_status(checks, risks)
        return cls(subject=subject, status=status, checks=checks, residual_risks=risks, effect_digest=effect_digest)

    @staticmethod
    def derive_status(checks: Sequence[VerificationCheck], residual_risks: Sequence[str]) -> VerificationStatus:
        """Return the status that follows from checks and risks; the risk of a single check does not count."""
        if any(check.has_failed for check in checks):
            return VerificationStatus.FAILED
        if residual_risks or any(check.is_pending for check in checks):
            return VerificationStatus.NEEDS_REVIEW
        return VerificationStatus.PASSED if checks else VerificationStatus.SKIPPED

    def with_residual_risk(self, risk: str) -> Self:
        """Return the report with one more risk and the status that then follows."""
        risks = (*self.residual_risks, risk)
        return self.model_copy(update={"residual_risks": risks, "status": self.derive_status(self.checks, risks)})

    @property
    def is_complete(self) -> bool:
        """Whether nobody has to look at it any more."""
        return self.status is not VerificationStatus.NEEDS_REVIEW


class VerificationSummary(FrozenModel):
    """What several reports say together; the subjects are sorted and unique."""

    status: VerificationStatus
    report_count: U64
    required_check_count: U64
    pending_required_check_count: U64
    failed_check_count: U64
    residual_risk_count: U64
    pending_subjects: OmitEmpty[tuple[Str, ...]] = ()
    failed_subjects: OmitEmpty[tuple[Str, ...]] = ()

    @property
    def supports_goal(self) -> bool:
        """Whether it proves a goal: passed by at least one required check, with nothing open, failed or risky."""
        return (
            self.status is VerificationStatus.PASSED
            and self.report_count > 0
            and self.required_check_count > 0
            and not (self.pending_required_check_count or self.failed_check_count or self.residual_risk_count)
        )

    def describe(self) -> str:
        """Return one line of English: the status, the counts, up to five subjects, and the risks."""
        counts = (
            f"{self.status.replace('_', ' ')}: {_count(self.report_count, 'report')}, "
            f"{_count(self.required_check_count, 'required check')}, "
            f"{self.pending_required_check_count} pending, {self.failed_check_count} failed"
        )
        subjects = _shorten(self.failed_subjects or self.pending_subjects)
        risks = _count(self.residual_risk_count, "residual risk") if self.residual_risk_count else ""
        return "; ".join(part for part in (counts, subjects, risks) if part)


def summarize_verification(reports: Sequence[VerificationReport]) -> VerificationSummary:
    """Return what `reports` say together."""
    checks = [check for report in reports for check in report.checks]
    check_risks = sum(check.residual_risk is not None for check in checks)
    summary = VerificationSummary(
        status=VerificationStatus.PASSED,
        report_count=len(reports),
        required_check_count=sum(check.required for check in checks),
        pending_required_check_count=sum(check.is_pending for check in checks),
        failed_check_count=sum(check.has_failed for check in checks),
        residual_risk_count=sum(len(report.residual_risks) for report in reports) + check_risks,
        pending_subjects=_subjects(reports, _is_pending),
        failed_subjects=_subjects(reports, _has_failed),
    )
    return summary.model_copy(update={"status": _status_of(reports, summary)})


def _status_of(reports: Sequence[VerificationReport], counts: VerificationSummary) -> VerificationStatus:
    if any(_has_failed(report) for report in reports):
        return VerificationStatus.FAILED
    if counts.pending_required_check_count or counts.residual_risk_count:
        return VerificationStatus.NEEDS_REVIEW
    if not all(report.is_complete for report in reports):
        return VerificationStatus.NEEDS_REVIEW
    return VerificationStatus.PASSED if reports else VerificationStatus.SKIPPED


def _is_pending(report: VerificationReport) -> bool:
    return not report.is_complete or any(check.is_pending or check.residual_risk is not None for check in report.checks)


def _has_failed(report: VerificationReport) -> bool:
    return report.status is VerificationStatus.FAILED or any(check.has_failed for check in report.checks)


def _subjects(reports: Sequence[VerificationReport], chosen: Callable[[VerificationReport], bool]) -> tuple[str, ...]:
    return tuple(sorted({report.subject for report in reports if chosen(report)}))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _shorten(subjects: Sequence[str]) -> str:
    shown = ", ".join(subjects[:_SUBJECTS_SHOWN])
    return f"{shown}, …" if len(subjects) > _SUBJECTS_SHOWN else shown
