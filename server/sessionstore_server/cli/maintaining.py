"""`sessionstore backup`, `mark-restored` and `migrate`: what the operator of one store needs."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from sessionstore.errors import InvalidArgumentError
from sessionstore.opening import load_store_class
from sessionstore_server.backends import file, sqlite
from sessionstore_server.cli.running import run
from sessionstore_server.stores import path_of

UrlArgument = Annotated[str, typer.Argument(metavar="URL", help="URL of the store.")]

_OTHER_BACKUPS = {
    "file": "copy the folder with `cp -a` or `tar`, while nobody writes to it or from a snapshot of the file system",
    "postgresql": "use pg_dump, or what the provider of the database offers",
    "grpc": "back up the store behind the server, by the URL that the server was given",
}
_COPY = "`sessionstore copy` copies the sessions of any store, while it is in use"


def backup(
    store: Annotated[str, typer.Argument(metavar="sqlite:PATH", help="URL of the store, which may be in use.")],
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="The file to make.")],
) -> None:
    """Copy the file of an SQLite store as it is at one moment, while others write to it."""
    run(lambda: _backup(store, target))


def mark_restored(store: UrlArgument) -> None:
    """Tell a file, SQLite or PostgreSQL store that it went back to a backup; nobody may have it open.

    Without this, clients that are older than the restore could take what they remember for what is stored.
    """
    run(lambda: _mark_restored(store))


def migrate(store: UrlArgument) -> None:
    """Bring the tables of a PostgreSQL store to the version of this program; servers do so too when they start."""
    run(lambda: _migrate(store))


async def _backup(url: str, target: Path) -> None:
    scheme = _scheme(url)
    if scheme != "sqlite":
        instead = _OTHER_BACKUPS.get(scheme, "back it up as its own manual says")
        raise InvalidArgumentError("store", f"{scheme!r} is not copied by this command: {instead}; {_COPY}")
    await asyncio.to_thread(sqlite.backup, path_of(url, "sqlite:"), target)


async def _mark_restored(url: str) -> None:
    match _scheme(url):
        case "file":
            await asyncio.to_thread(file.mark_restored, path_of(url, "file:"))
        case "sqlite":
            await asyncio.to_thread(sqlite.mark_restored, path_of(url, "sqlite:"))
        case "postgresql":
            from sessionstore_server.backends import postgres

            await postgres.mark_restored(url)
        case scheme:
            problem = f"{scheme!r} cannot be marked: name the file:, sqlite: or postgresql: store behind it"
            raise InvalidArgumentError("store", problem)


async def _migrate(url: str) -> None:
    if (scheme := _scheme(url)) != "postgresql":
        raise InvalidArgumentError("store", f"{scheme!r} has no tables to migrate: name a postgresql: store")
    from sessionstore_server.backends import postgres

    await postgres.migrate(url)


def _scheme(url: str) -> str:
    """Return the scheme of a URL. Errors: UnknownSchemeError; MissingDependencyError when its extra is missing."""
    scheme = url.partition(":")[0]
    load_store_class(scheme)
    return scheme
