"""What the README tells people to run does run."""

import asyncio
import re
import sys
from pathlib import Path

import typer

from sessionstore_server.cli.app import app

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"^ {4}(\S.*)$", re.MULTILINE)
DEFAULT_ADDRESS = re.compile(r"(?:localhost|127\.0\.0\.1):50051")


def python_blocks() -> list[str]:
    return [text for language, text in BLOCK.findall(README) if language == "python"]


def shell_lines() -> list[str]:
    """Return the commands that are shown, without their comments."""
    fenced = [
        line.strip() for language, text in BLOCK.findall(README) if language != "python" for line in text.split("\n")
    ]
    return [line.partition(" #")[0] for line in (*fenced, *INDENTED.findall(BLOCK.sub("", README)))]


async def test_the_python_blocks_run_against_a_server(serve, tmp_path: Path) -> None:
    """They are one program, in the order in which people read them."""
    server = await serve(f"file:{tmp_path / 'data'}")
    code = "\n".join(python_blocks())
    program = tmp_path / "quickstart.py"
    program.write_text(DEFAULT_ADDRESS.sub(server.address, code), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", program, cwd=tmp_path, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    assert (process.returncode, errors.decode()) == (0, "")


def test_the_commands_exist() -> None:
    commands = typer.main.get_command(app).commands
    for line in shell_lines():
        if used := re.search(r"(?:^|[/\s])sessionstore ([\w-]+)(.*)", line):
            assert used[1] in commands, line
            known = {option for parameter in commands[used[1]].params for option in parameter.opts}
            assert set(re.findall(r"(?<=\s)--[\w-]+", used[2])) <= known, line


def test_the_make_targets_exist() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"serve", "test"} <= targets
    for line in shell_lines():
        if used := re.match(r"make ([\w-]+)", line):
            assert used[1] in targets, line
