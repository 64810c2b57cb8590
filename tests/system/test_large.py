"""Content and sessions of any size: over a link that breaks, with default options, in little memory.

The clients whose memory counts, and all servers, are processes of their own.
"""

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest

from sessionstore import Message, RemoteSessionStore, SessionData, SessionSnapshot
from sessionstore.testing import assert_same, load_recorded
from sessionstore.testing.proxy import LosingProxy

MIB = 1 << 20
CUTS = 20
"""While the content goes there, and as many while it comes back."""
MOST_GROWN_BYTES = 64 * MIB
MESSAGE_BYTES = 100_000
CLIENT = Path(__file__).with_name("large_client.py")
RECORDED = Path(__file__).parents[1] / "samples" / "recorded.jsonl"

SOAK = (pytest.mark.soak, pytest.mark.timeout(1800))
STORES = {"file": "file:{}/data", "sqlite": "sqlite:{}/data.db"}


@pytest.mark.parametrize("store", STORES.values(), ids=STORES)
@pytest.mark.parametrize("size", [96 * MIB, pytest.param(1024 * MIB, marks=SOAK)], ids=["96 MiB", "1 GiB"])
async def test_large_content_over_a_link_that_is_cut(serve, tmp_path: Path, store: str, size: int) -> None:
    path = tmp_path / "content"
    digest = write_random(path, size)
    server = await serve(store.format(tmp_path))
    proxy = LosingProxy(server.address)
    proxy.cuts = [size // (CUTS + 1)] * 2 * CUTS
    async with proxy.running(), running_client(proxy.address, path) as client:
        assert await answer(client) == "ready"
        pids = (client.pid, server.pid)
        before = [peak_bytes(pid) for pid in pids]
        go_on(client)
        assert await answer(client) == digest
        grown = [peak_bytes(pid) - earlier for pid, earlier in zip(pids, before, strict=True)]
    assert proxy.cuts == []
    assert size < proxy.requested_bytes < 2 * size
    assert size < proxy.answered_bytes < 2 * size
    assert max(grown) < MOST_GROWN_BYTES, [bytes_ // MIB for bytes_ in grown]


async def test_content_that_is_stored_is_not_sent(serve, tmp_path: Path) -> None:
    path = tmp_path / "content"
    digest = write_random(path, 8 * MIB)
    server = await serve()
    async with LosingProxy(server.address).running() as proxy, RemoteSessionStore(proxy.address) as store:
        assert (await store.write_blob(path)).sha256 == digest
        sent = proxy.requested_bytes
        assert (await store.write_blob(path)).sha256 == digest
        assert sent > 8 * MIB
        assert proxy.requested_bytes - sent < 10_000


@pytest.mark.parametrize("store", STORES.values(), ids=STORES)
@pytest.mark.parametrize("size", [40 * 10**6, pytest.param(200 * 10**6, marks=SOAK)], ids=["40 MB", "200 MB"])
async def test_a_large_session_passes_with_default_options(serve, tmp_path: Path, store: str, size: int) -> None:
    server = await serve(store.format(tmp_path))
    session = SessionData(id="a", messages=large_messages(size))
    async with server.store() as writer, server.store() as reader:
        await writer.save(session)
        assert_same(await reader.load("a"), session)
        session.messages.reverse()
        await writer.save_snapshot(SessionSnapshot(session=session))
        assert_same((await reader.load_snapshot("a")).session, session)


def large_messages(size: int) -> list[Message]:
    """Return messages of 100 kB, as long tool outputs are, of what recorded messages hold."""
    recorded = [message for snapshot in load_recorded(RECORDED) for message in snapshot.session.messages]
    text = "".join(message.model_dump_json() for message in recorded)
    text *= MESSAGE_BYTES // len(text) + 1
    return [Message.user(f"{number} {text}") for number in range(size // len(text) + 1)]


def write_random(path: Path, size: int) -> str:
    """Fill a file with bytes that do not repeat; return their digest."""
    content = sha256()
    source = Random(size)
    with path.open("wb") as file:
        for _ in range(size // MIB):
            piece = source.randbytes(MIB)
            content.update(piece)
            file.write(piece)
    return content.hexdigest()


@asynccontextmanager
async def running_client(address: str, path: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    client = await asyncio.create_subprocess_exec(sys.executable, CLIENT, address, path, stdin=PIPE, stdout=PIPE)
    try:
        yield client
        go_on(client)
        await client.communicate()
    finally:
        if client.returncode is None:
            client.kill()
            await client.communicate()
    assert client.returncode == 0


async def answer(client: asyncio.subprocess.Process) -> str:
    assert client.stdout is not None
    return (await client.stdout.readline()).decode().strip()


def go_on(client: asyncio.subprocess.Process) -> None:
    assert client.stdin is not None
    client.stdin.write(b"\n")


def peak_bytes(pid: int) -> int:
    """Return the most memory that a process ever had resident."""
    status = Path(f"/proc/{pid}/status").read_text()
    (kibibytes,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(kibibytes) << 10
