"""What every backend promises about ids, names and lists."""

import pytest

from sessionstore.errors import InvalidArgumentError
from sessionstore_server.backends.base import (
    Backend,
    Change,
    Key,
    Listed,
    ListPosition,
    LogRange,
    Query,
    Splice,
    Summary,
)

ALL = LogRange()

ODD_TEXTS = [
    "a/b",
    "../../etc/passwd",
    "..",
    ".",
    ".hidden",
    "trailing.",
    "inner.dot",
    "~",
    "%2F",
    " ",
    "line\nbreak",
    "back\\slash",
    "emoji 🚀",
    "\u00e9",
    "e\u0301",
    "CaSe",
    "case",
    "blobs",
    "Blobs",
    "commits",
    "commits.jsonl",
    "messages.2",
    "\U0010ffff" * 128,
    "x" * 512,
    "y" * 511 + "/",
]


async def listed(
    backend: Backend, namespace: str = "default", after: str | None = None, limit: int = 1000
) -> list[str]:
    position = None if after is None else ListPosition(None, after)
    return [one.id for one in await backend.list(namespace, "sessions", Query(), position, limit)]


async def test_odd_ids(backend: Backend) -> None:
    for number, text in enumerate(ODD_TEXTS):
        key = Key("default", "sessions", text)
        change = Change(
            {"session": b"%d" % number}, {"messages": Splice([b"%d" % number])}, summary=Summary(b"%d" % number)
        )
        assert (await backend.commit(key, change, expected_revision=0)).revision == 1
    for number, text in enumerate(ODD_TEXTS):
        view = await backend.read(Key("default", "sessions", text), ["session"], {"messages": ALL})
        assert view is not None
        assert view.documents["session"] == view.logs["messages"].records[0] == b"%d" % number
    assert await listed(backend) == sorted(ODD_TEXTS, key=str.encode)
    assert await backend.delete(Key("default", "sessions", "CaSe"))
    assert await backend.read(Key("default", "sessions", "case")) is not None


async def test_listing_what_has_no_summary(backend: Backend) -> None:
    for id_ in ("a", "b", "c", "d", "gone"):
        await backend.commit(Key("default", "sessions", id_), Change(summary=Summary(b"s") if id_ in "bd" else None))
    await backend.delete(Key("default", "sessions", "gone"))
    await backend.commit(Key("default", "sessions", "c"), Change())
    await backend.commit(Key("other", "sessions", "e"), Change())
    assert await listed(backend) == ["b", "d"]
    query, a, c = Query(summarized=False), Listed("a", 1, b""), Listed("c", 2, b"")
    for after, limit, expected in ((None, 9, [a, c]), (None, 1, [a]), (ListPosition(None, "a"), 9, [c])):
        assert await backend.list("default", "sessions", query, after, limit) == expected
    assert await backend.count("default", "sessions", query) == 2


async def test_odd_names(backend: Backend, key: Key) -> None:
    """Names may hold what ids may not."""
    names = [*ODD_TEXTS, "nul\0", "z" * 5000]
    documents = {name: b"d%d" % number for number, name in enumerate(names)}
    for number, name in enumerate(names):
        await backend.commit(key, Change({name: documents[name]}, {name: Splice([b"l%d" % number])}))
    view = await backend.read(key, names, dict.fromkeys(names, ALL))
    assert view is not None
    assert dict(view.documents) == documents
    assert {name: log.records[0] for name, log in view.logs.items()} == {
        name: b"l%d" % number for number, name in enumerate(names)
    }


async def test_namespaces_and_collections_never_meet(backend: Backend) -> None:
    keys = [Key(space, part, "id") for space in ("a", "A", "a/b", "blobs", ".work", "..") for part in ("x", "b/x", ".")]
    for number, key in enumerate(keys):
        await backend.commit(key, Change({"d": b"%d" % number}, summary=Summary(b"%d" % number)), expected_revision=0)
    for number, key in enumerate(keys):
        page = await backend.list(key.namespace, key.collection, Query(), None, 10)
        assert [(one.id, one.summary) for one in page] == [("id", b"%d" % number)]
    assert await backend.delete(keys[0])
    assert all([await backend.read(key) for key in keys[1:]])


@pytest.mark.parametrize("text", ["", "nul\0", "x" * 513, "\U0010ffff" * 128 + "x", "\ud800"])
@pytest.mark.parametrize("part", ["id", "namespace", "collection"])
async def test_refused_keys(backend: Backend, part: str, text: str) -> None:
    parts = {"namespace": "n", "collection": "c", "id": "i"} | {part: text}
    key = Key(**parts)
    for call in (backend.commit(key, Change()), backend.read(key), backend.delete(key)):
        with pytest.raises(InvalidArgumentError) as refused:
            await call
        assert refused.value.field == part


@pytest.mark.parametrize("name", ["", "\udfff"])
async def test_refused_names(backend: Backend, key: Key, name: str) -> None:
    for change, field in ((Change({name: b""}), "documents"), (Change(logs={name: Splice()}), "logs")):
        with pytest.raises(InvalidArgumentError) as refused:
            await backend.commit(key, change)
        assert refused.value.field == field
    assert await backend.read(key) is None


async def test_lists_are_paged_in_the_order_of_bytes(backend: Backend) -> None:
    ids = ["a", "B", "b", "ä", "\uffff", "\U0001f680", "a/b", "a b", "~" * 300, "%" * 100]
    for id_ in ids:
        await backend.commit(Key("default", "sessions", id_), Change(summary=Summary(id_.encode())))
    await backend.commit(Key("default", "sessions", "bb"), Change({"session": b"without a summary"}))
    expected = sorted(ids, key=str.encode)
    assert await listed(backend) == expected
    assert await listed(backend, limit=3) == expected[:3]
    paged: list[str] = []
    while page := await listed(backend, after=paged[-1] if paged else None, limit=3):
        paged += page
    assert paged == expected
    assert await listed(backend, after="a!") == [id_ for id_ in expected if id_.encode() > b"a!"]
    assert await listed(backend, namespace="nobody") == []


async def test_summaries_follow_commits(backend: Backend, key: Key) -> None:
    await backend.commit(key, Change(summary=Summary(b"1")))
    await backend.commit(key, Change({"a": b"1"}))
    await backend.commit(key, Change(summary=Summary(b"3")))
    assert [(one.revision, one.summary) for one in await backend.list("default", "sessions", Query(), None, 9)] == [
        (3, b"3")
    ]
