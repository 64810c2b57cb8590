"""What operators do: back up and restore, bring tables up to date, replace a server by a newer one."""

import asyncio
import contextlib
import re
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

import asyncpg
import pytest
import typer

from sessionstore import Message, PostgresSessionStore, RemoteSessionStore, SessionData, SessionStore, open_store
from sessionstore.errors import InvalidArgumentError, PositionExpiredError
from sessionstore.store import SessionChange, WatchPage
from sessionstore.testing import samples
from sessionstore.testing.watching import watching
from sessionstore_server.cli.app import app

# Importing the package would look for its own database.
POSTGRES_TOOLS = Path(find_spec("pgserver").origin).parent / "pginstall" / "bin"
PAGE = (Path(__file__).parents[2] / "docs" / "operate.md").read_text(encoding="utf-8")
WRITERS = ("load 1", "load 2", "load 3")


async def execute(program: str | Path, *arguments: object) -> None:
    process = await asyncio.create_subprocess_exec(program, *map(str, arguments))
    assert await process.wait() == 0


class SqliteOperator:
    is_online = True

    def __init__(self, folder: Path, run_cli: Callable) -> None:
        self._file, self._copy, self._run_cli = folder / "store.db", folder / "backup.db", run_cli
        self.url = f"sqlite:{self._file}"

    async def back_up(self) -> None:
        assert await self._run_cli("backup", self.url, self._copy) == (0, "", "")
        status, text, _ = await self._run_cli("verify", f"sqlite:{self._copy}")
        assert status == 0, text

    async def restore(self) -> None:
        for old in self._file.parent.glob("store.db*"):
            old.unlink()
        shutil.copy(self._copy, self._file)


class FileOperator:
    is_online = False

    def __init__(self, folder: Path) -> None:
        self._folder, self._copy = folder / "store", folder / "backup"
        self.url = f"file:{self._folder}"

    async def back_up(self) -> None:
        await execute("cp", "-a", self._folder, self._copy)

    async def restore(self) -> None:
        shutil.rmtree(self._folder)
        await execute("cp", "-a", self._copy, self._folder)


class PostgresOperator:
    is_online = True

    def __init__(self, folder: Path, dsn: str) -> None:
        self._copy, self.url = folder / "backup.dump", dsn

    async def back_up(self) -> None:
        options = ("--format=custom", "--schema=sessionstore", f"--file={self._copy}")
        await execute(POSTGRES_TOOLS / "pg_dump", *options, self.url)

    async def restore(self) -> None:
        await execute(POSTGRES_TOOLS / "pg_restore", "--clean", "--if-exists", f"--dbname={self.url}", self._copy)


Operator = SqliteOperator | FileOperator | PostgresOperator


@pytest.fixture(params=["sqlite", "file", "postgresql"])
def operator(request, tmp_path, run_cli) -> Operator:
    if request.param == "sqlite":
        return SqliteOperator(tmp_path, run_cli)
    if request.param == "file":
        return FileOperator(tmp_path)
    return PostgresOperator(tmp_path, request.getfixturevalue("postgres_dsn")())


def said(*texts: object) -> list[Message]:
    return [Message.user(str(text)) for text in texts]


async def texts_of(store: SessionStore, session_id: str) -> list[str]:
    session = await store.load(session_id)
    assert session is not None
    return [message.content[0].text for message in session.messages]


class Load:
    """Writers at work, and how many messages of each were acknowledged."""

    def __init__(self, store: SessionStore) -> None:
        self._store, self._goes_on, self._told = store, True, asyncio.Condition()
        self.acknowledged = dict.fromkeys(WRITERS, 0)

    async def write(self, session_id: str) -> None:
        await self._store.save(SessionData(id=session_id))
        while self._goes_on:
            change = SessionChange(messages=said(self.acknowledged[session_id]))
            await self._store.commit(session_id, change)
            async with self._told:
                self.acknowledged[session_id] += 1
                self._told.notify_all()

    async def more(self) -> None:
        """Wait until each writer got something more acknowledged."""
        before = dict(self.acknowledged)
        async with asyncio.timeout(30), self._told:
            await self._told.wait_for(lambda: all(self.acknowledged[each] > before[each] for each in WRITERS))

    def end(self) -> None:
        self._goes_on = False


@asynccontextmanager
async def load(store: SessionStore) -> AsyncIterator[Load]:
    """Let several writers work for as long as the block takes."""
    async with asyncio.TaskGroup() as writers:
        running = Load(store)
        for session_id in WRITERS:
            writers.create_task(running.write(session_id))
        await running.more()
        yield running
        running.end()


async def back_up(operator: Operator, store: SessionStore) -> dict[str, int]:
    """Back up, under load if the store may be in use then; return what the backup has at least."""
    if not operator.is_online:
        await operator.back_up()
        return {}
    async with load(store) as running:
        before = dict(running.acknowledged)
        await operator.back_up()
        await running.more()
    return before


async def until_refused(pages: AsyncIterator[WatchPage]) -> None:
    """Pass over pages that only move the position, as they do before the server ends."""
    async for page in pages:
        assert not page.commits


async def test_the_restore_drill(operator, serve, run_cli) -> None:
    """Twice, since a backup may be needed again; the client stays open, and remembers what is no longer stored."""
    server = await serve(operator.url)
    async with server.store() as client:
        await client.save(SessionData(id="one", messages=said("kept")))
        backed_up = await back_up(operator, client)
        for number in range(2):
            await client.commit("one", SessionChange(messages=said(f"lost {number}")))
            async with watching(client) as pages:
                await anext(pages)
                await server.stop()
                await operator.restore()
                assert await run_cli("mark-restored", operator.url) == (0, "", "")
                server = await serve(operator.url, listen=server.address)
                with pytest.raises(PositionExpiredError):
                    await until_refused(pages)
            async with server.store() as other:
                # As many as it takes to reach the revision that the client remembers.
                new = [f"new {number}", *["more"] * (number + 1)]
                for text in new:
                    await other.commit("one", SessionChange(messages=said(text)))
            assert await texts_of(client, "one") == ["kept", *new]
            for session_id, least in backed_up.items():
                texts = await texts_of(client, session_id)
                assert texts == [str(position) for position in range(max(least, len(texts)))]
    status, text, _ = await run_cli("verify", operator.url)
    assert status == 0, text


REFUSED = {
    ("backup", "file:data", "copy"): "copy the folder with `cp -a` or `tar`",
    ("backup", "postgresql://host/name", "copy"): "use pg_dump",
    ("backup", "grpc://host:1", "copy"): "back up the store behind the server",
    ("backup", "memory:", "copy"): "`sessionstore copy` copies the sessions of any store",
    ("backup", "s3:bucket", "copy"): "no store is known",
    ("backup", "sqlite:/absent.db", "copy"): "there is no such file",
    ("backup", "sqlite:{store}", "{store}"): "exists: name a new file",
    ("mark-restored", "grpc://host:1"): "name the file:, sqlite: or postgresql: store behind it",
    ("mark-restored", "file:{folder}"): "has no .incarnation: name the folder of a store",
    ("mark-restored", "sqlite:/absent.db"): "there is no such file",
    ("mark-restored", "sqlite:{other}"): "is the database of another program",
    ("migrate", "sqlite:{store}"): "has no tables to migrate",
}


async def test_what_does_not_fit_is_refused_with_what_does(run_cli, tmp_path) -> None:
    store, other = tmp_path / "store.db", tmp_path / "other.db"
    async with open_store(f"sqlite:{store}") as opened:
        await opened.save(samples.session("one"))
    with contextlib.closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    places = {"store": store, "other": other, "folder": tmp_path}
    for command, told in REFUSED.items():
        status, output, errors = await run_cli(*(word.format(**places) for word in command))
        assert (status, output) == (1, ""), command
        assert told in errors
        assert "Traceback" not in errors


async def test_tables_are_brought_up_to_date_once(run_cli, postgres_dsn) -> None:
    dsn = postgres_dsn()
    assert await asyncio.gather(*(run_cli("migrate", dsn) for _ in range(3))) == [(0, "", "")] * 3
    connection = await asyncpg.connect(dsn)
    try:
        versions = await connection.fetch("SELECT version FROM sessionstore.migrations ORDER BY version")
        assert [row["version"] for row in versions] == list(range(1, len(versions) + 1))
        await connection.execute("INSERT INTO sessionstore.migrations VALUES (999, now())")
    finally:
        await connection.close()
    status, output, errors = await run_cli("migrate", dsn)
    assert (status, output) == (1, "")
    assert "has schema version 999" in errors


async def test_a_server_is_replaced_while_clients_are_at_work(operator, serve) -> None:
    old, new = [await serve(operator.url) for _ in range(2)]
    async with RemoteSessionStore([old.address, new.address]) as client, load(client) as running:
        assert await old.stop() == 0
        await running.more()
    async with new.store() as store:
        for session_id, number in running.acknowledged.items():
            assert await texts_of(store, session_id) == [str(position) for position in range(number)]


COMMANDS = [line.strip() for line in re.findall(r"^ {4,}(sessionstore .*)$", PAGE, re.MULTILINE)]


@pytest.mark.parametrize("line", COMMANDS)
def test_the_commands_of_the_page_exist(line: str) -> None:
    commands = typer.main.get_command(app).commands
    _, name, *arguments = line.split()
    known = {option for parameter in commands[name].params for option in parameter.opts}
    assert {argument for argument in arguments if argument.startswith("--")} <= known


async def test_a_url_sets_the_pool(postgres_dsn) -> None:
    (line,) = (line for line in COMMANDS if "pool_max" in line)
    parameters = line.strip("'").partition("?")[2]
    dsn = postgres_dsn()
    async with PostgresSessionStore.from_url(f"{dsn}{'&' if '?' in dsn else '?'}{parameters}") as store:
        await store.save(SessionData(id="one"))
        assert await store.list() == ["one"]


@pytest.mark.parametrize("parameter", ["pool_max=many", "statement_cache_size=-1", "retry_seconds="])
def test_a_setting_that_is_no_number_is_refused(parameter: str) -> None:
    with pytest.raises(InvalidArgumentError, match=parameter.partition("=")[0]):
        PostgresSessionStore.from_url(f"postgresql://host/database?{parameter}")
