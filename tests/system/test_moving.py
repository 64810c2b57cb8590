"""`sessionstore copy` and `verify`, run as programs between folders, files, databases and servers."""

import asyncio
import io
import json
import os
import sys
from pathlib import Path
from random import Random

import pytest

from sessionstore import FileSessionStore, SessionStore, open_store
from sessionstore.model import ArtifactReference, SessionData
from sessionstore.moving import read_holding
from sessionstore.store import SessionChange
from sessionstore.testing import load_recorded, samples

RECORDED = Path(__file__).parents[1] / "samples" / "recorded.jsonl"
LARGE = Random(3).randbytes(17 << 20)
"""More than a copy holds in memory."""
CLI = (sys.executable, "-m", "sessionstore_server.cli")


@pytest.fixture
async def source(folder) -> str:
    """The URL of a folder with recorded sessions, large content, records alone, and checkpoints."""
    async with FileSessionStore(folder) as store:
        for snapshot in load_recorded(RECORDED):
            await store.save_snapshot(snapshot)
        await store.save(samples.session("pieces"))
        await store.save_trace_events("pieces", samples.trace_events())
        await store.save_subagent_tasks("records alone", samples.subagent_tasks("records alone"))
        await store.save_loop_checkpoint("run", samples.loop_checkpoint("run"))
        await store.save_workflow_checkpoint("workflow", samples.workflow_checkpoint("workflow"))
        await save_large(store)
    return f"file:{folder}"


async def save_large(store: SessionStore) -> None:
    blob = await store.write_blob(io.BytesIO(LARGE))
    reference = ArtifactReference(
        artifact_id="1", artifact_uri="1", tool_name="bash", original_bytes=0, shown_bytes=0, sha256=blob.sha256
    )
    await store.commit("large", SessionChange(session=samples.session("large"), artifact_references=[reference]))


async def digests(url: str) -> dict[str, str]:
    async with open_store(url) as store:
        ids = [*await store.list(), *await store.list_unsaved()]
        return {each: (await read_holding(store, each)).digest for each in ids}


@pytest.fixture(params=["sqlite", "postgresql", "grpc"])
async def target(request, tmp_path, serve) -> str:
    if request.param == "sqlite":
        return f"sqlite:{tmp_path / 'copy.db'}"
    if request.param == "postgresql":
        dsn: str = request.getfixturevalue("postgres_dsn")()
        return dsn
    return (await serve(f"file:{tmp_path / 'copy'}")).url


async def test_a_store_moves_to_another_and_back(run_cli, source, target, tmp_path) -> None:
    back = f"file:{tmp_path / 'back'}"
    for start, end in ((source, target), (target, back)):
        status, text, errors = await run_cli("copy", "--from", start, "--to", end)
        assert (status, errors) == (0, ""), text
        assert "loop checkpoints: 1" in text
    before = await digests(source)
    assert {"pieces", "records alone", "large"} < before.keys()
    assert await digests(target) == await digests(back) == before
    status, document, _ = await run_cli("copy", "--from", source, "--to", target, "--json")
    again = json.loads(document)
    assert (status, again["items"], again["unchanged"]) == (0, 0, len(before) + 2)
    status, text, _ = await run_cli("verify", target)
    assert status == 0
    assert f"sound: {len(before) + 2} sessions and checkpoints" in text


async def test_a_copy_that_was_killed_goes_on(run_cli, source, tmp_path) -> None:
    target = tmp_path / "copy"
    copying = await asyncio.create_subprocess_exec(*CLI, "copy", "--from", source, "--to", f"file:{target}")
    async with FileSessionStore(target) as store:
        async for page in store.watch():
            if page.commits:
                break
    copying.kill()
    await copying.wait()
    status, text, _ = await run_cli("copy", "--from", source, "--to", f"file:{target}")
    assert status == 0, text
    assert await digests(f"file:{target}") == await digests(source)


async def test_what_is_skipped_is_told(call_cli, source, tmp_path) -> None:
    target = f"file:{tmp_path / 'copy'}"
    async with open_store(target) as store:
        await store.save(SessionData(id="pieces", principal="somebody else"))
    arguments = ("copy", "--from", source, "--to", target, "--prefix", "p")
    status, text, errors = await call_cli(*arguments)
    assert (status, errors) == (1, "")
    assert "session 'pieces': the target has another one: name --overwrite to replace it" in text
    status, text, _ = await call_cli(*arguments, "--overwrite", "--dry-run")
    assert status == 0
    assert text.startswith("to copy: 1 sessions")
    assert (await call_cli(*arguments, "--overwrite"))[0] == 0
    assert list(await digests(target)) == ["pieces"]
    assert (await digests(target))["pieces"] == (await digests(source))["pieces"]


async def test_damage_is_told_and_harmless_to_terminals(call_cli, folder, serve) -> None:
    async with FileSessionStore(folder) as store:
        for session_id in ("sound", "a\x1b[31m\x9b"):
            await store.save(samples.session(session_id))
    for log in folder.rglob("a%1B*/messages.*"):
        log.write_bytes(b"?" + log.read_bytes()[1:])
    url = (await serve(f"file:{folder}")).url
    for command in (("verify", url), ("verify", f"file:{folder}"), ("copy", "--from", url, "--to", "memory:")):
        for options in ((), ("--json",)):
            status, output, errors = await call_cli(*command, *options)
            assert (status, errors) == (1, ""), output
            assert "is damaged" in output
            assert all(char.isprintable() or char == "\n" for char in output)


FAILURES = {
    "no source": (("copy", "--from", "file:/absent", "--to", "memory:"), "there is no store in"),
    "unknown scheme": (("copy", "--from", "memory:", "--to", "s3://bucket"), "no store is known"),
    "nothing to verify": (("verify", "sqlite:/absent"), "there is no store in"),
    "nobody at work": (("verify", "memory:", "--concurrency", "0"), "--concurrency"),
    "a target that fails": (("copy", "--from", "{source}", "--to", "file:/proc/none"), "/proc"),
}


async def test_what_cannot_begin_is_told(call_cli, source) -> None:
    for command, told in FAILURES.values():
        status, output, errors = await call_cli(*(word.format(source=source) for word in command))
        assert (status != 0, output) == (True, ""), command
        assert told in errors
        assert "Traceback" not in errors


async def test_a_terminal_sees_how_far_it_is(source) -> None:
    terminal, end = os.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    process = await asyncio.create_subprocess_exec(
        *CLI, "copy", "--from", source, "--to", "memory:", stdout=asyncio.subprocess.PIPE, stderr=end, env=environment
    )
    os.close(end)
    shown = asyncio.create_task(asyncio.to_thread(read_terminal, terminal))
    await process.communicate()
    assert process.returncode == 0
    total = len(await digests(source)) + 2
    assert f"{total}/{total}" in await shown


def read_terminal(descriptor: int) -> str:
    shown = b""
    try:
        while piece := os.read(descriptor, 4096):
            shown += piece
    except OSError:
        # The other end is closed.
        pass
    finally:
        os.close(descriptor)
    return shown.decode()
