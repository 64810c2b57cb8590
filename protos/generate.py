"""Generate the Python modules of the protos: `python protos/generate.py [OUTPUT]`.

OUTPUT is the source root that receives `sessionstore/v1`, by default the library's own. The tools are those
pinned under the extra `dev`; others write other files.
"""

import argparse
import sys
import sysconfig
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc  # type: ignore[import-untyped]

ROOT = Path(__file__).parent
PACKAGE = Path("sessionstore/v1")


def main() -> None:
    """Generate into the folder that the command line names."""
    parser = argparse.ArgumentParser(description="Generate the Python modules of the protos.")
    parser.add_argument("output", nargs="?", type=Path, default=ROOT.parent / "client", help="the source root")
    generate(parser.parse_args().output)


def generate(output: Path) -> None:
    """Replace the generated modules under `output`; gRPC modules come for the protos that hold a service."""
    package = output / PACKAGE
    package.mkdir(parents=True, exist_ok=True)
    for stale in package.glob("*_pb2*"):
        stale.unlink()
    protos = sorted((ROOT / PACKAGE).glob("*.proto"))
    services = [proto for proto in protos if "\nservice " in proto.read_text(encoding="utf-8")]
    run_protoc(protos, f"--python_out={output}", f"--mypy_out=quiet:{output}")
    run_protoc(services, f"--grpc_python_out={output}", f"--mypy_grpc_out=quiet:{output}")


def run_protoc(protos: list[Path], *outputs: str) -> None:
    """Run the compiler on `protos`, or end the program with its messages when it fails."""
    status = protoc.main(["protoc", *include_paths(), *plugins(), *outputs, *map(str, protos)])
    if status:
        sys.exit(status)


def include_paths() -> list[str]:
    """Name the folders in which imports are looked up: ours, and that of the well-known types."""
    return [f"--proto_path={ROOT}", f"--proto_path={files('grpc_tools') / '_proto'}"]


def plugins() -> list[str]:
    """Name the plugins of the running environment, which need not be on PATH."""
    scripts = Path(sysconfig.get_path("scripts"))
    return [f"--plugin={name}={scripts / name}" for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")]


if __name__ == "__main__":
    main()
