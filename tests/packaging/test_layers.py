"""Imports point one way, and nobody loads what they did not ask for: by the sources, and in real interpreters."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = {
    path: source
    for source in ("client", "server")
    for path in sorted((ROOT / source).rglob("*.py"))
    if "v1" not in path.parts
}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT / SOURCES[path]).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in SOURCES}


def imports_of(path: Path) -> set[str]:
    """Return the full names of everything that a module imports, leaving out what only type checkers see."""
    return set(_imports(ast.parse(path.read_text(encoding="utf-8"))))


def _imports(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return
        case ast.Import():
            yield from (alias.name for alias in node.names)
        case ast.ImportFrom():
            assert node.level == 0, "imports name their module in full"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
    for child in ast.iter_child_nodes(node):
        yield from _imports(child)


def is_within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


SERVER = "sessionstore_server"
LAYERS = {
    # Modules: what they may not import.
    "sessionstore.errors": ("sessionstore", SERVER),
    "sessionstore.model": (
        "sessionstore.wire",
        "sessionstore.v1",
        "sessionstore.store",
        "sessionstore.adapter",
        "sessionstore.transport",
        "sessionstore.remote",
        "sessionstore.opening",
        SERVER,
    ),
    "sessionstore.store": (
        "sessionstore.wire",
        "sessionstore.v1",
        "sessionstore.adapter",
        "sessionstore.remote",
        SERVER,
    ),
    "sessionstore.wire": ("sessionstore.store", "sessionstore.adapter", "sessionstore.remote", "sessionstore.opening"),
    "sessionstore.adapter": ("sessionstore.remote", "sessionstore.opening", "sessionstore.channel"),
    "sessionstore.moving": ("sessionstore.wire", "sessionstore.v1", "sessionstore.adapter", "sessionstore.remote"),
    "sessionstore.interchange": ("sessionstore.wire", "sessionstore.v1", "sessionstore.adapter", "sessionstore.remote"),
    "sessionstore": (SERVER,),
    f"{SERVER}.backends": (
        "sessionstore.model",
        "sessionstore.wire",
        "sessionstore.v1",
        "sessionstore.adapter",
        f"{SERVER}.services",
        f"{SERVER}.stores",
        f"{SERVER}.server",
        f"{SERVER}.rpc",
        f"{SERVER}.local",
        f"{SERVER}.cli",
    ),
    f"{SERVER}.services": (
        "sessionstore.adapter",
        "sessionstore.remote",
        f"{SERVER}.backends.memory",
        f"{SERVER}.backends.file",
        f"{SERVER}.stores",
        f"{SERVER}.server",
        f"{SERVER}.rpc",
        f"{SERVER}.local",
        f"{SERVER}.cli",
    ),
    f"{SERVER}.stores": (f"{SERVER}.server", f"{SERVER}.rpc", f"{SERVER}.cli", "sessionstore.remote"),
    f"{SERVER}.local": (f"{SERVER}.server", f"{SERVER}.rpc", f"{SERVER}.cli", f"{SERVER}.stores"),
    f"{SERVER}.server": (f"{SERVER}.cli", "sessionstore.remote"),
    f"{SERVER}.rpc": (f"{SERVER}.cli", f"{SERVER}.server", f"{SERVER}.stores", f"{SERVER}.backends"),
}
PACKAGES = {
    # Third-party packages: who alone may import them.
    "grpc": (
        "sessionstore.channel_transport",
        "sessionstore.connection",
        "sessionstore.multiplexing",
        "sessionstore.failures",
        f"{SERVER}.rpc",
        f"{SERVER}.server",
    ),
    "grpc_health": (f"{SERVER}.server",),
    "grpc_reflection": (f"{SERVER}.server",),
    "typer": (f"{SERVER}.cli",),
    "rich": (f"{SERVER}.cli",),
    "structlog": (f"{SERVER}.server", f"{SERVER}.rpc", f"{SERVER}.logs", f"{SERVER}.workers", f"{SERVER}.cli"),
    "pytest": ("sessionstore.testing",),
    "hypothesis": ("sessionstore.testing",),
    "google": (
        "sessionstore.wire",
        "sessionstore.adapter",
        "sessionstore.transport",
        "sessionstore.channel_transport",
        "sessionstore.connection",
        "sessionstore.multiplexing",
        f"{SERVER}.services",
        f"{SERVER}.record_json",
        f"{SERVER}.local",
        f"{SERVER}.rpc",
    ),
}


def test_all_sources_are_read() -> None:
    assert len(MODULES) > 80
    for layer in LAYERS:
        assert any(is_within(module, (layer,)) for module in MODULES), layer


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_does_not_reach_up(layer: str) -> None:
    wrong = [
        f"{module} imports {name}"
        for module, path in MODULES.items()
        if is_within(module, (layer,)) and not is_within(module, ("sessionstore.testing",))
        for name in imports_of(path)
        if is_within(name, LAYERS[layer]) and not is_within(name, (layer,) if layer != "sessionstore" else ())
    ]
    assert wrong == []


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_is_imported_only_where_it_belongs(package: str) -> None:
    users = [
        module for module, path in MODULES.items() if any(is_within(name, (package,)) for name in imports_of(path))
    ]
    assert users
    assert [module for module in users if not is_within(module, PACKAGES[package])] == []


def loaded_by(code: str) -> set[str]:
    """Run code in an interpreter of its own, and return what it loaded."""
    script = f"{code}\nimport sys\nprint(*sys.modules, sep='\\n')"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(result.stdout.splitlines())


HEAVY = {"grpc", "google.protobuf", "typer", "rich", "structlog", "hypothesis", "pytest"}
USE_MEMORY = """
import asyncio
from sessionstore import Message, SessionData, open_store
async def main():
    async with open_store("memory:") as store:
        await store.save(SessionData(id="one", messages=[Message.user("hello")]))
        assert (await store.load("one")).messages
asyncio.run(main())
"""


def test_importing_the_library_loads_nothing_heavy() -> None:
    loaded = loaded_by("import sessionstore; sessionstore.SessionData(id='one').model_dump_json()")
    assert "sessionstore.model" in loaded
    assert loaded & HEAVY == set()
    assert not any(name.startswith("sessionstore_server") for name in loaded)


def test_a_store_in_process_loads_no_grpc() -> None:
    loaded = loaded_by(USE_MEMORY)
    assert "sessionstore_server.stores" in loaded
    assert loaded & (HEAVY - {"google.protobuf"}) == set()


def test_the_remote_store_loads_no_server() -> None:
    loaded = loaded_by("from sessionstore import RemoteSessionStore; RemoteSessionStore('localhost:1')")
    assert "grpc.aio" in loaded
    assert not any(name.startswith("sessionstore_server") for name in loaded)


def test_the_server_loads_no_tests() -> None:
    loaded = loaded_by("import sessionstore_server.server, sessionstore_server.cli.app")
    assert loaded & {"pytest", "hypothesis"} == set()
