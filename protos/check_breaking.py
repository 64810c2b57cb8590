"""Compare the protos with those of the newest release: `python protos/check_breaking.py`.

A release is a git tag that starts with `v`. Ends with 1 and one line per finding when a change would break
programs that were built against it.
"""

import io
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent
BUF = Path(sysconfig.get_path("scripts")) / "buf"


def main() -> None:
    """Compare, tell the outcome, and end with its status."""
    release = newest_release()
    if release is None:
        print("There is no release tag v* yet: nothing to compare the protos with.")
        return
    with tempfile.TemporaryDirectory() as folder:
        extract_protos(release, Path(folder))
        status = subprocess.run([BUF, "breaking", ROOT, "--against", Path(folder) / ROOT.name]).returncode
    if status:
        sys.exit(f"The protos break programs built against {release}.")
    print(f"The protos are compatible with {release}.")


def newest_release() -> str | None:
    """Return the release tag with the highest version, or None when there is none."""
    tags = git("tag", "--list", "v*", "--sort=-version:refname").decode().splitlines()
    return tags[0] if tags else None


def extract_protos(release: str, folder: Path) -> None:
    """Write the protos of `release` under `folder`."""
    archive = git("archive", "--format=tar", release, ROOT.name)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")


def git(*arguments: str) -> bytes:
    """Run git in the folder that holds the protos, and return its output."""
    command = ["git", *arguments]
    return subprocess.run(command, cwd=ROOT.parent, check=True, stdout=subprocess.PIPE).stdout


if __name__ == "__main__":
    main()
