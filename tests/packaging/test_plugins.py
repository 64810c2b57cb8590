"""Stores of other packages: the example of the page as a distribution of its own, and the suite as a product."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import sessionstore_pytest
from sessionstore.testing import RequiredContract, StoreContract
from sessionstore.testing.declared import NEEDS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "write-a-backend.md").read_text(encoding="utf-8")
MODULE, PROJECT, TESTS = re.findall(r"^```(?:python|toml)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
OPEN = """
import asyncio, sys
from sessionstore import SessionData, SessionStoreError, open_store
async def main():
    async with open_store(sys.argv[1]) as store:
        await store.save(SessionData(id="one"))
        print(store.backend_name, *await store.list())
try:
    asyncio.run(main())
except SessionStoreError as error:
    print(f"{type(error).__name__}: {error}")
"""


def install(site: Path, name: str = "sessionstore-journal", extra: str = "") -> None:
    """Lay out the example as an installer leaves it behind, by what its project file says."""
    project = tomllib.loads(PROJECT)["project"]
    (site / "journal_store.py").write_text(MODULE, encoding="utf-8")
    info = site / f"{name.replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {project['version']}\n")
    lines = [
        line
        for group, entries in project["entry-points"].items()
        for line in (f"[{group}]", *(f"{entry} = {target}{extra}" for entry, target in entries.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines))


@pytest.fixture
def site(tmp_path: Path) -> Path:
    site = tmp_path / "site"
    site.mkdir()
    return site


@pytest.fixture
def run(site: Path, tmp_path: Path):
    """Run Python where the distributions in `site` are installed, and return what it printed."""
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nfilterwarnings = error\nasyncio_default_fixture_loop_scope = function\n"
    )

    def run(*arguments: str) -> str:
        environment = os.environ | {"PYTHONPATH": str(site)}
        done = subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        return done.stdout + done.stderr

    return run


@pytest.fixture
def run_pytest(run):
    def run_pytest(*arguments: str) -> str:
        return run("-m", "pytest", "-p", "sessionstore_pytest", "-q", "--tb=short", *arguments)

    return run_pytest


def rows_of(report: str) -> dict[str, list[str]]:
    """Return what was kept, broken and skipped, by section."""
    rows = re.findall(r"^  ([A-Z])  \D+?(\d+) +(\d+|-) +(\d+|-)$", report, re.MULTILINE)
    return {letter: numbers for letter, *numbers in rows}


@pytest.mark.timeout(300)
def test_the_example_keeps_the_contract(site: Path, tmp_path: Path, run_pytest) -> None:
    install(site)
    (tmp_path / "test_journal_store.py").write_text(TESTS, encoding="utf-8")
    printed = run_pytest("--sessionstore-report", "test_journal_store.py")
    assert re.search(r"^\d+ passed in ", printed, re.MULTILINE), printed[-5000:]
    assert "contract of session stores: TestJournalStore" in printed
    tried = {letter for letter in sessionstore_pytest.SECTIONS if letter != "M"}
    assert rows_of(printed).keys() == tried
    assert all(numbers[1:] == ["-", "-"] for numbers in rows_of(printed).values())


def test_the_example_is_short() -> None:
    assert len(MODULE.splitlines()) < 120


def test_the_example_opens_by_url(site: Path, tmp_path: Path, run) -> None:
    install(site)
    for _ in range(2):
        assert run("-c", OPEN, f"journal:{tmp_path / 'journal'}") == "journal one\n"


def test_a_journal_that_was_cut_short_or_damaged(site: Path, tmp_path: Path, run) -> None:
    """What was never acknowledged is dropped; what was, is never dropped in silence."""
    install(site)
    path = tmp_path / "journal"
    run("-c", OPEN, f"journal:{path}")
    path.write_bytes(path.read_bytes() + b"0badf00d [{}, [")
    assert run("-c", OPEN, f"journal:{path}") == "journal one\n"
    path.write_bytes(path.read_bytes().replace(b"incarnation", b"incarceration", 1))
    assert run("-c", OPEN, f"journal:{path}").startswith(
        f"DataCorruptionError: {path} is damaged: what stands at byte 0"
    )


def test_two_distributions_claim_one_scheme(site: Path, run) -> None:
    install(site)
    install(site, "another-journal", extra="Too")
    told = run("-c", OPEN, "journal:any")
    assert told.startswith("InvalidArgumentError: url: 'journal' is claimed by ")
    assert "journal_store:JournalSessionStoreToo" in told


def test_a_scheme_whose_extra_is_missing(site: Path, run) -> None:
    install(site, extra=" [journal]")
    (site / "journal_store.py").write_text("import no_such_driver\n")
    assert run("-c", OPEN, "journal:any") == (
        "MissingDependencyError: the scheme 'journal' needs more packages: pip install 'sessionstore[journal]'\n"
    )


def test_the_suite_on_a_url(site: Path, tmp_path: Path, run_pytest) -> None:
    """Some of it: that each test has a new store, which lasts."""
    install(site)
    url = f"journal:{tmp_path / 'try-{unique}'}"
    printed = run_pytest(
        "--pyargs", "sessionstore.testing.suite", "--sessionstore-url", url, "-k", "survive or load_as or M1"
    )
    assert re.search(r"^\d+ passed", printed, re.MULTILINE), printed[-3000:]
    assert rows_of(printed)["D"][1:] == ["-", "-"]
    assert len(list(tmp_path.glob("try-*"))) > 5


def test_the_suite_on_servers(tmp_path: Path, run_pytest) -> None:
    """Some of it: the server is another one after a reopen, and has several clients."""
    command = (
        f"{sys.executable} -m sessionstore_server.cli serve --store file:{tmp_path}/{{unique}} --listen 127.0.0.1:0"
    )
    chosen = "test_revisions_go_on or test_checkpoints_survive or another_client or test_store_has_a_name"
    printed = run_pytest("--pyargs", "sessionstore.testing.suite", "--sessionstore-server", command, "-k", chosen)
    assert re.search(r"^\d+ passed", printed, re.MULTILINE), printed[-3000:]
    assert rows_of(printed)["D"] == ["2", "-", "-"]


def test_the_suite_says_what_it_needs(run_pytest) -> None:
    suite = "--pyargs", "sessionstore.testing.suite"
    assert "name the store to try: either --sessionstore-url or --sessionstore-server" in run_pytest(*suite)
    printed = run_pytest(*suite, "--sessionstore-url", "grpc://localhost:50051")
    assert "give --sessionstore-server the command that starts it" in printed


DROPPING = """
from dataclasses import replace
from sessionstore import MemorySessionStore
from sessionstore.testing import DeclaredContract
import pytest

class Forgetful(MemorySessionStore):
    async def capabilities(self):
        return replace(await super().capabilities(), trace_events=False, checkpoints=False)
    async def exists(self, session_id):
        return False

class TestForgetful(DeclaredContract):
    @pytest.fixture
    def store(self):
        return Forgetful()
"""


def test_what_is_broken_and_what_is_not_declared_is_told(tmp_path: Path, run_pytest) -> None:
    (tmp_path / "test_forgetful.py").write_text(DROPPING)
    printed = run_pytest("--sessionstore-report", "-k", "exists or checkpoint or trace", "test_forgetful.py")
    assert rows_of(printed)["S"] == ["0", "1", "-"]
    assert (
        "  broken: S7 A session exists from its first save until it is deleted, and again after the next save."
        in printed
    )
    assert rows_of(printed)["P"][:2] == ["0", "-"]
    assert re.search(
        r"^  skipped: .*P1, .*: the store 'memory' declares that it does not offer checkpoints$", printed, re.M
    )
    assert rows_of(printed)["T"][:2] == ["0", "-"]


def test_every_optional_topic_says_what_it_needs() -> None:
    optional = set(StoreContract.__mro__) - set(RequiredContract.__mro__) - {StoreContract}
    assert optional == NEEDS.keys()


def test_the_report_has_the_sections_of_the_page() -> None:
    headings = re.findall(r"^## ([A-Z]): (.*)$", (DOCS / "contract.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert dict(headings) == {**sessionstore_pytest.SECTIONS, "Q": "requests"}


def test_the_plug_in_loads_nothing_of_the_library(run) -> None:
    """It is loaded by every run of pytest, also of those who only have the library installed."""
    loaded = run("-c", "import sessionstore_pytest, sys; print(*sys.modules)").split()
    assert not [name for name in loaded if name.partition(".")[0] in ("sessionstore", "pytest", "pydantic", "grpc")]
