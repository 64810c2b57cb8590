"""The PostgreSQL store through a real PgBouncer, which gives each transaction another connection of the database."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from sessionstore import PostgresSessionStore, SessionData
from sessionstore.testing import (
    AppendContract,
    CommitContract,
    ContentContract,
    FollowContract,
    LeaseContract,
    SessionConcurrencyContract,
    SessionContract,
    WatchContract,
)
from sessionstore.testing.watching import told, watching

PORT = 6432
SETTINGS = """
[databases]
* = host={host} port={port} user={user}

[pgbouncer]
pool_mode = transaction
default_pool_size = 3
max_client_conn = 200
auth_type = any
log_connections = 0
log_disconnections = 0
log_stats = 0
listen_port = {socket}
unix_socket_dir = {folder}
logfile = {folder}/log
pidfile = {folder}/pid
"""


@pytest.fixture(scope="module")
def bouncer(postgres_databases) -> Iterator[Path]:
    """The folder with the socket of a PgBouncer before the server of the tests."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        pytest.skip("there is no pgbouncer on the PATH")
    dsn = postgres_databases.make()
    server = urlsplit(dsn)
    host = parse_qs(server.query).get("host", [server.hostname or "localhost"])[0]
    with tempfile.TemporaryDirectory(prefix="bouncer", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        settings = folder / "settings"
        settings.write_text(
            SETTINGS.format(host=host, port=server.port or 5432, user=server.username, socket=PORT, folder=folder)
        )
        command = [program, *_as_another(folder, host), settings]
        with subprocess.Popen(command, stderr=subprocess.PIPE) as process, ThreadPoolExecutor(1) as reading:
            assert process.stderr is not None
            # It is up once it says so.
            while b"process up" not in (line := process.stderr.readline()):
                assert line, (folder / "log").read_text()
            # It would stop at a full pipe.
            reading.submit(process.stderr.read)
            yield folder
            process.terminate()
    postgres_databases.drop(dsn)


def _as_another(folder: Path, host: str) -> list[str]:
    """Return what makes PgBouncer run as the user who may reach the database, since it refuses root."""
    if os.getuid():
        return []
    owner = Path(host).stat().st_uid if host.startswith("/") else pwd.getpwnam("nobody").pw_uid
    for path in (folder, *folder.iterdir()):
        os.chown(path, owner, -1)
    return ["-u", pwd.getpwuid(owner).pw_name]


@pytest.fixture
def url(bouncer: Path, postgres_dsn: Callable[[], str]) -> str:
    """A new database, through PgBouncer."""
    server = urlsplit(postgres_dsn())
    return f"postgresql://{server.username}@{server.path}?host={bouncer}&port={PORT}&statement_cache_size=0"


class TestStoreThroughPgBouncer(
    SessionContract,
    SessionConcurrencyContract,
    CommitContract,
    AppendContract,
    FollowContract,
    ContentContract,
    WatchContract,
    LeaseContract,
):
    @pytest.fixture
    async def store(self, url: str) -> AsyncIterator[PostgresSessionStore]:
        async with PostgresSessionStore.from_url(url) as store:
            yield store


async def test_connections_change_between_transactions(url: str) -> None:
    """Else these tests would show nothing."""
    connections = [await asyncpg.connect(url.partition("&statement")[0], statement_cache_size=0) for _ in range(2)]
    pids = []
    for held, free in (connections, connections[::-1]):
        async with held.transaction():
            await held.execute("SELECT 1")
            pids.append(await free.fetchval("SELECT pg_backend_pid()"))
        pids.append(await free.fetchval("SELECT pg_backend_pid()"))
    assert len(set(pids)) > 1
    for connection in connections:
        await connection.close()


async def test_a_commit_of_another_process_is_told(url: str) -> None:
    """Notifications get lost on the way, so it is looked for."""
    stores = [PostgresSessionStore.from_url(url) for _ in range(2)]
    async with stores[0] as one, stores[1] as two, watching(two) as pages:
        await anext(pages)
        for revision in range(1, 4):
            await one.save(SessionData(id="a"))
            assert [notice.revision for notice in await told(pages, 1)] == [revision]
