"""How commits reach PostgreSQL: many in one statement, each on what is known of its key, none twice."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

import pytest

from sessionstore.errors import RevisionConflictError, StoreUnavailableError
from sessionstore_server.backends.base import Backend, Change, Guard, GuardError, Key, LogRange, Splice
from sessionstore_server.backends.postgres import PostgresBackend, PostgresSettings

KEY = Key("default", "sessions", "one")
ALL = LogRange()


class Line:
    """A line to a database, which can be cut at the worst moment: when an answer comes back."""

    def __init__(self, dsn: str) -> None:
        self._target = parse_qs(urlsplit(dsn).query).get("host", ["/"])[0] + "/.s.PGSQL.5432"
        self._folder = tempfile.mkdtemp(prefix="line")
        self.dsn = dsn.replace(parse_qs(urlsplit(dsn).query).get("host", ["/"])[0], self._folder)
        self.requests = 0
        """How many times something was sent."""
        self.cuts = 0
        """How many answers will not come back from now on."""
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        self._server = await asyncio.start_unix_server(self._forward, f"{self._folder}/.s.PGSQL.5432")

    async def close(self) -> None:
        assert self._server
        self._server.close()
        await self._server.wait_closed()
        shutil.rmtree(self._folder)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_server, from_server = None, None
        try:
            from_server, to_server = await asyncio.open_unix_connection(self._target)
            answers = asyncio.create_task(self._answer(from_server, writer))
            while sent := await reader.read(1 << 20):
                self.requests += 1
                to_server.write(sent)
                await to_server.drain()
            to_server.close()
            await answers
        except OSError:
            pass
        finally:
            writer.close()
            if to_server:
                to_server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while answer := await reader.read(1 << 20):
                if self.cuts:
                    self.cuts -= 1
                    break
                writer.write(answer)
                await writer.drain()
        writer.close()


@pytest.fixture
async def line(postgres_dsn: Callable[[], str]) -> AsyncIterator[Line]:
    dsn = postgres_dsn()
    if not parse_qs(urlsplit(dsn).query).get("host", [""])[0].startswith("/"):
        pytest.skip("the database has no socket in the file system")
    line = Line(dsn)
    await line.open()
    yield line
    await line.close()


@pytest.fixture
async def backend(line: Line) -> AsyncIterator[PostgresBackend]:
    backend = PostgresBackend(line.dsn, PostgresSettings(pool_min=1, pool_max=2, notify=False))
    await backend.open()
    yield backend
    await backend.aclose()


async def log_of(backend: Backend, key: Key = KEY) -> list[bytes]:
    view = await backend.read(key, logs={"l": ALL})
    assert view is not None
    return list(view.logs["l"].records)


def append(record: bytes) -> Change:
    return Change(logs={"l": Splice([record])})


async def test_commits_that_wait_share_a_round_trip(backend: PostgresBackend, line: Line) -> None:
    keys = [Key("default", "sessions", str(number)) for number in range(40)]
    for _ in range(2):
        await asyncio.gather(*(backend.commit(key, append(b"1")) for key in keys))
    before = line.requests
    commits = await asyncio.gather(*(backend.commit(key, append(b"2")) for key in keys))
    assert [commit.revision for commit in commits] == [3] * 40
    # The first commit goes alone, since nobody else waits yet; each statement may come in several pieces.
    assert line.requests - before <= 10


async def test_one_round_trip_for_a_commit_to_a_known_key(backend: PostgresBackend, line: Line) -> None:
    for number in range(3):
        await backend.commit(KEY, append(b"%d" % number))
    before = line.requests
    await backend.commit(KEY, append(b"3"))
    assert line.requests - before == 1


async def test_a_commit_whose_answer_is_lost_happens_once(backend: PostgresBackend, line: Line) -> None:
    """Also without a request id."""
    for number in range(3):
        await backend.commit(KEY, append(b"%d" % number))
    line.cuts = 1
    assert (await backend.commit(KEY, append(b"3"), expected_revision=3)).revision == 4
    assert await log_of(backend) == [b"0", b"1", b"2", b"3"]
    line.cuts = 1
    assert await backend.delete(KEY)
    assert await backend.read(KEY) is None
    assert (await backend.commit(KEY, Change())).revision == 6


async def test_a_batch_whose_answer_is_lost_happens_once(backend: PostgresBackend, line: Line) -> None:
    keys = [Key("default", "sessions", str(number)) for number in range(20)]
    for _ in range(2):
        await asyncio.gather(*(backend.commit(key, append(b"1")) for key in keys))
    position = (await backend.feed("default", "sessions", None, 1)).position
    committing = [asyncio.create_task(backend.commit(key, append(b"2"))) for key in keys]
    line.cuts = 2
    assert [commit.revision for commit in await asyncio.gather(*committing)] == [3] * 20
    assert [await log_of(backend, key) for key in keys] == [[b"1", b"1", b"2"]] * 20
    feed = await backend.feed("default", "sessions", position, 100)
    assert sorted((entry.id, entry.revision) for entry in feed.entries) == sorted((key.id, 3) for key in keys)


async def test_reads_outlive_their_connection(backend: PostgresBackend, line: Line) -> None:
    await backend.commit(KEY, append(b"1"))
    line.cuts = 3
    assert await log_of(backend) == [b"1"]
    assert line.cuts == 0


async def test_a_database_that_stays_away(line: Line) -> None:
    backend = PostgresBackend(line.dsn, PostgresSettings(retry_seconds=0.2))
    await backend.open()
    await backend.commit(KEY, append(b"1"))
    line.cuts = 1_000_000
    for call in (backend.commit(KEY, append(b"2")), backend.read(KEY), backend.delete(KEY)):
        with pytest.raises(StoreUnavailableError):
            await call
    line.cuts = 0
    assert (await backend.commit(KEY, append(b"3"))).revision in (2, 3, 4)
    await backend.aclose()


async def test_what_is_refused_does_not_disturb_the_others(backend: PostgresBackend) -> None:
    keys = [Key("default", "sessions", str(number)) for number in range(10)]
    outcomes = await asyncio.gather(
        *(backend.commit(key, append(b"1"), expected_revision=int(key.id) % 2) for key in keys), return_exceptions=True
    )
    for key, outcome in zip(keys, outcomes, strict=True):
        if int(key.id) % 2:
            assert outcome == RevisionConflictError(key.id, 1, 0)
        else:
            assert await log_of(backend, key) == [b"1"]


async def test_two_processes_at_one_key(backend: PostgresBackend, line: Line) -> None:
    """Each append of both arrives once, in the order of the revisions."""
    another = PostgresBackend(line.dsn)
    await another.open()

    async def write(writer: PostgresBackend, name: str) -> list[tuple[int, bytes]]:
        records = [f"{name}{number}".encode() for number in range(40)]
        return [((await writer.commit(KEY, append(record))).revision, record) for record in records]

    written = await asyncio.gather(write(backend, "a"), write(another, "b"), write(another, "c"))
    in_order = sorted(one for some in written for one in some)
    assert [revision for revision, _ in in_order] == list(range(1, 121))
    assert await log_of(another) == await log_of(backend) == [record for _, record in in_order]
    await another.aclose()


async def test_what_another_process_did_is_no_reason_to_refuse(backend: PostgresBackend, line: Line) -> None:
    """What is remembered of a key may be old, so it is looked at again."""
    another = PostgresBackend(line.dsn)
    await another.open()
    guarded = Change(guard=Guard(KEY, "lease", b"2"))
    await backend.commit(KEY, Change({"lease": b"1"}))
    with pytest.raises(GuardError):
        await backend.commit(Key("default", "sessions", "two"), guarded)
    await another.commit(KEY, Change({"lease": b"2"}))
    await backend.commit(Key("default", "sessions", "two"), guarded)
    await backend.commit(KEY, Change(), expected_revision=2)
    assert await another.delete(KEY, expected_revision=3)
    await backend.commit(KEY, Change(), expected_revision=0)
    await another.delete(KEY)
    assert not await backend.delete(KEY)
    await another.commit(KEY, Change())
    assert await backend.delete(KEY)
    await another.aclose()


async def test_a_blob_that_goes_while_a_commit_refers_to_it(backend: PostgresBackend) -> None:
    """Either the commit wins, and the blob stays, or the blob is gone and the commit is refused."""
    digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    async def nothing():
        return
        yield

    for number in range(20):
        key = Key("default", "sessions", str(number))
        await backend.put_blob(digest, nothing())
        committed, _ = await asyncio.gather(
            backend.commit(key, Change(blobs=frozenset([digest]))), backend.sweep_blobs(0), return_exceptions=True
        )
        is_stored = await backend.missing_blobs([digest]) == set()
        assert is_stored is not isinstance(committed, Exception)
        await backend.delete(key)
