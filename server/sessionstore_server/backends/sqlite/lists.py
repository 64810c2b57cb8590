"""Lists and counts, as one statement each over the indexes of `keys`."""

from collections.abc import Iterator, Sequence
from sqlite3 import Connection
from typing import NamedTuple

from sessionstore_server.backends.base import Listed, ListPosition, Query
from sessionstore_server.backends.sqlite.names import behind_prefix


class _Term(NamedTuple):
    """A condition and the values of its question marks."""

    sql: str
    values: tuple[str | int, ...] = ()


def page(
    connection: Connection, namespace: str, collection: str, query: Query, after: ListPosition | None, limit: int
) -> Sequence[Listed]:
    """Return up to `limit` keys that match, after a position."""
    sql, values = statement(namespace, collection, query, after, limit)
    rows = connection.execute(sql, values)
    return [Listed(id_, revision, record, value=value) for id_, revision, record, value in rows]


def statement(
    namespace: str, collection: str, query: Query, after: ListPosition | None, limit: int
) -> tuple[str, list[str | int]]:
    """Return the SQL of one page, and its values."""
    terms = [*_terms(namespace, collection, query), *_behind(query, after)]
    columns = f"id, revision, coalesce(summary, x''), {query.order_by or 'NULL'}"
    order = ", ".join(f"{column}{' DESC' if query.descending else ''}" for column in _order(query))
    sql = f"SELECT {columns} FROM keys WHERE {_all(terms)} ORDER BY {order} LIMIT ?"  # noqa: S608 - checked names
    return sql, [*_values(terms), limit]


def count(connection: Connection, namespace: str, collection: str, query: Query) -> int:
    """Return how many keys match."""
    terms = list(_terms(namespace, collection, query))
    sql = f"SELECT count(*) FROM keys WHERE {_all(terms)}"  # noqa: S608 - names that were checked
    (number,) = connection.execute(sql, _values(terms)).fetchone()
    return int(number)


def _terms(namespace: str, collection: str, query: Query) -> Iterator[_Term]:
    yield _Term("namespace = ? AND collection = ?", (namespace, collection))
    yield _Term("has_summary" if query.summarized else "deleted_at IS NULL AND NOT has_summary")
    if query.order_by:
        # What the index of the attribute asks for.
        yield _Term(f"{query.order_by} IS NOT NULL")
    yield from (_Term(f"{name} = ?", (text,)) for name, text in query.equal.items())
    yield from (_Term(f"{name} >= ?", (number,)) for name, number in query.at_least.items())
    yield from (_Term(f"{name} < ?", (number,)) for name, number in query.below.items())
    for name, text in query.prefix.items():
        yield _Term(f"{name} >= ?", (text,))
        if (behind := behind_prefix(text)) is not None:
            yield _Term(f"{name} < ?", (behind,))


def _behind(query: Query, after: ListPosition | None) -> Iterator[_Term]:
    if after is None:
        return
    columns = _order(query)
    values = (after.id,) if after.value is None else (after.value, after.id)
    marks = ", ".join("?" * len(values))
    yield _Term(f"({', '.join(columns)}) {'<' if query.descending else '>'} ({marks})", values)


def _order(query: Query) -> list[str]:
    return [query.order_by, "id"] if query.order_by else ["id"]


def _all(terms: Sequence[_Term]) -> str:
    return " AND ".join(term.sql for term in terms)


def _values(terms: Sequence[_Term]) -> list[str | int]:
    return [value for term in terms for value in term.values]
