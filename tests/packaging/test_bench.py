"""The benchmark runs, gives every row, and compares: the same code as `make bench`, with tiny counts."""

import json
import os
from xml.etree import ElementTree as ET

import pytest
from bench import cases, growth, recorded, scaling, table
from bench.compare import lines
from bench.contestants import CONTESTANTS
from bench.results import NOISY, Figure
from bench.running import Plan, run

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
    assert len(told) == 1 + (os.cpu_count() or 1)
    assert "1.00 of one worker" in told[1]


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
