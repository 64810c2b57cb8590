"""How the SQLite backend shares transactions, and finds what it lists."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest

from sessionstore.errors import RevisionConflictError, StaleBaseError
from sessionstore_server.backends.base import (
    NUMBER_ATTRIBUTES,
    TEXT_ATTRIBUTES,
    Change,
    Commit,
    Key,
    ListPosition,
    LogRange,
    Origin,
    Query,
    Splice,
    Summary,
)
from sessionstore_server.backends.sqlite import SqliteBackend, blobs, lists
from sessionstore_server.backends.sqlite.blobs import Stored

KEYS = [Key("default", "sessions", f"{number}") for number in range(16)]


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[SqliteBackend]:
    backend = SqliteBackend(tmp_path / "store.db")
    await backend.open()
    yield backend
    await backend.aclose()


@pytest.fixture
def statements(backend: SqliteBackend) -> list[str]:
    """What the writer asks of SQLite."""
    statements: list[str] = []
    assert backend._opened is not None
    backend._opened.writer._connection.set_trace_callback(statements.append)
    return statements


@pytest.fixture
def connection(backend: SqliteBackend, tmp_path: Path) -> Iterator[sqlite3.Connection]:  # noqa: ARG001
    with closing(sqlite3.connect(tmp_path / "store.db")) as connection:
        yield connection


async def test_what_waits_shares_a_transaction(backend: SqliteBackend, statements: list[str]) -> None:
    """While the first is synced the others wait, and then go together."""
    commits = 20 * len(KEYS)

    async def commit_in_a_row(key: Key) -> None:
        for number in range(20):
            await backend.commit(key, Change({"a": b"%d" % number}))

    await asyncio.gather(*(commit_in_a_row(key) for key in KEYS))
    assert 20 <= statements.count("COMMIT") < commits / 2


async def test_each_transaction_is_synced(backend: SqliteBackend) -> None:
    assert backend._opened is not None
    writer = backend._opened.writer._connection
    settings = [writer.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    assert settings == ["wal", 2]


async def test_a_refused_commit_does_not_disturb_the_others(backend: SqliteBackend, statements: list[str]) -> None:
    """They share one transaction."""
    stale = Change({"a": b"1"}, {"l": Splice([b"1"], length=3)})
    changes = [Change({"a": b"1"}), stale, Change({"a": b"1"}), Change({"a": b"1"})]
    expected = [None, None, 7, 0]
    with closing(sqlite3.connect(backend._path, isolation_level=None)) as other:
        # Until all have come.
        other.execute("BEGIN IMMEDIATE")
        calls = [
            asyncio.create_task(backend.commit(key, change, revision))
            for key, change, revision in zip(KEYS, changes, expected, strict=False)
        ]
        first = asyncio.create_task(backend.commit(KEYS[9], Change()))
        await asyncio.sleep(0)
        other.execute("ROLLBACK")
    outcomes = await asyncio.gather(*calls, first, return_exceptions=True)
    assert outcomes[1:3] == [StaleBaseError("1", "l"), RevisionConflictError("2", 7, 0)]
    present = [await backend.read(key, ["a"], {"l": LogRange()}) is not None for key in KEYS[:4]]
    assert present == [True, False, False, True]
    assert statements.count("COMMIT") < 4


async def test_a_commit_that_is_undone_does_not_disturb_the_others(backend: SqliteBackend) -> None:
    """They share one transaction; the fork of the second key fails after much of it was written."""
    await backend.commit(KEYS[9], Change({"a": b"1"}, {"l": Splice([b"1"])}, Summary(b"s")))
    stale = Change(logs={"l": Splice([b"2"], length=3)}, origin=Origin(KEYS[9], 1))
    with closing(sqlite3.connect(backend._path, isolation_level=None)) as other:
        # Until all have come.
        other.execute("BEGIN IMMEDIATE")
        changes = [Change(), stale, Change({"a": b"1"}), Change({"a": b"2"})]
        keys = [KEYS[0], KEYS[1], KEYS[2], KEYS[2]]
        calls = [asyncio.create_task(backend.commit(*call)) for call in zip(keys, changes, strict=True)]
        await asyncio.sleep(0)
        other.execute("ROLLBACK")
    first, refused, second, third = await asyncio.gather(*calls, return_exceptions=True)
    assert refused == StaleBaseError("1", "l")
    assert [commit.revision for commit in (first, second, third) if isinstance(commit, Commit)] == [1, 1, 2]
    assert await backend.read(KEYS[1]) is None
    assert [listed.id for listed in await backend.list("default", "sessions", Query(), None, 9)] == ["9"]


async def test_a_repeated_turn_needs_few_statements(backend: SqliteBackend, statements: list[str]) -> None:
    """However long the log is, and however many documents there are."""
    change = Change({"session": b"1"}, {"messages": Splice([b"1", b"2"])})
    for number in range(40):
        await backend.commit(KEYS[0], Change({f"runs/{number}": b"1"}, {"messages": Splice([b"1"] * 50)}))
    statements.clear()
    await backend.commit(KEYS[0], change)
    assert len(statements) <= 8


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("order_by", [None, *TEXT_ATTRIBUTES, *NUMBER_ATTRIBUTES])
async def test_each_order_has_an_index(
    connection: sqlite3.Connection, order_by: str | None, *, after: bool, descending: bool
) -> None:
    value = None if order_by is None else 1 if order_by in NUMBER_ATTRIBUTES else "x"
    query = Query(order_by=order_by, descending=descending)
    steps = plan(connection, query, ListPosition(value, "x") if after else None)
    assert_searched(steps)
    assert not [step for step in steps if "TEMP B-TREE" in step]


@pytest.mark.parametrize(
    "query",
    [
        *(Query(equal={name: "x"}) for name in TEXT_ATTRIBUTES),
        *(Query(prefix={name: "x"}) for name in TEXT_ATTRIBUTES),
        *(Query(at_least={name: 1}, order_by="updated_at") for name in NUMBER_ATTRIBUTES),
        *(Query(below={name: 1}, order_by=name) for name in NUMBER_ATTRIBUTES),
        Query(summarized=False),
    ],
    ids=str,
)
async def test_each_condition_has_an_index(connection: sqlite3.Connection, query: Query) -> None:
    assert_searched(plan(connection, query, None))


async def test_a_rare_value_is_found_by_itself(connection: sqlite3.Connection) -> None:
    """And what many keys have in common is passed over in the order that is asked for."""
    rare = plan(connection, Query(equal={"parent_id": "x", "state": "x"}, order_by="updated_at"), None)
    assert "keys_parent_id" in rare[0]
    common = plan(connection, Query(equal={"state": "x"}, order_by="updated_at"), None)
    assert "keys_updated_at" in common[0]


def plan(connection: sqlite3.Connection, query: Query, after: ListPosition | None) -> list[str]:
    sql, values = lists.statement("default", "sessions", query, after, 10)
    return [step for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]


def assert_searched(steps: list[str]) -> None:
    assert steps[0].startswith("SEARCH")
    assert "(namespace=? AND collection=?" in steps[0]
    assert not [step for step in steps if step.startswith("SCAN")]


async def test_a_summary_that_changes_little_writes_few_indexes(backend: SqliteBackend, statements: list[str]) -> None:
    await backend.commit(KEYS[0], Change(summary=Summary(b"1", {"name": "n", "state": "s", "updated_at": 1})))
    statements.clear()
    await backend.commit(KEYS[0], Change(summary=Summary(b"1", {"name": "n", "updated_at": 2})))
    (update,) = [one for one in statements if one.startswith("UPDATE keys")]
    assert update.endswith(", state = NULL, updated_at = 2 WHERE key_id = 1")
    assert "summary" not in update


async def test_an_upload_that_changed_since_it_was_checked(backend: SqliteBackend) -> None:
    """Or none was checked, since the blob was there a moment ago: it has to be checked again."""
    assert backend._opened is not None
    digest = sha256(b"content").hexdigest()
    await backend.extend_upload(digest, 0, b"another")
    for checked in (Stored(1, 3), Stored(), None):
        finish = partial(blobs.finish_upload, digest=digest, checked=checked)
        assert await backend._opened.writer.write(finish) is False
    assert await backend.missing_blobs([digest]) == {digest}
    assert await backend.upload_size(digest) == len(b"another")
