"""Where tests keep things: in memory where there is room, and in a PostgreSQL, named by the environment or our own."""

import asyncio
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest

NAMED_SERVER = "SESSIONSTORE_TEST_POSTGRES_URL"
"""What may name the server to test with, as a URL of a user who may make databases."""

MEMORY = Path("/dev/shm")
ROOM_BYTES = 4 << 30
"""More than all that runs at the same time keeps."""

# Commands of PostgreSQL run as another user, which takes a fork; while gRPC is at work, its handlers crash the child.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"

# Hundreds of processes start in tests; what one of them compiled, the next need not compile again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Only processes end in tests, not machines: what is synced need not reach a disk, which would be waited for.
if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM_BYTES:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))

EMPTY = """
    ALTER DATABASE "{database}" RESET ALL;
    SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
    WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid();
    DROP SCHEMA IF EXISTS sessionstore CASCADE;
"""
"""Ends whatever is connected, and removes what a store has made, also from a database that was set to read only."""


class Databases:
    """Makes, empties and drops databases of the server at `url`."""

    def __init__(self, url: str) -> None:
        self._url = url

    def make(self) -> str:
        """Make an empty database; return its DSN."""
        name = f"sessionstore_test_{uuid4().hex}"
        _execute(self._url, f'CREATE DATABASE "{name}"')
        return urlunsplit(urlsplit(self._url)._replace(path=f"/{name}"))

    def empty(self, dsn: str) -> None:
        """Make a database like a new one, in a fifth of the time that another would take."""
        _execute(dsn, EMPTY.format(database=urlsplit(dsn).path[1:]))

    def drop(self, dsn: str) -> None:
        """Drop a database, also while somebody is connected to it."""
        _execute(self._url, f'DROP DATABASE "{urlsplit(dsn).path[1:]}" WITH (FORCE)')


@pytest.fixture(scope="session")
def postgres_databases() -> Iterator[Databases]:
    """Databases of the server that the environment names, else of one of this run's own.

    Its socket has a path short enough for the system, and it syncs nothing: only processes end in tests, not machines.
    """
    if named := os.environ.get(NAMED_SERVER):
        yield Databases(named)
        return
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as folder:
        server = PostgresServer(Path(folder) / "d")
        server.psql("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf();")
        yield Databases(server.url)
        server.remove()


@pytest.fixture(scope="session")
def unused_dsns(postgres_databases: Databases) -> Iterator[list[str]]:
    """Empty databases that earlier tests have left."""
    unused: list[str] = []
    yield unused
    for dsn in unused:
        postgres_databases.drop(dsn)


@pytest.fixture
def postgres_dsn(postgres_databases: Databases, unused_dsns: list[str]) -> Iterator[Callable[[], str]]:
    """Find an empty database at each call, and return its DSN; they are the test's until it ends."""
    used: list[str] = []

    def fresh() -> str:
        used.append(unused_dsns.pop() if unused_dsns else postgres_databases.make())
        return used[-1]

    yield fresh
    for dsn in used:
        postgres_databases.empty(dsn)
        unused_dsns.append(dsn)


@pytest.fixture
def own_postgres() -> Iterator["PostgresServer"]:
    """A server that a test may stop and start."""
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as folder:
        server = PostgresServer(Path(folder) / "d")
        yield server
        server.start()
        server.remove()


class PostgresServer:
    """A PostgreSQL of our own, with its data in `folder`."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pgserver
        self._pgserver = pgserver
        self._server = pgserver.get_server(folder, cleanup_mode="delete")
        self.url: str = self._server.get_uri()

    def psql(self, script: str) -> None:
        self._server.psql(script)

    def kill(self) -> None:
        """Stop as a crash would: what is under way is lost, and so is each connection."""
        self._control("stop", "--mode=immediate")

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def remove(self) -> None:
        self._server.cleanup()

    def _control(self, *arguments: str) -> None:
        self._pgserver.pg_ctl(["-w", *arguments], pgdata=self._server.pgdata, user=self._server.system_user)


def _execute(url: str, statement: str) -> None:
    """Run one statement, from tests with a running loop and without."""

    async def run() -> None:
        connection = await asyncpg.connect(url, server_settings={"default_transaction_read_only": "off"})
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as threads:
        threads.submit(asyncio.run, run()).result()
