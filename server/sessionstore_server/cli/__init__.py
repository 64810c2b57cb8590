"""The command line: `sessionstore serve`, `ls`, `show`, `rm`, moving sessions, and what operators need."""

import os
import sys


def main() -> None:
    """Run the command line; what it needs is checked first."""
    # The lines that gRPC itself writes are neither messages for people nor JSON for machines.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        from sessionstore_server.cli.app import app
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("sessionstore"):
            raise
        sys.exit(f"error: the command line needs {error.name}: pip install 'sessionstore[cli]'")
    app()
