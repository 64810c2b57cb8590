"""Keeps the sessions of AI agents, in process or behind gRPC, with one interface for both.

Importing this loads the models but no gRPC: a store is loaded when it is first named.
"""

from typing import TYPE_CHECKING

from sessionstore import errors, model, store
from sessionstore.errors import *  # noqa: F403 - all its public names
from sessionstore.model import *  # noqa: F403 - all its public names
from sessionstore.opening import load_store_class, open_store
from sessionstore.store import *  # noqa: F403 - all its public names

if TYPE_CHECKING:
    from sessionstore.remote import RemoteSessionStore
    from sessionstore.store import SessionStore
    from sessionstore_server.postgres_store import PostgresSessionStore
    from sessionstore_server.sqlite_store import SqliteSessionStore
    from sessionstore_server.stores import FileSessionStore, MemorySessionStore

_STORE_SCHEMES = {
    "MemorySessionStore": "memory",
    "FileSessionStore": "file",
    "SqliteSessionStore": "sqlite",
    "PostgresSessionStore": "postgresql",
    "RemoteSessionStore": "grpc",
}

__all__ = [
    "FileSessionStore",
    "MemorySessionStore",
    "PostgresSessionStore",
    "RemoteSessionStore",
    "SqliteSessionStore",
    "open_store",
    *errors.__all__,
    *model.__all__,
    *store.__all__,
]


def __getattr__(name: str) -> type[SessionStore]:
    if name not in _STORE_SCHEMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    store_class = load_store_class(_STORE_SCHEMES[name])
    globals()[name] = store_class
    return store_class
