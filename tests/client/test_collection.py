"""The garbage collector is still while many objects are made, and is left as it was found."""

import gc
from collections.abc import Iterator

import pytest

from sessionstore.adapter.collection import collection_paused


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    was_enabled = gc.isenabled()
    yield
    (gc.enable if was_enabled else gc.disable)()


@pytest.mark.parametrize("restore", [gc.enable, gc.disable])
def test_the_collector_is_left_as_it_was_found(restore) -> None:
    restore()
    before = gc.isenabled()
    with collection_paused():
        assert not gc.isenabled()
    assert gc.isenabled() == before


def test_a_failure_does_not_leave_it_off() -> None:
    gc.enable()
    with pytest.raises(ValueError, match="broken"), collection_paused():
        raise ValueError("broken")
    assert gc.isenabled()


def test_no_collection_while_paused() -> None:
    gc.enable()
    with collection_paused():
        before = gc.get_stats()
        kept = [[each] for each in range(10 * gc.get_threshold()[0])]
        assert gc.get_stats() == before
    assert len(kept) == 10 * gc.get_threshold()[0]
