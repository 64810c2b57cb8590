"""Recorded sessions of real agents, kept by a real server process on the file store.

Without a folder of recordings, which the environment variable `SESSIONSTORE_SESSIONS` may name, the project's own
samples stand in for them.
"""

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sessionstore import SessionSnapshot, ToolEndEvent, UnknownEvent
from sessionstore.testing import assert_same, load_recorded, read_recordings, snapshot_of

REPOSITORY = Path(__file__).parents[2]
SAMPLES = [REPOSITORY / "tests" / "samples" / "recorded.jsonl"]
FOLDER = Path(os.environ.get("SESSIONSTORE_SESSIONS", REPOSITORY.parent / "shared" / "data" / "sessions"))
RECORDINGS = [path for path in sorted(FOLDER.glob("*.jsonl*")) if path.name != "STATS.jsonl"]


@pytest.fixture(params=["samples", "recordings"])
def files(request) -> list[Path]:
    if request.param == "recordings" and not RECORDINGS:
        pytest.skip(f"no recorded sessions in {FOLDER}; the samples of the project were used instead")
    return RECORDINGS if request.param == "recordings" else SAMPLES


@pytest.mark.timeout(300)
async def test_every_session_passes_through_a_server_process(files, tmp_path, open_served_by_process):
    url = f"file:{tmp_path / 'store'}"
    async with open_served_by_process(url) as store:
        for snapshot in snapshots(files):
            await store.save_snapshot(snapshot)
            await store.save(snapshot.session)
            assert_same(await store.load(snapshot.session.id), snapshot.session)
    async with open_served_by_process(url) as store:
        for snapshot in snapshots(files):
            assert_same(await store.load_snapshot(snapshot.session.id), snapshot)
        assert await store.list() == sorted((each.session.id for each in snapshots(files)), key=str.encode)


def test_nothing_of_a_recording_is_lost(files):
    for recording in recordings(files):
        kept = json.loads(snapshot_of(recording).model_dump_json())
        assert set(names_and_values(list(recording.values()))) <= set(names_and_values(kept))


def test_every_snapshot_keeps_the_invariants(files):
    for recording, snapshot in zip(recordings(files), snapshots(files), strict=True):
        snapshot.validate_invariants()
        assert len(snapshot.session.messages) == len(recording["messages"])
        assert [len(run.events) for run in snapshot.run_records] == [len(recording["events"])] * bool(
            recording["events"]
        )
        assert len(snapshot.artifacts) == len(recording["artifacts"])


def test_tool_calls_become_traces():
    coding, support, _ = snapshots(SAMPLES)
    assert [(event.name, event.success) for event in coding.trace_events] == [
        ("bash", False),
        ("edit", True),
        ("bash", True),
        ("read", True),
    ]
    assert coding.trace_events[0].metadata_keys == ("exit_code",)
    assert [(event.name, event.success) for event in support.trace_events] == [
        ("find_flights", True),
        ("find_flights", False),
    ]


def test_events_become_the_closest_known_ones():
    coding, support, browsing = snapshots(SAMPLES)
    assert [event.event.type for event in coding.run_records[0].events] == [
        "recorded.action.message",
        "tool_execution_start",
        "tool_end",
        "error",
        "tool_execution_start",
        "tool_end",
        "recorded.error",
    ]
    assert support.run_records == []
    assert [type(event.event) for event in browsing.run_records[0].events][2:] == [
        ToolEndEvent,
        UnknownEvent,
        UnknownEvent,
    ]
    assert coding.run_records[0].events[2].event.exit_code == 1


def test_times_never_go_back():
    (run,) = next(snapshots(SAMPLES)).run_records
    started = run.snapshot.created_at_ms
    assert [event.timestamp_ms - started for event in run.events] == [0, 2250, 2850, 2850, 2850, 4750, 5750]


def test_gzipped_recordings_are_read_lazily(tmp_path):
    path = tmp_path / "recorded.jsonl.gz"
    path.write_bytes(gzip.compress(SAMPLES[0].read_bytes() + b"not JSON\n"))
    loading = load_recorded(path)
    assert [next(loading) for _ in range(3)] == list(snapshots(SAMPLES))
    with pytest.raises(json.JSONDecodeError):
        next(loading)


def recordings(files: list[Path]) -> Iterator[dict]:
    return (recording for path in files for recording in read_recordings(path))


def snapshots(files: list[Path]) -> Iterator[SessionSnapshot]:
    return (snapshot for path in files for snapshot in load_recorded(path))


def names_and_values(value: object) -> Iterator[str]:
    """Return every key and every scalar in a JSON value, in a form that tells 1 from 1.0 and True."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield repr(key)
            yield from names_and_values(item)
    elif isinstance(value, list):
        for item in value:
            yield from names_and_values(item)
    else:
        yield repr(value)
