"""What every backend promises about lists that select and order."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sessionstore.errors import InvalidArgumentError
from sessionstore_server.backends.base import (
    NUMBER_ATTRIBUTES,
    TEXT_ATTRIBUTES,
    Backend,
    Change,
    Key,
    Listed,
    ListPosition,
    Query,
    Summary,
)

Attributes = dict[str, str | int]
LEAST, MOST = -(1 << 63), (1 << 63) - 1

KEYS: dict[str, Attributes] = {
    "a": {"name": "plan", "state": "active", "created_at": 10, "updated_at": 40, "message_count": 0},
    "b": {"name": "planet", "state": "idle", "created_at": 20, "updated_at": 30, "message_count": 5},
    "c": {"name": "", "state": "active", "created_at": 20, "updated_at": 20, "parent_id": "a"},
    "d": {"name": "Plan", "created_at": -5, "updated_at": MOST, "tenant_id": "t", "principal": "p"},
    "e": {"name": "p%_[\\\\]*?", "created_at": LEAST, "model_name": "m", "agent_template_id": "x"},
    "f": {},
}
"""By id; the name of `e` holds what patterns are made of."""


async def fill(backend: Backend, keys: dict[str, Attributes]) -> None:
    for id_, attributes in keys.items():
        change = Change(summary=Summary(json.dumps(attributes).encode(), attributes))
        await backend.commit(Key("default", "sessions", id_), change)
    await backend.commit(Key("other", "sessions", "elsewhere"), Change(summary=Summary(b"", KEYS["a"])))
    await backend.commit(Key("default", "other", "elsewhere"), Change(summary=Summary(b"", KEYS["a"])))


async def listed(backend: Backend, query: Query, after: ListPosition | None = None, limit: int = 100) -> list[str]:
    return [one.id for one in await backend.list("default", "sessions", query, after, limit)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query(), "abcdef"),
        (Query(descending=True), "fedcba"),
        (Query(equal={"state": "active"}), "ac"),
        (Query(equal={"state": "active", "parent_id": "a"}), "c"),
        (Query(equal={"name": ""}), "c"),
        (Query(equal={"name": "plan"}), "a"),
        (Query(equal={"tenant_id": "t", "principal": "p"}), "d"),
        (Query(equal={"model_name": "m", "agent_template_id": "x"}), "e"),
        (Query(equal={"state": "gone"}), ""),
        (Query(prefix={"name": "plan"}), "ab"),
        (Query(prefix={"name": "p"}), "abe"),
        (Query(prefix={"name": "p%"}), "e"),
        (Query(prefix={"name": "p%_[\\\\]*"}), "e"),
        (Query(prefix={"name": "p_"}), ""),
        (Query(prefix={"name": "plan", "state": "i"}), "b"),
        (Query(at_least={"created_at": 20}), "bc"),
        (Query(below={"created_at": 20}), "ade"),
        (Query(at_least={"created_at": 10}, below={"created_at": 20}), "a"),
        (Query(at_least={"created_at": 10}, below={"updated_at": 40}), "bc"),
        (Query(at_least={"message_count": LEAST}), "ab"),
        (Query(at_least={"updated_at": MOST}), "d"),
        (Query(below={"created_at": LEAST}), ""),
        (Query(equal={"state": "active"}, prefix={"name": "p"}, below={"created_at": 11}), "a"),
        (Query(order_by="created_at"), "edabc"),
        (Query(order_by="created_at", descending=True), "cbade"),
        (Query(order_by="name"), "cdeab"),
        (Query(order_by="name", descending=True), "baedc"),
        (Query(order_by="message_count"), "ab"),
        (Query(order_by="state", descending=True), "bca"),
        (Query(equal={"state": "active"}, order_by="updated_at"), "ca"),
        (Query(order_by="tenant_id", below={"updated_at": MOST}), ""),
    ],
)
async def test_selecting_and_ordering(backend: Backend, query: Query, expected: str) -> None:
    await fill(backend, KEYS)
    assert await listed(backend, query) == list(expected)
    assert await backend.count("default", "sessions", query) == len(expected)


async def test_lists_bring_what_is_known(backend: Backend) -> None:
    await fill(backend, KEYS)
    await backend.commit(Key("default", "sessions", "b"), Change({"a": b"1"}))
    entries = await backend.list("default", "sessions", Query(prefix={"name": "plan"}), None, 9)
    assert entries == [
        Listed("a", 1, json.dumps(KEYS["a"]).encode()),
        Listed("b", 2, json.dumps(KEYS["b"]).encode()),
    ]


async def test_attributes_are_replaced_as_a_whole(backend: Backend, key: Key) -> None:
    first, second = Query(equal={"name": "first"}), Query(order_by="state")
    await backend.commit(key, Change(summary=Summary(b"1", {"name": "first"})))
    assert (await listed(backend, first), await listed(backend, second)) == (["one"], [])
    await backend.commit(key, Change({"a": b"1"}))
    assert await listed(backend, first) == ["one"]
    await backend.commit(key, Change(summary=Summary(b"2", {"state": "s"})))
    assert (await listed(backend, first), await listed(backend, second)) == ([], ["one"])
    await backend.delete(key)
    assert await backend.count("default", "sessions", second) == 0
    await backend.commit(key, Change())
    assert await listed(backend, Query()) == []


async def test_text_is_ordered_by_its_bytes(backend: Backend) -> None:
    names = ["", " ", "B", "a", "ab", "b", "\u00e4", "\uffff", "\U0001f680", "\u007f", "a b", "a/b"]
    await fill(backend, {f"{number:02}": {"name": name} for number, name in enumerate(names)})
    found = await backend.list("default", "sessions", Query(order_by="name"), None, 99)
    assert [json.loads(one.summary)["name"] for one in found] == sorted(names, key=str.encode)
    found = await backend.list("default", "sessions", Query(order_by="name", descending=True), None, 99)
    assert [json.loads(one.summary)["name"] for one in found] == sorted(names, key=str.encode, reverse=True)


@pytest.mark.parametrize("prefix", ["\u00e4", "\uffff", "\U0010ffff", "\ud7ff", "a\U0010ffff", "\x7f"])
async def test_odd_prefixes(backend: Backend, prefix: str) -> None:
    """Also those after which there is no next character."""
    names = [prefix, f"{prefix}\U0010ffff", f"{prefix}z", prefix[:-1], f"a{prefix}b", "z", "\u00e5"]
    await fill(backend, {f"{number}": {"name": name} for number, name in enumerate(names)})
    expected = [f"{number}" for number, name in enumerate(names) if name.startswith(prefix)]
    assert await listed(backend, Query(prefix={"name": prefix})) == expected


@pytest.mark.parametrize("order_by", ["created_at", "name", None])
async def test_an_entry_tells_its_place(backend: Backend, order_by: str | None) -> None:
    await fill(backend, KEYS)
    for descending in (False, True):
        found = await backend.list("default", "sessions", Query(order_by=order_by, descending=descending), None, 99)
        assert found
        assert [one.value for one in found] == [KEYS[one.id].get(order_by) for one in found]


async def test_a_position_is_of_no_key(backend: Backend) -> None:
    """What stood there may be gone, or have another value now."""
    await fill(backend, KEYS)
    assert await listed(backend, Query(), ListPosition(None, "bb")) == list("cdef")
    assert await listed(backend, Query(descending=True), ListPosition(None, "bb")) == list("ba")
    by_time = Query(order_by="created_at")
    assert await listed(backend, by_time, ListPosition(20, "bb")) == ["c"]
    assert await listed(backend, by_time, ListPosition(15, "zzz")) == list("bc")
    assert await listed(backend, replace(by_time, descending=True), ListPosition(20, "bb")) == list("bade")
    assert await listed(backend, Query(order_by="name"), ListPosition("plan", "a")) == ["b"]
    assert await listed(backend, Query(order_by="name"), ListPosition("p", "")) == list("eab")


@pytest.mark.parametrize("descending", [False, True])
async def test_keys_that_come_and_go_between_pages(backend: Backend, *, descending: bool) -> None:
    """What stays is shown once."""
    await fill(backend, {f"{number:02}": {"created_at": number // 3} for number in range(20)})
    query = Query(order_by="created_at", descending=descending)
    first = await listed(backend, query, limit=7)
    for id_ in (first[0], first[-1], "10"):
        await backend.delete(Key("default", "sessions", id_))
    await fill(backend, {"09x": {"created_at": 3}})
    rest = await listed(backend, query, ListPosition(int(first[-1]) // 3, first[-1]))
    expected = sorted({f"{number:02}" for number in range(20)} - {"10"} | {"09x"}, reverse=descending)
    assert first + rest == expected


@pytest.mark.parametrize(
    ("query", "named"),
    [
        (Query(equal={"colour": "red"}), "colour"),
        (Query(equal={"created_at": "1"}), "created_at"),
        (Query(prefix={"colour": "r"}), "colour"),
        (Query(prefix={"name": ""}), "name"),
        (Query(equal={"name": "\ud800"}), "name"),
        (Query(equal={"name": "nul\0"}), "name"),
        (Query(prefix={"name": "x" * 513}), "name"),
        (Query(at_least={"name": 1}), "name"),
        (Query(below={"colour": 1}), "colour"),
        (Query(at_least={"created_at": MOST + 1}), "created_at"),
        (Query(below={"created_at": LEAST - 1}), "created_at"),
        (Query(order_by="colour"), "colour"),
        (Query(order_by="id"), "id"),
        (Query(order_by=""), ""),
        (Query(order_by="name", summarized=False), "summarized"),
        (Query(equal={"name": "a"}, summarized=False), "summarized"),
    ],
)
async def test_refused_queries(backend: Backend, query: Query, named: str) -> None:
    for call in (backend.list("default", "sessions", query, None, 9), backend.count("default", "sessions", query)):
        with pytest.raises(InvalidArgumentError) as refused:
            await call
        assert refused.value.field == named


@pytest.mark.parametrize(
    ("order_by", "after", "named"),
    [
        (None, ListPosition("a", "a"), "after"),
        (None, ListPosition(None, "\ud800"), "after"),
        ("name", ListPosition(None, "a"), "after"),
        ("name", ListPosition(1, "a"), "name"),
        ("created_at", ListPosition("1", "a"), "created_at"),
        ("created_at", ListPosition(MOST + 1, "a"), "created_at"),
    ],
)
async def test_refused_positions(backend: Backend, order_by: str | None, after: ListPosition, named: str) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        await backend.list("default", "sessions", Query(order_by=order_by), after, 9)
    assert refused.value.field == named


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("colour", "red"),
        ("id", "a"),
        ("name", 1),
        ("name", "\ud800"),
        ("name", "nul\0"),
        ("name", "\U0010ffff" * 129),
        ("created_at", "1"),
        ("created_at", MOST + 1),
        ("message_count", LEAST - 1),
    ],
)
async def test_refused_summaries(backend: Backend, key: Key, name: str, value: str | int) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        await backend.commit(key, Change(summary=Summary(b"", {"state": "s", name: value})))
    assert refused.value.field == name
    assert await backend.read(key) is None


async def test_the_longest_values(backend: Backend) -> None:
    """They fit into whatever a backend keeps for lists, all at once."""
    longest: Attributes = {name: f"{number}{'x' * 511}" for number, name in enumerate(TEXT_ATTRIBUTES)}
    longest |= dict.fromkeys(NUMBER_ATTRIBUTES, MOST)
    id_ = "\U0010ffff" * 128
    await fill(backend, {id_: longest})
    for name in longest:
        assert await listed(backend, Query(order_by=name)) == [id_]
    assert await listed(backend, Query(equal={name: str(longest[name]) for name in TEXT_ATTRIBUTES})) == [id_]


async def test_attributes_are_not_shared(backend: Backend, key: Key) -> None:
    attributes: Attributes = {"name": "before"}
    await backend.commit(key, Change(summary=Summary(b"", attributes)))
    attributes["name"] = "after"
    assert await listed(backend, Query(equal={"name": "before"})) == ["one"]


async def test_another_lists_the_same(backend: Backend, another: Backend) -> None:
    query = Query(prefix={"name": "p"}, order_by="created_at", descending=True)
    for writer, reader in ((backend, another), (another, backend)):
        await fill(writer, KEYS)
        assert await listed(reader, query) == list("bae")
        await writer.delete(Key("default", "sessions", "a"))
        assert await listed(reader, query) == list("be")
        assert await reader.count("default", "sessions", query) == 2


TEXTS = st.sampled_from(["", "a", "aa", "ab", "b", "\u00e9", "\U0001f680"])
NUMBERS = st.integers(-2, 3)
ATTRIBUTES = st.fixed_dictionaries(
    {},
    optional={"name": TEXTS, "state": TEXTS, "created_at": NUMBERS, "message_count": NUMBERS},
)
QUERIES = st.builds(
    Query,
    equal=st.dictionaries(st.sampled_from(["name", "state"]), TEXTS, max_size=1),
    prefix=st.dictionaries(st.sampled_from(["name", "state"]), TEXTS.filter(bool), max_size=1),
    at_least=st.dictionaries(st.sampled_from(["created_at", "message_count"]), NUMBERS, max_size=1),
    below=st.dictionaries(st.sampled_from(["created_at", "message_count"]), NUMBERS, max_size=1),
    order_by=st.sampled_from([None, None, "name", "created_at", "message_count"]),
    descending=st.booleans(),
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    keys=st.dictionaries(st.sampled_from("abcdefgh"), ATTRIBUTES, min_size=3, max_size=8),
    queries=st.lists(QUERIES, min_size=10, max_size=10),
    size=st.integers(1, 4),
)
async def test_any_query_page_by_page(
    backend: Backend, keys: dict[str, Attributes], queries: list[Query], size: int
) -> None:
    for id_ in "abcdefgh":
        await backend.delete(Key("default", "sessions", id_))
    await fill(backend, keys)
    for query in queries:
        expected = selected(keys, query)
        assert await backend.count("default", "sessions", query) == len(expected)
        paged: list[str] = []
        while page := await listed(backend, query, position(keys, query, paged), size):
            paged += page
        assert paged == expected


def position(keys: dict[str, Attributes], query: Query, paged: list[str]) -> ListPosition | None:
    if not paged:
        return None
    return ListPosition(keys[paged[-1]][query.order_by] if query.order_by else None, paged[-1])


def selected(keys: dict[str, Attributes], query: Query) -> list[str]:
    """The ids that the words of `Query` ask for, found in the plainest way."""
    found: list[Any] = []
    for id_, attributes in keys.items():
        conditions = [attributes.get(name) == value for name, value in query.equal.items()]
        conditions += [str(attributes.get(name, "")).startswith(value) for name, value in query.prefix.items()]
        conditions += [name in attributes and attributes[name] >= value for name, value in query.at_least.items()]  # type: ignore[operator]
        conditions += [name in attributes and attributes[name] < value for name, value in query.below.items()]  # type: ignore[operator]
        value = attributes.get(query.order_by) if query.order_by else ""
        if all(conditions) and value is not None:
            found.append((value, id_.encode()))
    key = (lambda one: (one[0].encode(), one[1])) if query.order_by == "name" else None
    return [id_.decode() for _, id_ in sorted(found, key=key, reverse=query.descending)]
