"""How PostgreSQL carries out lists and reads when there is much: by index, sorting nothing that it does not show."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest

from sessionstore_server.backends.base import NUMBER_ATTRIBUTES, TEXT_ATTRIBUTES, ListPosition, Query
from sessionstore_server.backends.postgres import listing, migrate
from sessionstore_server.backends.postgres.statements import statement
from sessionstore_server.backends.postgres.states import name_id

KEYS = 20_000

FILL = f"""
    INSERT INTO sessionstore.keys
    SELECT gen_random_uuid(), 'n' || i % 2, 'sessions', 'id' || i, 1, now(), true, i % 1000 > 0, 1, 1
    FROM generate_series(1, {KEYS}) i;
    INSERT INTO sessionstore.summaries
    SELECT key_id, namespace, collection, id, 'summary', id, 'state' || n % 5, 'model' || n % 9, 'parent' || n,
        'tenant' || n % 50, 'p' || n, 't' || n, n, n, n
    FROM (SELECT *, row_number() OVER () AS n FROM sessionstore.keys) k WHERE summarized;
    INSERT INTO sessionstore.commits SELECT key_id, 1, now(), key_id FROM sessionstore.keys;
    INSERT INTO sessionstore.documents
    SELECT key_id, '{name_id("session")}', 1, 'session', 'content' FROM sessionstore.keys;
    INSERT INTO sessionstore.logs
    SELECT key_id, '{name_id("messages")}', 1, 'messages', 1, ARRAY[key_id], '{{NULL}}' FROM sessionstore.keys;
    INSERT INTO sessionstore.records
    SELECT key_id, position, position + 1, 1, 'content' FROM sessionstore.keys, generate_series(0, 4) position;
"""


class Explaining:
    """A database that explains queries in place of running them."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self.plan: dict[str, Any] = {}

    async def query(self, text: str, *args: object) -> list[asyncpg.Record]:
        explained = await self._connection.fetchval("EXPLAIN (FORMAT json) " + text, *args)
        self.plan = json.loads(explained)[0]["Plan"]
        return []

    def nodes(self) -> Iterator[dict[str, Any]]:
        waiting = [self.plan]
        while waiting:
            node = waiting.pop()
            yield node
            waiting += node.get("Plans", [])

    def indexes(self) -> set[str]:
        return {node["Index Name"] for node in self.nodes() if "Index Name" in node}


@pytest.fixture(scope="module")
def filled_dsn(postgres_databases) -> Iterator[str]:
    dsn = postgres_databases.make()
    yield dsn
    postgres_databases.drop(dsn)


@pytest.fixture
async def explaining(filled_dsn: str) -> AsyncIterator[Explaining]:
    await migrate(filled_dsn)
    connection = await asyncpg.connect(filled_dsn)
    if not await connection.fetchval("SELECT count(*) FROM sessionstore.keys"):
        await connection.execute(FILL)
        await connection.execute("VACUUM ANALYZE")
    yield Explaining(connection)
    await connection.close()


def assert_by_index(explaining: Explaining, *indexes: str) -> None:
    kinds = {node["Node Type"] for node in explaining.nodes()}
    assert not kinds & {"Seq Scan", "Sort"}
    assert set(indexes) <= explaining.indexes()


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("order_by", [None, *TEXT_ATTRIBUTES, *NUMBER_ATTRIBUTES])
async def test_each_order_has_an_index(explaining: Explaining, order_by: str | None, descending: bool) -> None:
    query = Query(order_by=order_by, descending=descending)
    value = {None: None, "created_at": 7, "updated_at": 7, "message_count": 7}.get(order_by, "t7")
    for after in (None, ListPosition(value, "id7")):
        await listing.page(explaining, "n1", "sessions", query, after, 50)
        assert_by_index(explaining, f"summaries_{order_by or 'id'}")


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (Query(equal={"parent_id": "parent7"}), "summaries_parent_id"),
        (Query(prefix={"principal": "p77"}, order_by="principal"), "summaries_principal"),
        (Query(at_least={"updated_at": 19_900}, order_by="updated_at"), "summaries_updated_at"),
        (Query(at_least={"created_at": 10}, below={"created_at": 20}, order_by="created_at"), "summaries_created_at"),
    ],
)
async def test_filters_use_indexes(explaining: Explaining, query: Query, index: str) -> None:
    await listing.page(explaining, "n1", "sessions", query, None, 50)
    assert index in explaining.indexes()
    assert "Seq Scan" not in {node["Node Type"] for node in explaining.nodes()}


async def test_keys_without_a_summary_have_an_index(explaining: Explaining) -> None:
    query = Query(summarized=False)
    await listing.page(explaining, "n1", "sessions", query, ListPosition(None, "id7"), 50)
    assert_by_index(explaining, "keys_unsummarized")


async def test_a_read_touches_its_key_only(explaining: Explaining) -> None:
    await explaining.query(
        statement("read"),
        "n1",
        "sessions",
        "id7",
        None,
        [name_id("session")],
        [b"runs/"],
        [name_id("messages")],
        [0],
        [100],
        [b"runs/"],
        [0],
        [100],
    )
    assert "Seq Scan" not in {node["Node Type"] for node in explaining.nodes()}
    assert {"documents_pkey", "logs_pkey", "records_pkey", "commits_pkey"} <= explaining.indexes()
