"""Compares two revisions: the same rows, round by round in turn, each revision with its own library and servers."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.recorded import REPOSITORY
from bench.results import NOISY, Figure

Rates = Mapping[tuple[str, int, str], float]
"""Operations a second by case, callers and contestant."""


def compare(revisions: tuple[str, str], rounds: int, arguments: Sequence[str]) -> None:
    """Run `arguments` of this program under both revisions in turn, and print how the second one does by the first."""
    before, after = list[Rates](), list[Rates]()
    with _checked_out(revisions[0]) as first, _checked_out(revisions[1]) as second:
        for number in range(rounds):
            pair = [(revisions[0], first, before), (revisions[1], second, after)]
            for revision, tree, found in reversed(pair) if number % 2 else pair:
                print(f"round {number + 1} of {rounds}: {revision}", flush=True)
                found.append(_measured(tree, arguments))
    print(*lines(revisions, before, after), sep="\n")


@contextmanager
def _checked_out(revision: str) -> Iterator[Path]:
    """Check a revision out into a worktree, which goes at the end."""
    with TemporaryDirectory(prefix="bench") as folder:
        tree = Path(folder) / "tree"
        _git("worktree", "add", "--detach", str(tree), revision)
        try:
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(tree))


def _git(*arguments: str) -> None:
    subprocess.run(["git", "-C", REPOSITORY, *arguments], check=True, stdout=subprocess.DEVNULL)


def _measured(tree: Path, arguments: Sequence[str]) -> Rates:
    """Measure the library of a worktree with this benchmark."""
    output = tree.with_name("results.json")
    # What stands here comes before what is installed.
    paths = os.pathsep.join(str(tree / part) for part in ("client", "server"))
    command = [sys.executable, "-m", "bench", *arguments, "--output", str(output)]
    subprocess.run(
        command, check=True, cwd=REPOSITORY, stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": paths}
    )
    rows = json.loads(output.read_bytes())["rows"]
    return {(row["case"], row["callers"], row["contestant"]): row["rate"]["median"] for row in rows if row["rate"]}


def lines(revisions: tuple[str, str], before: Sequence[Rates], after: Sequence[Rates]) -> Iterator[str]:
    """Yield the table of a comparison."""
    yield f"\nRate at {revisions[1]} as a part of that at {revisions[0]} (least to greatest of the rounds); ~: noisy"
    case = None
    for key in before[0]:
        if key[:2] != case:
            case = key[:2]
            yield f"\n{key[0]}, callers: {key[1]}"
        yield _line(key, before, after)


def _line(key: tuple[str, int, str], before: Sequence[Rates], after: Sequence[Rates]) -> str:
    ratios = [new[key] / old[key] for old, new in zip(before, after, strict=True) if key in old and key in new]
    if not ratios:
        return f"  {key[2]:<28}{'-':>6}  not measured at both revisions"
    ratio = Figure.of(ratios)
    mark = "~" if ratio.spread > NOISY else " "
    return f"{mark} {key[2]:<28}{ratio.median:>6.2f}  {ratio.least:.2f} to {ratio.greatest:.2f}"
