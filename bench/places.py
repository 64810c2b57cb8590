"""Where the contestants keep their data: new folders on a real disk, new databases of a PostgreSQL that syncs."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4


@contextmanager
def placed(parent: Path | None) -> Iterator["Places"]:
    """Give out places below a new folder in `parent` (None: the system's for temporary files); they go at the end."""
    # A short name, since the system limits the path of the socket of PostgreSQL.
    with TemporaryDirectory(prefix="bench", dir=parent, ignore_cleanup_errors=True) as folder:
        places = Places(Path(folder))
        try:
            yield places
        finally:
            places.close()


class Places:
    """Gives out places below a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._postgres: Any = None

    def path(self) -> Path:
        """Return a new folder."""
        return Path(mkdtemp(dir=self._folder))

    async def url(self, scheme: str) -> str:
        """Return the URL of a new store."""
        match scheme:
            case "memory":
                return "memory:"
            case "postgresql":
                return await self._database()
        return f"{scheme}:{self.path() / 'store'}"

    def processes(self, scheme: str) -> Mapping[str, int]:
        """Return the processes that keep the data of a store, besides the one that opens it."""
        if scheme != "postgresql":
            return {}
        first_line, *_ = (self._postgres.pgdata / "postmaster.pid").read_text().splitlines()
        return {"database": int(first_line)}

    def close(self) -> None:
        """End the PostgreSQL, if there is one."""
        if self._postgres is not None:
            self._postgres.cleanup()

    async def _database(self) -> str:
        import asyncpg

        if self._postgres is None:
            self._postgres = self._start()
        url: str = self._postgres.get_uri()
        name = f"bench_{uuid4().hex}"
        connection = await asyncpg.connect(url)
        await connection.execute(f'CREATE DATABASE "{name}"')
        await connection.close()
        return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))

    def _start(self) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pgserver
        return pgserver.get_server(self._folder / "pg", cleanup_mode="delete")
