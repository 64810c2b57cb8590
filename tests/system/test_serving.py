"""A server process says where it listens, logs for machines, and refuses in one line what it cannot do."""

import json
import signal
import socket
from contextlib import aclosing

import pytest

from sessionstore import InvalidArgumentError
from sessionstore.testing import samples


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_one_line_tells_the_address_and_a_signal_ends_it(serve, number: int) -> None:
    server = await serve("memory:")
    async with server.store() as store:
        await store.health_check()
    server.send(number)
    assert await server.ended() == (0, "")


async def test_logs_are_one_json_object_a_line(serve, folder) -> None:
    server = await serve(f"file:{folder}", "--log-format", "json")
    async with server.store() as store:
        with pytest.raises(InvalidArgumentError):
            await store.load("")
    await server.stop()
    lines = [json.loads(line) for line in server.log().splitlines()]
    assert [line["event"] for line in lines] == ["serving", "call refused", "stopped"]
    assert all(line.keys() >= {"timestamp", "level", "logger"} for line in lines)
    assert (lines[0]["address"], lines[0]["store"]) == (server.address, "file")
    assert lines[1]["method"] == "/sessionstore.v1.SessionService/LoadSession"


async def test_a_stop_beside_open_streams_is_no_refusal(serve) -> None:
    server = await serve("memory:", "--log-format", "json")
    async with server.store() as store:
        await store.save(samples.session())
        async with aclosing(store.watch()) as notices:
            await anext(notices)
            await server.stop()
    assert [json.loads(line)["event"] for line in server.log().splitlines()] == ["serving", "stopped"]


async def test_logs_and_folders_hold_no_api_key(serve, folder) -> None:
    server = await serve(f"file:{folder}", "--log-level", "debug")
    session = samples.session()
    session.llm_config.api_key = "sk-hidden"
    async with server.store() as store:
        await store.save(session)
        loaded = await store.load(session.id)
    await server.stop()
    assert loaded.llm_config.api_key is None
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"sk-hidden" in path.read_bytes()]
    assert "sk-hidden" not in server.log()


async def test_a_malformed_address_is_refused(run_cli) -> None:
    listen = "no such host:1"
    status, output, errors = await run_cli("serve", "--store", "memory:", "--listen", listen, "--log-level", "error")
    assert (status, output) == (1, "")
    assert errors.startswith("error: listen: ")
    assert repr(listen) in errors
    assert errors.count("\n") == 1


async def test_an_address_in_use_is_refused(run_cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        status, output, errors = await run_cli("serve", "--store=memory:", "--listen", listen, "--log-level=error")
    assert (status, output) == (1, "")
    assert errors.startswith(f"error: listen: cannot listen on '{listen}'")
    assert errors.count("\n") == 1


async def test_a_store_that_cannot_open_is_refused(run_cli, tmp_path) -> None:
    (tmp_path / "taken").write_text("no folder")
    cases = {
        f"file:{tmp_path / 'taken'}": str(tmp_path / "taken"),
        "ftp:data": "known are file, grpc, memory",
    }
    for store, told in cases.items():
        status, output, errors = await run_cli("serve", "--store", store, "--listen=127.0.0.1:0", "--log-level=error")
        assert (status, output) == (1, ""), store
        assert errors.startswith("error: "), errors
        assert told in errors
        assert errors.count("\n") == 1


async def test_a_log_level_that_does_not_exist_is_refused(run_cli) -> None:
    status, _, errors = await run_cli("serve", "--store=memory:", "--listen=127.0.0.1:0", "--log-level", "loud")
    assert status == 2
    assert "Traceback" not in errors
    assert "loud" in errors
