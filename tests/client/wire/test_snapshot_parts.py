"""A snapshot travels in parts, whose order has rules."""

from collections.abc import Iterable

import pytest

from sessionstore import InvalidArgumentError, Message, SessionSnapshot, TextDeltaEvent, UnsupportedVersionError
from sessionstore.testing import samples
from sessionstore.v1 import session_pb2
from sessionstore.v1.snapshot_pb2 import LoadSnapshotResponse, SaveSnapshotRequest, SnapshotHeader
from sessionstore.wire.snapshot import PART_BYTES, ReceivedSnapshot, batches, snapshot_from_parts, snapshot_to_parts

HEADER = SaveSnapshotRequest(header=SnapshotHeader(session_id="one", schema_version=1))
SESSION = SaveSnapshotRequest(session={"id": "one", "state": session_pb2.SESSION_STATE_ACTIVE})
EVENTS = SaveSnapshotRequest(run_events={"run_events": [{"sequence": 1}]})


def received(parts: Iterable[SaveSnapshotRequest]) -> SessionSnapshot:
    snapshot = ReceivedSnapshot()
    for part in parts:
        snapshot.take(part)
    return snapshot_from_parts(snapshot)


@pytest.mark.parametrize("part", [SaveSnapshotRequest, LoadSnapshotResponse])
def test_a_snapshot_comes_back_from_its_parts(part: type) -> None:
    snapshot = samples.snapshot()
    snapshot.__pydantic_extra__["later"] = {"number": 2**64 - 1}
    assert received(snapshot_to_parts(snapshot, part)) == snapshot


def test_a_large_snapshot_is_cut_into_small_parts() -> None:
    snapshot = samples.snapshot()
    snapshot.session.messages = [Message.user("x" * 300_000) for _ in range(20)]
    (run, *_) = snapshot.run_records
    event = run.events[0].model_copy(update={"event": TextDeltaEvent(text="x" * 200_000)})
    snapshot.run_records = [run.model_copy(update={"events": (event,) * 20})]
    parts = list(snapshot_to_parts(snapshot, SaveSnapshotRequest))
    assert max(part.ByteSize() for part in parts) < PART_BYTES * 1.01
    assert [part.WhichOneof("part") for part in parts].count("run_events") > 1
    assert received(parts) == snapshot


def test_kinds_come_in_any_order_and_number() -> None:
    header, *rest = snapshot_to_parts(samples.snapshot(), SaveSnapshotRequest)
    runs = [part for part in rest if part.WhichOneof("part") in ("run_records", "run_events")]
    others = [part for part in rest if part not in runs]
    assert received([header, *reversed(others), *runs]) == samples.snapshot()
    assert received([HEADER, SESSION]).session.id == "one"


BROKEN = {
    "nothing": ([], "header"),
    "no session": ([HEADER], "session"),
    "no header": ([SESSION], "session"),
    "two headers": ([HEADER, HEADER], "header"),
    "two sessions": ([HEADER, SESSION, SESSION], "session"),
    "another id": ([HEADER, SaveSnapshotRequest(session={"id": "two"})], "session.id"),
    "events before a run": ([HEADER, EVENTS], "run_events"),
    "an unknown part": ([HEADER, SaveSnapshotRequest()], "part"),
    "broken unknown fields": (
        [SaveSnapshotRequest(header={"session_id": "one", "unknown_fields_json": "{"})],
        "unknown_fields_json",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_rule_is_named(case: str) -> None:
    parts, field = BROKEN[case]
    with pytest.raises(InvalidArgumentError) as caught:
        received(parts)
    assert caught.value.field == field


@pytest.mark.parametrize("version", [0, 2])
def test_another_version_is_refused(version: int) -> None:
    header = SaveSnapshotRequest(header=SnapshotHeader(session_id="one", schema_version=version))
    with pytest.raises(UnsupportedVersionError):
        received([header, SESSION])


def test_unknown_fields_do_not_replace_known_ones() -> None:
    header = SnapshotHeader(session_id="one", schema_version=1, unknown_fields_json='{"session":1,"later":2}')
    snapshot = received([SaveSnapshotRequest(header=header), SESSION])
    assert (snapshot.session.id, snapshot.__pydantic_extra__) == ("one", {"later": 2})


@pytest.mark.parametrize(
    ("sizes", "batched"),
    [
        ([], []),
        ([5], [[5]]),
        ([PART_BYTES, 1], [[PART_BYTES], [1]]),
        ([1, PART_BYTES - 1, 1], [[1, PART_BYTES - 1], [1]]),
        ([2 * PART_BYTES, 3], [[2 * PART_BYTES], [3]]),
    ],
)
def test_batches_are_as_full_as_they_may_be(sizes: list[int], batched: list[list[int]]) -> None:
    assert list(batches(sizes, lambda size: size)) == batched
