"""What the SQLite backend does with calls that come at the same time: they share transactions and statements."""

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest

from sessionstore.errors import RevisionNotKeptError
from sessionstore_server.backends.base import (
    Change,
    Commit,
    Guard,
    GuardError,
    Key,
    LogRange,
    Origin,
    Request,
    Splice,
    Summary,
    View,
)
from sessionstore_server.backends.sqlite import SqliteBackend

KEYS = [Key("default", "sessions", f"{number}") for number in range(100)]
KEY, OTHER = KEYS[:2]
REQUEST = Request("one", sha256(b"").hexdigest())


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


def number_of(statements: list[str], beginning: str) -> int:
    return sum(statement.startswith(beginning) for statement in statements)


async def test_new_rows_share_statements(backend: SqliteBackend, statements: list[str]) -> None:
    change = Change({"a": b"1"}, {"l": Splice([b"1"])}, Summary(b"s"), request=REQUEST)
    await asyncio.gather(*(backend.commit(key, change) for key in KEYS))
    assert number_of(statements, "COMMIT") == 1
    for table in ("documents", "batches", "requests", "feed"):
        assert (
            number_of(statements, f"INSERT INTO {table}") + number_of(statements, f"INSERT OR REPLACE INTO {table}")
            <= len(KEYS) / 2
        )
    views = [await backend.read(key, ["a"], {"l": LogRange()}) for key in KEYS]
    assert {(view.revision, view.documents["a"], view.logs["l"].records) for view in views if view} == {
        (1, b"1", (b"1",))
    }


async def test_what_comes_later_sees_what_comes_before(backend: SqliteBackend, statements: list[str]) -> None:
    """Within one transaction: a log, the ledger, a guard, a fork, a deletion."""
    append = [Change(logs={"l": Splice([b"%d" % length], length=length)}) for length in range(3)]
    guard = Guard(KEY, "a", b"1")
    outcomes = await asyncio.gather(
        backend.commit(KEY, append[0]),
        backend.commit(KEY, append[1]),
        backend.commit(KEY, Change({"a": b"1"}, request=REQUEST)),
        backend.commit(KEY, Change({"a": b"1"}, request=REQUEST)),
        backend.commit(OTHER, Change(guard=guard)),
        backend.commit(KEY, append[2]),
        backend.commit(KEYS[2], Change(origin=Origin(KEY, 4))),
        backend.delete(KEY),
        backend.commit(KEY, append[0]),
    )
    revisions = [outcome.revision for outcome in outcomes if isinstance(outcome, Commit)]
    assert revisions == [1, 2, 3, 3, 1, 4, 1, 6]
    assert number_of(statements, "COMMIT") == 1
    forked = await backend.read(KEYS[2], ["a"], {"l": LogRange()})
    assert forked is not None
    assert (forked.documents, forked.logs["l"].records) == ({"a": b"1"}, (b"0", b"1", b"2"))


async def test_a_guard_that_does_not_hold_any_more(backend: SqliteBackend) -> None:
    await backend.commit(KEY, Change({"a": b"1"}))
    _, refused, kept = await asyncio.gather(
        backend.commit(KEY, Change({"a": b"2"})),
        backend.commit(OTHER, Change(guard=Guard(KEY, "a", b"1"))),
        backend.commit(OTHER, Change(guard=Guard(KEY, "a", b"2"))),
        return_exceptions=True,
    )
    assert isinstance(refused, GuardError)
    assert isinstance(kept, Commit)
    assert kept.revision == 1


async def test_a_key_that_is_swept_at_once(backend: SqliteBackend) -> None:
    """In the transaction of its deletion, which is younger than the call: its ledger goes too."""
    await backend.commit(KEY, Change())
    _, swept = await asyncio.gather(backend.delete(KEY, request=REQUEST), backend.sweep_deleted(-60))
    assert swept == 1
    # The next key takes the place of the one that went.
    await backend.commit(OTHER, Change())
    assert (await backend.commit(OTHER, Change(request=REQUEST))).revision == 2


async def test_a_read_that_fails_does_not_disturb_the_others(backend: SqliteBackend) -> None:
    await backend.commit(KEY, Change({"a": b"1"}))
    reads = [backend.read(key, ["a"], revision=revision) for key in KEYS[:30] for revision in (None, 9, 1)]
    outcomes = await asyncio.gather(*reads, return_exceptions=True)
    first, refused, third = outcomes[:3]
    assert isinstance(refused, RevisionNotKeptError)
    assert isinstance(first, View)
    assert first == third
    assert set(outcomes[3:]) == {None}


async def test_a_read_sees_every_commit_that_returned(backend: SqliteBackend) -> None:
    """However many others read at the same time."""

    async def write_and_read(key: Key) -> None:
        for number in range(1, 20):
            await backend.commit(key, Change({"a": b"%d" % number}))
            view = await backend.read(key, ["a"])
            assert view is not None
            assert (view.revision, view.documents["a"]) == (number, b"%d" % number)

    await asyncio.gather(*map(write_and_read, KEYS[:8]))


async def test_documents_of_every_kind_are_read(backend: SqliteBackend) -> None:
    """More than go into one statement, below a name, absent ones, and the one that nobody can name."""
    stored = {f"{number}": b"%d" % number for number in range(20)} | {"runs/1": b"r", "runs/2": b"s"}
    await backend.commit(KEY, Change(stored, summary=Summary(b"s")))
    await backend.commit(KEY, Change({"3": None, "4": b"new"}))
    view = await backend.read(KEY, ["", "absent", "runs/", *stored])
    assert view is not None
    assert view.documents == {name: content for name, content in stored.items() if name != "3"} | {"4": b"new"}
