"""A PostgreSQL for the tests: the one that the environment names, or a real one of this run's own."""

import asyncio
import os
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

# Commands of PostgreSQL run as another user, which takes a fork; while gRPC is at work, its handlers crash the child.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"


class Databases:
    """Makes and drops databases of the server at `url`."""

    def __init__(self, url: str) -> None:
        self._url = url

    def make(self) -> str:
        """Make an empty database; return its DSN."""
        name = f"sessionstore_test_{uuid4().hex}"
        _execute(self._url, f'CREATE DATABASE "{name}"')
        return urlunsplit(urlsplit(self._url)._replace(path=f"/{name}"))

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


@pytest.fixture
def postgres_dsn(postgres_databases: Databases) -> Iterator[Callable[[], str]]:
    """Make a fresh, empty database at each call, and return its DSN; they go with the test."""
    made: list[str] = []

    def fresh() -> str:
        made.append(postgres_databases.make())
        return made[-1]

    yield fresh
    for dsn in made:
        postgres_databases.drop(dsn)


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
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as threads:
        threads.submit(asyncio.run, run()).result()
