"""The store in process over an SQLite file."""

from pathlib import Path
from typing import Self

from typing_extensions import override

from sessionstore.errors import InvalidArgumentError
from sessionstore_server.backends.sqlite import SqliteBackend
from sessionstore_server.services.records.retention import UNLIMITED, Retention
from sessionstore_server.stores import LocalSessionStore, path_of


class SqliteSessionStore(LocalSessionStore):
    """Keeps sessions in the SQLite file `path`; several processes may share it.

    The file is made if it does not exist.
    """

    shared_by_processes = True

    def __init__(self, path: str | Path, *, retention: Retention = UNLIMITED) -> None:
        super().__init__(SqliteBackend(Path(path)), retention)

    @override
    @classmethod
    def from_url(cls, url: str, *, create: bool = True, retention: Retention = UNLIMITED) -> Self:
        path = path_of(url, "sqlite:")
        if not create and not path.is_file():
            raise InvalidArgumentError(field="url", problem=f"there is no store in {str(path)!r}")
        return cls(path, retention=retention)
