"""Opens a store by URL.

The scheme names an entry point of the group `sessionstore.stores`; it leads to a class of stores, whose `from_url`
makes the store.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import entry_points

from sessionstore.errors import InvalidArgumentError, MissingDependencyError, UnknownSchemeError
from sessionstore.store import SessionStore

GROUP = "sessionstore.stores"


@asynccontextmanager
async def open_store(url: str, *, create: bool = True) -> AsyncIterator[SessionStore]:
    """Open the store that `url` names, and close it at the end.

    With `create` a store that does not exist yet is made; otherwise that is an InvalidArgumentError.

    Known without plug-ins are `memory:`, `file:PATH`, `sqlite:PATH`, `postgresql://...` and `grpc://HOST:PORT`, which
    may name several servers over the same data (`grpc://HOST:PORT,HOST:PORT`) and end in `?multiplex=false`, so that
    each call goes by itself. Errors: UnknownSchemeError; InvalidArgumentError when the rest of the URL names no store;
    MissingDependencyError.
    """
    scheme = url.partition(":")[0]
    async with load_store_class(scheme).from_url(url, create=create) as store:
        yield store


def load_store_class(scheme: str) -> type[SessionStore]:
    """Return the class of the stores whose URLs start with `scheme`.

    Errors: UnknownSchemeError, MissingDependencyError; InvalidArgumentError when packages quarrel about the scheme.
    """
    known = entry_points(group=GROUP)
    claims = {entry.value: entry for entry in known.select(name=scheme)}
    if not claims:
        raise UnknownSchemeError(scheme=scheme, known=", ".join(sorted(known.names)))
    if len(claims) > 1:
        raise InvalidArgumentError(
            field="url", problem=f"{scheme!r} is claimed by {sorted(claims)}: uninstall all but one"
        )
    (entry,) = claims.values()
    try:
        store_class: type[SessionStore] = entry.load()
    except ModuleNotFoundError as error:
        if not entry.extras:
            raise
        raise MissingDependencyError(feature=f"the scheme {scheme!r}", extra=entry.extras[0]) from error
    return store_class
