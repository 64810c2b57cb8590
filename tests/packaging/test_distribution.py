"""What the distribution offers: public names, stores by scheme, also those of other packages."""

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import sessionstore
from sessionstore import SessionStore
from sessionstore.opening import GROUP

SHELF = """
from sessionstore import SessionStore

class ShelfStore(SessionStore):
    @classmethod
    def from_url(cls, url, create=True):
        return cls()

    @property
    def backend_name(self):
        return "shelf"

    save = load = delete = list = exists = None
"""
OPEN = """
import asyncio, sys
from sessionstore import SessionStoreError, open_store
async def main():
    async with open_store(sys.argv[1]) as store:
        print(store.backend_name)
try:
    asyncio.run(main())
except SessionStoreError as error:
    print(f"{type(error).__name__}: {error}")
"""


def test_the_public_names_are_there_and_stand_once() -> None:
    assert len(sessionstore.__all__) == len(set(sessionstore.__all__))
    for name in sessionstore.__all__:
        assert getattr(sessionstore, name) is not None


def test_a_star_import_brings_them_all() -> None:
    namespace: dict[str, object] = {}
    exec("from sessionstore import *", namespace)
    assert set(sessionstore.__all__) <= namespace.keys()


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="SqlStore"):
        sessionstore.SqlStore  # noqa: B018 - the access is the test


def test_the_stores_are_entry_points() -> None:
    entries = {entry.name: entry.load() for entry in entry_points(group=GROUP)}
    assert entries == {
        "memory": sessionstore.MemorySessionStore,
        "file": sessionstore.FileSessionStore,
        "sqlite": sessionstore.SqliteSessionStore,
        "postgresql": sessionstore.PostgresSessionStore,
        "grpc": sessionstore.RemoteSessionStore,
    }
    assert all(issubclass(store_class, SessionStore) for store_class in entries.values())


def test_the_command_is_an_entry_point() -> None:
    (command,) = entry_points(group="console_scripts", name="sessionstore")
    assert command.value == "sessionstore_server.cli:main"
    assert callable(command.load())


def install(site: Path, package: str, scheme: str, target: str) -> None:
    """Lay out a folder as an installer leaves it behind."""
    site.mkdir(exist_ok=True)
    (site / f"{package}.py").write_text(SHELF)
    info = site / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{scheme} = {target}\n")


def opened(site: Path, url: str) -> str:
    script = f"import sys; sys.path.append({str(site)!r}); del sys.argv[0:1]; sys.argv.insert(0, '')\n{OPEN}"
    result = subprocess.run([sys.executable, "-c", script, url], capture_output=True, text=True, check=True)
    return result.stdout.strip()


def test_another_package_adds_a_scheme(tmp_path: Path) -> None:
    install(tmp_path / "site", "shelf", "shelf", "shelf:ShelfStore")
    assert opened(tmp_path / "site", "shelf:any") == "shelf"
    assert opened(tmp_path / "site", "cellar:any").endswith("known are file, grpc, memory, postgresql, shelf, sqlite")


def test_two_packages_may_not_claim_one_scheme(tmp_path: Path) -> None:
    """Also not when one of them claims a scheme of ours."""
    for package, scheme in (("shelf", "shelf"), ("other", "shelf"), ("third", "memory")):
        install(tmp_path / "site", package, scheme, f"{package}:ShelfStore")
    told = opened(tmp_path / "site", "shelf:any")
    assert told.startswith("InvalidArgumentError: url: ")
    assert "other:ShelfStore" in told
    assert "shelf:ShelfStore" in told
    assert opened(tmp_path / "site", "memory:").startswith("InvalidArgumentError: url: ")
    assert opened(tmp_path / "site", "file:").startswith("InvalidArgumentError: url: ")


def test_a_missing_package_names_the_extra_that_brings_it(tmp_path: Path) -> None:
    install(tmp_path / "site", "shelf", "shelf", "no_such_driver:ShelfStore [shelf]")
    assert opened(tmp_path / "site", "shelf:any") == (
        "MissingDependencyError: the scheme 'shelf' needs more packages: pip install 'sessionstore[shelf]'"
    )


def test_without_the_command_line_packages_the_command_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise ModuleNotFoundError('no typer', name='typer')")
    script = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from sessionstore_server.cli import main; main()"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr == "error: the command line needs typer: pip install 'sessionstore[cli]'\n"
