"""Times as they are stored: microseconds since 1970."""

import time
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now() -> int:
    """Return the present time."""
    return time.time_ns() // 1000


def before(seconds: float) -> int:
    """Return the time so long ago."""
    return now() - int(seconds * 1_000_000)


def moment(stored: int) -> datetime:
    """Return a stored time for callers."""
    return _EPOCH + timedelta(microseconds=stored)
