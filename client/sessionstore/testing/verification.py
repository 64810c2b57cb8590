"""What a store promises about verification reports beyond what holds for records of any kind."""

import pytest

from sessionstore.model import VerificationReport, VerificationStatus
from sessionstore.store import SessionStore
from sessionstore.testing import samples
from sessionstore.testing.comparison import assert_same


class VerificationContract:
    """Reports are kept, not judged."""

    pytestmark = pytest.mark.asyncio

    async def test_status_is_kept_as_it_was_saved(self, store: SessionStore) -> None:
        """V1: The status of a report is not derived again, also when its checks say otherwise."""
        failed, _ = samples.verification_reports()
        reports = [failed.model_copy(update={"status": status}) for status in VerificationStatus]
        await store.save_verification_reports("a", reports)
        assert_same(await store.load_verification_reports("a"), reports)

    async def test_reports_of_one_subject_are_all_kept(self, store: SessionStore) -> None:
        """V2: Several reports about one subject are all kept, in their order, whatever their schema is."""
        reports = [
            VerificationReport(schema=schema, subject="shell:lint", status=VerificationStatus.SKIPPED, checks=())
            for schema in ("example.report.v2", "", "example.report.v2")
        ]
        await store.save_verification_reports("a", reports)
        assert_same(await store.load_verification_reports("a"), reports)
