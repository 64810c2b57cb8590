"""Lists: the one statement that is put together, since each order and each filter has an index of its own."""

from collections.abc import Sequence

from sessionstore_server.backends.base import Listed, ListPosition, Query
from sessionstore_server.backends.postgres.database import Database

_LAST_CHARACTER = "\U0010ffff"


class _Conditions:
    """Conditions on the rows of a list, and their arguments. Names come from `checks.check_query`, so they are ours."""

    def __init__(self, namespace: str, collection: str) -> None:
        self.arguments: list[object] = []
        self._texts: list[str] = []
        self.add("s.namespace = {}", namespace)
        self.add("s.collection = {}", collection)

    def add(self, condition: str, *arguments: object) -> None:
        """Add a condition with `{}` in the place of each argument."""
        self._texts.append(condition.format(*(self.argument(argument) for argument in arguments)))

    def argument(self, value: object) -> str:
        """Return what stands for an argument."""
        self.arguments.append(value)
        return f"${len(self.arguments)}"

    def __str__(self) -> str:
        return " AND ".join(self._texts)


async def page(
    database: Database, namespace: str, collection: str, query: Query, after: ListPosition | None, limit: int
) -> Sequence[Listed]:
    """Return a page of a list, see `Backend.list`."""
    conditions = _selected(namespace, collection, query)
    columns = [f"s.{query.order_by}", "s.id"] if query.order_by else ["s.id"]
    if after:
        values = (after.value, after.id) if query.order_by else (after.id,)
        places = ", ".join("{}" for _ in values)
        conditions.add(f"({', '.join(columns)}) {'<' if query.descending else '>'} ({places})", *values)
    order = ", ".join(f"{column} DESC" if query.descending else column for column in columns)
    value = f"s.{query.order_by}" if query.order_by else "NULL"
    shown = "k.revision, s.record" if query.summarized else "s.revision, ''::bytea AS record"
    text = f"SELECT s.id, {shown}, {value} AS value FROM {_rows(query)} WHERE {conditions} ORDER BY {order}"  # noqa: S608
    rows = await database.query(f"{text} LIMIT {conditions.argument(limit)}", *conditions.arguments)
    return [Listed(row["id"], row["revision"], row["record"], value=row["value"]) for row in rows]


async def count(database: Database, namespace: str, collection: str, query: Query) -> int:
    """Return how many keys match, see `Backend.count`."""
    conditions = _selected(namespace, collection, query)
    rows = await database.query(
        f"SELECT count(*) AS number FROM {_rows(query)} WHERE {conditions}",  # noqa: S608
        *conditions.arguments,
    )
    number: int = rows[0]["number"]
    return number


def _rows(query: Query) -> str:
    if not query.summarized:
        return "sessionstore.keys s"
    return "sessionstore.summaries s JOIN sessionstore.keys k ON k.key_id = s.key_id"


def _selected(namespace: str, collection: str, query: Query) -> _Conditions:
    conditions = _Conditions(namespace, collection)
    conditions.add("k.summarized" if query.summarized else "s.present AND NOT s.summarized")
    for name, text in query.equal.items():
        conditions.add(f"s.{name} = {{}}", text)
    for name, text in query.prefix.items():
        conditions.add(f"s.{name} >= {{}}", text)
        if behind := _behind(text):
            conditions.add(f"s.{name} < {{}}", behind)
    for name, number in query.at_least.items():
        conditions.add(f"s.{name} >= {{}}", number)
    for name, number in query.below.items():
        conditions.add(f"s.{name} < {{}}", number)
    if query.order_by:
        conditions.add(f"s.{query.order_by} IS NOT NULL")
    return conditions


def _behind(prefix: str) -> str:
    """Return the first text behind all that begin with `prefix`; empty when there is none."""
    stem = prefix.rstrip(_LAST_CHARACTER)
    if not stem:
        return ""
    following = ord(stem[-1]) + 1
    # Surrogates are no characters.
    return stem[:-1] + chr(0xE000 if following == 0xD800 else following)
