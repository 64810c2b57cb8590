"""Rules for every file of the repository."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
MAX_LINES = 400
GENERATED = "client/sessionstore/v1/"
# Put together, so that this file does not break the rule that it checks.
MACHINE_PATHS = re.compile(rb"(?<![\w.~/-])/(?:work|root)" + rb"/")
REGISTRIES = re.compile(rb"pypi[.]|pythonhosted[.]|npmjs[.]|proxy[.]golang|/simple" + rb"/", re.IGNORECASE)


def tracked_files() -> list[Path]:
    """Return what git tracks or would add."""
    command = ("git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    names = subprocess.run(command, capture_output=True, check=True).stdout.decode().split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def test_no_source_file_is_too_long() -> None:
    sources = [path for path in tracked_files() if path.suffix == ".py" and GENERATED not in path.as_posix()]
    assert len(sources) > 100
    assert [path for path in sources if path.read_bytes().count(b"\n") > MAX_LINES] == []


def test_no_file_names_a_path_of_one_machine() -> None:
    assert [path for path in tracked_files() if MACHINE_PATHS.search(path.read_bytes())] == []


def test_no_file_names_a_package_registry() -> None:
    assert [path for path in tracked_files() if REGISTRIES.search(path.read_bytes())] == []
