"""The store in process over PostgreSQL; apart from the other stores, since it needs the extra `postgres`."""

from typing import Self

from typing_extensions import override

from sessionstore_server.backends.postgres import PostgresBackend
from sessionstore_server.services.retention import UNLIMITED, Retention
from sessionstore_server.stores import LocalSessionStore


class PostgresSessionStore(LocalSessionStore):
    """Keeps sessions in the PostgreSQL database `dsn`, such as `postgresql://user@host/database`.

    Its tables are made if they do not exist.
    """

    def __init__(self, dsn: str, *, retention: Retention = UNLIMITED) -> None:
        super().__init__(PostgresBackend(dsn), retention)

    @override
    @classmethod
    def from_url(cls, url: str, *, create: bool = True, retention: Retention = UNLIMITED) -> Self:
        return cls(url, retention=retention)
