"""A few rounds of the soak: what was acknowledged outlives the servers that are killed."""

from pathlib import Path

import pytest
from tests.system.soak import Soak, run


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("store", "servers"), [("file", 2), ("sqlite", 1)])
async def test_kills(tmp_path: Path, store: str, servers: int) -> None:
    counts = await run(Soak(tmp_path, store, servers, rounds=3, seed=20261123))
    assert counts["kills"] == 3
    assert sum(counts.values()) > 10
