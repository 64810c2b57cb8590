"""Replaces whole lists of records at the price of what changed: what is stored and stays is not written again."""

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import takewhile
from typing import Any, TypeVar

from google.protobuf.message import Message

from sessionstore.errors import StaleBaseError
from sessionstore_server.backends.base import Backend, Change, Key, LogRange, Splice, View
from sessionstore_server.services.writes import commit

R = TypeVar("R", bound=Message)

_ATTEMPTS = 5


async def commit_replacing(
    backend: Backend,
    key: Key,
    names: tuple[Collection[str], Collection[str]],
    change_of: Callable[[View | None], Change],
    request: Any,  # noqa: ANN401 - any write
    response: Callable[..., R],
) -> R:
    """Commit the change that `change_of` makes of what the named documents and logs hold now.

    Should another call shorten a log in between, it is made again; at last of nothing, which replaces everything.
    """
    documents, logs = names
    for _ in range(_ATTEMPTS):
        view = await backend.read(key, documents, dict.fromkeys(logs, LogRange()))
        try:
            return await commit(backend, key, change_of(view), request, response)
        except StaleBaseError:
            continue
    return await commit(backend, key, change_of(None), request, response)


def replaced(view: View | None, log: str, records: Sequence[bytes]) -> Splice:
    """Return the splice after which `log` holds `records`, given what it holds in `view`."""
    if view is None or log not in view.logs:
        return Splice(append=records, keep=0)
    kept = _common(view.logs[log].records, records)
    return Splice(append=records[kept:], keep=kept, since=view.revision)


def changed(view: View | None, documents: Mapping[str, bytes | None]) -> dict[str, bytes | None]:
    """Return those of `documents` that are not in `view` as they are."""
    stored: Mapping[str, bytes] = {} if view is None else view.documents
    return {name: record for name, record in documents.items() if record is None or stored.get(name) != record}


def _common(stored: Sequence[bytes], records: Sequence[bytes]) -> int:
    pairs = zip(stored, records, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
