"""The protos are clean, their generated modules are fresh, and breaking changes are found."""

import importlib
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from google.protobuf.descriptor import FileDescriptor

ROOT = Path(__file__).parents[2]
PROTOS = ROOT / "protos"
SCHEMA = PROTOS / "sessionstore" / "v1"
GENERATED = ROOT / "client" / "sessionstore" / "v1"
BUF = Path(sysconfig.get_path("scripts")) / "buf"
NAMES = sorted(path.stem for path in SCHEMA.glob("*.proto"))


def test_lint_is_clean() -> None:
    assert_succeeds(run(BUF, "lint", PROTOS))


def test_format_is_clean() -> None:
    assert_succeeds(run(BUF, "format", "--diff", "--exit-code", PROTOS))


def test_generated_modules_are_fresh(tmp_path: Path) -> None:
    assert_succeeds(run(sys.executable, PROTOS / "generate.py", tmp_path))
    fresh = modules(tmp_path / "sessionstore" / "v1")
    stale = {name for name, _ in modules(GENERATED).items() ^ fresh.items()}
    assert not stale, "run `python protos/generate.py`"


@pytest.mark.parametrize("name", NAMES)
def test_each_proto_has_its_modules(name: str) -> None:
    """Messages always have a typed module; stubs have one exactly when the file holds a service."""
    has_service = bool(describe(name).services_by_name)
    for suffix in (".py", ".pyi"):
        assert (GENERATED / f"{name}_pb2{suffix}").is_file()
        assert (GENERATED / f"{name}_pb2_grpc{suffix}").is_file() == has_service


@pytest.mark.parametrize("name", NAMES)
def test_imports_are_our_own_or_well_known(name: str) -> None:
    for dependency in describe(name).dependencies:
        assert dependency.name.startswith(("sessionstore/v1/", "google/protobuf/"))


@pytest.mark.parametrize("name", NAMES)
def test_each_call_lists_its_errors(name: str) -> None:
    text = (SCHEMA / f"{name}.proto").read_text(encoding="utf-8")
    comments = {call: comment for comment, call in re.findall(r"((?:^ *//.*\n)+) *rpc (\w+)", text, re.MULTILINE)}
    for service in describe(name).services_by_name.values():
        assert {method.name for method in service.methods} == comments.keys()
    assert all("// Errors:" in comment for comment in comments.values())


@pytest.mark.parametrize("name", NAMES)
def test_writes_share_their_first_fields(name: str) -> None:
    """Field 1 names what is written, 2 its expected revision, 3 the request, 5 the lease; 6 to 9 stay free."""
    for message in describe(name).message_types_by_name.values():
        revision = message.fields_by_name.get("expected_revision")
        if revision is None:
            continue
        assert revision.number == 2
        assert message.fields_by_name["request_id"].number == 3
        assert not {field.number for field in message.fields} & set(range(6, 10))


def test_breaking_check_passes_before_the_first_release(tmp_path: Path) -> None:
    repository = copy_repository(tmp_path)
    result = check_breaking(repository)
    assert_succeeds(result)
    assert "no release tag" in result.stdout


def test_breaking_check_takes_the_newest_release(tmp_path: Path) -> None:
    """v0.10.0 is newer than v0.9.0, in spite of its spelling."""
    repository = copy_repository(tmp_path)
    release(repository, "v0.9.0")
    release(repository, "v0.10.0")
    result = check_breaking(repository)
    assert_succeeds(result)
    assert "compatible with v0.10.0" in result.stdout


def test_breaking_check_finds_a_changed_field(tmp_path: Path) -> None:
    repository = copy_repository(tmp_path)
    release(repository, "v0.1.0")
    trace = repository / "protos" / "sessionstore" / "v1" / "trace.proto"
    trace.write_text(trace.read_text().replace("uint64 duration_ms = 6", "string duration_ms = 6"))
    result = check_breaking(repository)
    assert result.returncode == 1
    assert "trace.proto" in result.stdout
    assert "duration_ms" in result.stdout
    assert "v0.1.0" in result.stderr


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True)


def assert_succeeds(result: subprocess.CompletedProcess[str]) -> None:
    assert result.returncode == 0, result.stdout + result.stderr


def modules(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*_pb2*.py*")}


def describe(name: str) -> FileDescriptor:
    descriptor = importlib.import_module(f"sessionstore.v1.{name}_pb2").DESCRIPTOR
    assert isinstance(descriptor, FileDescriptor)
    return descriptor


def copy_repository(folder: Path) -> Path:
    """Make a git repository that holds the protos and no commit."""
    shutil.copytree(PROTOS, folder / "protos")
    assert_succeeds(run("git", "init", "--quiet", folder))
    return folder


def release(repository: Path, tag: str) -> None:
    git = ("git", "-C", repository, "-c", "user.name=Test", "-c", "user.email=test@example.org")
    assert_succeeds(run(*git, "add", "protos"))
    assert_succeeds(run(*git, "-c", "commit.gpgsign=false", "commit", "--quiet", "--allow-empty", "--message", tag))
    assert_succeeds(run(*git, "-c", "tag.gpgsign=false", "tag", tag))


def check_breaking(repository: Path) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, repository / "protos" / "check_breaking.py")
