"""The benchmark runs, gives every row, and compares: the same code as `make bench`, with tiny counts."""

import json
import os
import shutil
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from bench import cases, growth, icicle, profiling, recorded, sampling, scaling, table
from bench.compare import lines
from bench.contestants import CONTESTANTS
from bench.processes import _tree, pin, running, serve
from bench.results import NOISY, Figure
from bench.running import Plan, run
from bench.samples import PARTS, Frame, part_of, profile_of

OURS = [each.name for each in CONTESTANTS if each.group != "peer"]
PEERS = [each.name for each in CONTESTANTS if each.group == "peer"]
TINY = [
    [
        cases.lists(4, 1),
        cases.saves(0, 1, cases.EVERYBODY, is_pictured=True),
        cases.saves(8, 2),
        cases.loads(8, 1, cases.EVERYBODY),
        cases.loads_again(8, 2),
        cases.uploads("trace", 2, batches=2),
        cases.uploads("run", 1, batches=2),
        cases.existence(2),
    ],
]


@pytest.fixture
async def results(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(recorded, "FOLDER", tmp_path / "none")
    output = tmp_path / "out" / "results.json"
    await run(Plan(TINY, rounds=2, seconds=0.001, output=output, idle_sessions=3, open_streams=2))
    return json.loads(output.read_text()), output.with_suffix(".svg").read_text(), capsys.readouterr().out


@pytest.mark.timeout(300)
async def test_every_case_has_a_row_of_everybody(results):
    found, picture, printed = results
    rows = {(row["case"], row["callers"], row["contestant"]): row for row in found["rows"]}
    for case in (case for section in TINY for case in section):
        for contestant in CONTESTANTS:
            if contestant.group in case.groups:
                row = rows.pop((case.title, case.callers, contestant.name))
                assert_whole(row)
                assert f"{contestant.name:<28}" in printed
    assert rows == {}
    assert found["environment"]["input"] == "samples"
    assert [row["store"] for row in found["memory"]] == ["memory", "file", "sqlite", "postgresql"]
    assert [row["note"] for row in found["memory"]] == [""] * 4
    bars = [element for element in ET.fromstring(picture).iter() if element.get("class") == "ours"]
    assert len(bars) == len(OURS) - 1


def assert_whole(row: dict) -> None:
    """Of the peers some may not be installed; everything of ours has its figures."""
    if row["contestant"] in PEERS and row["rate"] is None:
        assert "No module named" in row["note"]
        return
    assert row["rate"] is not None, row
    assert row["rate"]["least"] <= row["rate"]["median"] <= row["rate"]["greatest"]
    assert row["ratio"]["median"] > 0
    assert set(row["cpu_us"]) == processes(row["contestant"])
    if row["contestant"] == "echo":
        assert row["ratio"] == {"median": 1, "least": 1, "greatest": 1}


def processes(contestant: str) -> set[str]:
    served = {"server"} if "gRPC" in contestant or contestant == "echo" else set()
    return {"client", *served, *({"database"} if contestant.startswith("postgresql") else ())}


def test_growth_is_told_and_drawn(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(recorded, "FOLDER", tmp_path / "none")
    monkeypatch.setattr(growth, "SAMPLES", 4)
    output = tmp_path / "growth.json"
    growth.growth("memory", seconds=1, rate=1_000, output=output, data_folder=None)
    samples = json.loads(output.read_text())["samples"]
    assert len(samples) == 5
    assert samples[-1]["operations"] > 0
    assert all(sample["resident_bytes"] > 0 for sample in samples)
    curve = ET.fromstring(output.with_suffix(".svg").read_text()).find("{*}polyline[@class='curve']")
    assert curve is not None
    assert len(curve.attrib["points"].split()) == len(samples)
    assert f"{samples[-1]['operations']:,} operations" in capsys.readouterr().out


async def test_workers_are_compared(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(recorded, "FOLDER", tmp_path / "none")
    monkeypatch.setattr(scaling, "MESSAGES", 4)
    await scaling.scaling("sqlite", rounds=1, data_folder=None)
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 1 + len(scaling.layouts(sorted(os.sched_getaffinity(0))))
    assert "1.00 of the first" in told[1]


def test_clients_have_processors_of_their_own_where_there_are_enough():
    assert scaling.layouts([3]) == [scaling.Layout(1, [3], [3])]
    assert scaling.layouts([0, 1]) == [
        scaling.Layout(1, [1], [0]),
        scaling.Layout(1, [0, 1], [0, 1]),
        scaling.Layout(2, [0, 1], [0, 1]),
    ]
    assert scaling.layouts([0, 2, 4, 6]) == [scaling.Layout(count, [2, 4, 6][:count], [0]) for count in (1, 2, 3)]


async def test_a_server_stays_where_it_is_pinned(tmp_path):
    async with running(*serve(f"file:{tmp_path}/store"), "--workers", "2") as server:
        pin(server.pid, {0})
        assert {tuple(os.sched_getaffinity(pid)) for pid in _tree(server.pid)} == {(0,)}


BUSY, IDLE, NATIVE = 7, 8, 9
LOOP = "MainThread;run_forever (asyncio/base_events.py:1)"
SAVE = f"{LOOP};Handle._run (asyncio/events.py:1);save (sessionstore_server/services/a.py:3)"
RAW = f"""\
thread ({BUSY}): {SAVE};check (sessionstore/wire/plan.py:5);__init__ (<string>:2) 3
thread ({BUSY}): {SAVE} 1
thread ({BUSY}): {LOOP};EpollSelector.select (selectors.py:2) 90
thread ({IDLE}): Thread-1;Thread.run (threading.py:4) 100
"""


def test_samples_are_weighed_with_the_time_of_their_threads():
    profile = profile_of(RAW, {BUSY: 4.0, IDLE: 0.5, NATIVE: 1.5})
    assert profile.seconds == 6.0
    assert dict(profile.parts()) == {
        "check of what came in, and models": 3.0,
        "gRPC, threads of its own": 1.5,
        "services": 1.0,
        "gRPC and asyncio": 0.5,
    }
    assert profile.functions(1) == [(Frame("<string>", "__init__"), 3.0)]


def test_a_profile_is_drawn():
    picture = ET.fromstring(icicle.drawn("Save", profile_of(RAW, {BUSY: 4.0, IDLE: 0.0})))
    bars = {group.findtext("{*}title"): group.find("{*}rect").attrib for group in picture.findall("{*}g")}
    assert float(bars["save (sessionstore_server/services/a.py): 100.0%"]["width"]) == icicle.WIDTH
    check = bars["check (sessionstore/wire/plan.py): 75.0%"]
    assert float(check["width"]) == 0.75 * icicle.WIDTH
    assert bars["__init__ (<string>): 75.0%"]["fill"] == check["fill"]


def test_parts_of_the_program_are_named_as_they_are():
    roots = [recorded.REPOSITORY, recorded.REPOSITORY / "client", recorded.REPOSITORY / "server"]
    for entry in (entry for entries in PARTS.values() for entry in entries):
        name, _, function = entry.partition(":")
        if not name.startswith(("sessionstore", "bench")):
            continue
        path = next((root / name for root in roots if (root / name).exists()), None)
        assert path is not None, entry
        assert not function or f"def {function}(" in path.read_text(), entry
        assert part_of((Frame(name, function),)) in PARTS


@pytest.mark.skipif(
    not (shutil.which("py-spy") or Path(sys.executable).with_name("py-spy").exists()), reason="py-spy is not installed"
)
@pytest.mark.parametrize("process", ["server", "client"])
def test_a_profile_tells_where_the_time_goes(tmp_path, monkeypatch, capsys, process):
    monkeypatch.setattr(recorded, "FOLDER", tmp_path / "none")
    output = tmp_path / "profile.svg"
    profiling.profile(profiling.Subject("memory", "exists", "unary", process), 1, output, None)
    printed = capsys.readouterr().out
    assert f"{process} over memory, exists, unary, 16 callers" in printed
    assert "gRPC and asyncio" in printed
    assert str(Path(sys.prefix)) not in printed
    assert ET.fromstring(output.read_text()).find("{*}g") is not None


def test_a_profile_without_the_sampler_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="py-spy is not installed"):
        sampling.program()


def test_quick_is_a_part_of_everything():
    titles = {(case.title, case.callers) for section in cases.everything() for case in section}
    assert {(case.title, case.callers) for section in cases.quick() for case in section} <= titles


def test_noise_is_marked(row):
    assert not row(Figure(100, 95, 109)).is_noisy
    assert row(Figure(100, 90, 90 + 100 * NOISY + 1)).is_noisy
    marked, plain = [
        line for line in table.lines([row(Figure(100, 80, 120)), row(Figure(100, 99, 101))]) if "one" in line
    ]
    assert (marked[0], plain[0]) == ("~", " ")


@pytest.fixture
def row():
    from bench.results import Row

    return lambda rate: Row("Save", 1, "turns", "one", "local", rate=rate, latency_ms={"p50": 1.0, "p99": 2.0})


def test_a_comparison_pairs_the_rounds():
    before = [{("Save", 16, "echo"): 100.0, ("Save", 16, "gone"): 1.0}, {("Save", 16, "echo"): 200.0}]
    after = [{("Save", 16, "echo"): 110.0}, {("Save", 16, "echo"): 220.0}]
    printed = "\n".join(lines(("old", "new"), before, after))
    assert "Save, callers: 16" in printed
    assert "  echo                          1.10  1.10 to 1.10" in printed
    assert "  gone                             -" in printed
