"""`sessionstore ls`, `show` and `rm`, run as programs against a folder and against a server."""

import asyncio
import json
from datetime import UTC, datetime

import pytest

from sessionstore import (
    FileSessionStore,
    InvalidArgumentError,
    MemorySessionStore,
    Message,
    SessionData,
    SessionSnapshot,
    SessionSummary,
)
from sessionstore.testing import samples
from sessionstore_server.server import running_server
from sessionstore_server.services.custom.services import services_of_store

EVIL = "a\x1b[31mred\x07\x9b2J\x7f\u202eb\rc\x00d"
"""Text that colours, rings, clears, deletes, reverses and overwrites, in terminals that it reaches raw."""


@pytest.fixture(params=["file", "grpc"])
async def url(request, folder, serve) -> str:
    """A store with three sessions, one of which holds text that attacks terminals."""
    async with FileSessionStore(folder) as store:
        await store.save_snapshot(samples.snapshot("one/é🧐"))
        await store.save(samples.session("two"))
        await store.save_snapshot(hostile_snapshot())
    if request.param == "file":
        return f"file:{folder}"
    return (await serve(f"file:{folder}")).url


def hostile_snapshot() -> SessionSnapshot:
    snapshot = samples.snapshot("x\x1b[31m")
    session = snapshot.session
    session.config.name = session.config.workspace = session.model_name = EVIL
    session.messages.append(Message.user(EVIL))
    session.messages.append(Message(role=EVIL, content=()))
    snapshot.run_records = [
        run.model_copy(update={"snapshot": run.snapshot.model_copy(update={"id": EVIL.replace("\0", "")})})
        for run in snapshot.run_records[:1]
    ]
    return snapshot


def is_harmless(output: str) -> bool:
    return all(char.isprintable() or char in "\n\u200d" for char in output)


async def test_ls_lists_the_sessions(run_cli, url: str) -> None:
    (status, table, errors), (json_status, lines, _) = await asyncio.gather(
        run_cli("ls", "--store", url), run_cli("ls", "--store", url, "--json")
    )
    assert (status, json_status, errors) == (0, 0, "")
    head, *rows = table.splitlines()
    assert head.split() == ["id", "name", "state", "messages", "tokens", "cost", "updated"]
    assert [row.split()[0] for row in rows] == ["one/é🧐", "two", "x\\x1b[31m"]
    summaries = [SessionSummary.model_validate_json(line) for line in lines.splitlines()]
    assert [summary.id for summary in summaries] == ["one/é🧐", "two", "x\x1b[31m"]
    assert summaries[1].message_count == len(samples.messages())
    assert is_harmless(table)
    assert is_harmless(lines)


SELECTIONS = {
    ("--state", "Active"): ["a", "c"],
    ("--state", "paused", "--desc"): ["b"],
    ("--tenant", "one", "--principal", "me"): ["b"],
    ("--agent-template", "reviewer"): ["c"],
    ("--parent", "a", "--model", "m"): ["b"],
    ("--name", "Be"): ["b", "c"],
    ("--since", "2026-01-02"): ["b", "c"],
    ("--since", "2026-01-01T00:00:01", "--until", "2026-01-03"): ["b"],
    ("--created-since", "1970-01-01T00:00:02", "--created-until", "1970-01-01T00:00:03"): ["b"],
    ("--order", "created_at"): ["c", "b", "a"],
    ("--order", "name", "--desc"): ["c", "b", "a"],
}


async def test_ls_selects_and_orders(call_cli, folder) -> None:
    january = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
    async with FileSessionStore(folder) as store:
        for session in (
            SessionData(id="a", state="Active", config={"name": "Alpha"}, tenant_id="one", created_at=3),
            SessionData(
                id="b",
                state="Paused",
                config={"name": "Beta"},
                tenant_id="one",
                principal="me",
                created_at=2,
                parent_id="a",
                model_name="m",
            ),
            SessionData(id="c", state="Active", config={"name": "Bette"}, agent_template_id="reviewer", created_at=1),
        ):
            session.updated_at = january + "abc".index(session.id) * 86_400
            await store.save(session)
    url = f"file:{folder}"
    for selection, ids in SELECTIONS.items():
        status, lines, errors = await call_cli("ls", "--store", url, "--json", *selection)
        assert (status, errors) == (0, ""), selection
        assert [json.loads(line)["id"] for line in lines.splitlines()] == ids, selection
    assert await call_cli("ls", "--store", url, "--count", "--tenant", "one") == (0, "2\n", "")


async def test_show_shows_a_session(run_cli, url: str) -> None:
    (status, text, errors), (json_status, document, _) = await asyncio.gather(
        run_cli("show", "one/é🧐", "--store", url), run_cli("show", "one/é🧐", "--store", url, "--json")
    )
    assert (status, json_status, errors) == (0, 0, "")
    assert "Why does the parser stop" in text
    assert "It reads bytes where it needs text." in text
    assert SessionSnapshot.model_validate_json(document) == samples.snapshot("one/é🧐")


@pytest.mark.parametrize("url", ["file"], indirect=True)
async def test_show_lets_no_control_character_out(run_cli, url: str) -> None:
    (status, text, _), (json_status, document, _) = await asyncio.gather(
        run_cli("show", "x\x1b[31m", "--store", url), run_cli("show", "x\x1b[31m", "--store", url, "--json")
    )
    assert (status, json_status) == (0, 0)
    assert "\\x1b[31mred" in text
    assert is_harmless(text)
    assert is_harmless(document)
    assert SessionSnapshot.model_validate_json(document) == hostile_snapshot()


async def test_rm_removes_sessions(run_cli, url: str) -> None:
    status, output, errors = await run_cli("rm", "two", "absent", "--store", url)
    assert (status, output) == (1, "")
    assert "absent" in errors
    assert await run_cli("rm", "two", "one/é🧐", "--store", url) == (0, "", "")
    _, lines, _ = await run_cli("ls", "--store", url, "--json")
    assert [json.loads(line)["id"] for line in lines.splitlines()] == ["x\x1b[31m"]


FAILURES = {
    "unknown scheme": (("ls", "--store", "s3://bucket"), "known are file, grpc, memory"),
    "bad url": (("ls", "--store", "grpc://nowhere"), "grpc://HOST:PORT"),
    "absent session": (("show", "a\x1b[31m", "--store", "memory:"), "there is no session"),
    "empty id": (("show", "", "--store", "memory:"), "session_id"),
    "no import folder": (("import-a3s", "/absent", "--store", "memory:"), "/absent"),
}


async def test_a_failure_is_told_on_standard_error(run_cli) -> None:
    outcomes = await asyncio.gather(*(run_cli(*arguments) for arguments, _ in FAILURES.values()))
    for (status, output, errors), (arguments, told) in zip(outcomes, FAILURES.values(), strict=True):
        assert (status != 0, output) == (True, ""), arguments
        assert told in errors
        assert "Traceback" not in errors
        assert is_harmless(errors)


async def test_what_a_server_says_is_harmless_too(run_cli) -> None:
    class ShoutingStore(MemorySessionStore):
        services = property(services_of_store)

        async def exists(self, session_id: str) -> bool:
            raise InvalidArgumentError(session_id, EVIL)

    async with running_server(ShoutingStore()) as server:
        status, output, errors = await run_cli("rm", "one", "--store", f"grpc://{server.address}")
    assert (status, output) == (1, "")
    assert errors.startswith("error: one: a\\x1b[31mred")
    assert is_harmless(errors)


async def test_the_environment_names_the_store(run_cli, folder, monkeypatch) -> None:
    async with FileSessionStore(folder) as store:
        await store.save(samples.session("one"))
    monkeypatch.setenv("SESSIONSTORE_STORE", f"file:{folder}")
    status, output, _ = await run_cli("ls", "--json")
    assert (status, json.loads(output)["id"]) == (0, "one")
