"""The store in process over PostgreSQL; apart from the other stores, since it needs the extra `postgres`."""

from dataclasses import fields
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from typing_extensions import override

from sessionstore.errors import InvalidArgumentError
from sessionstore_server.backends.postgres import PostgresBackend, PostgresSettings
from sessionstore_server.services.records.retention import UNLIMITED, Retention
from sessionstore_server.stores import LocalSessionStore


class PostgresSessionStore(LocalSessionStore):
    """Keeps sessions in the PostgreSQL database `dsn`, such as `postgresql://user@host/database`.

    Its tables are made if they do not exist. A URL may set fields of `PostgresSettings` among its other parameters:
    `postgresql://user@host/database?pool_max=5&statement_cache_size=0`.
    """

    shared_by_processes = True

    def __init__(self, dsn: str, *, retention: Retention = UNLIMITED, settings: PostgresSettings | None = None) -> None:
        super().__init__(PostgresBackend(dsn, settings or PostgresSettings()), retention)

    @override
    @classmethod
    def from_url(cls, url: str, *, create: bool = True, retention: Retention = UNLIMITED) -> Self:
        dsn, settings = _split(url)
        return cls(dsn, retention=retention, settings=settings)


def _split(url: str) -> tuple[str, PostgresSettings]:
    """Return the DSN in a URL, and the settings beside it. Errors: InvalidArgumentError."""
    parts = urlsplit(url)
    parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
    types = {field.name: type(field.default) for field in fields(PostgresSettings)}
    given: dict[str, Any] = {
        name: _setting(name, types[name], parameters.pop(name)) for name in types.keys() & parameters.keys()
    }
    return urlunsplit(parts._replace(query=urlencode(parameters))), PostgresSettings(**given)


def _setting(name: str, kind: type, text: str) -> float:
    if kind is not bool:
        return _number(name, kind, text)
    if text not in ("true", "false"):
        raise InvalidArgumentError(field="url", problem=f"{name} is {text!r}: give true or false")
    return text == "true"


def _number(name: str, kind: type, text: str) -> float:
    try:
        number: float = kind(text)
    except ValueError:
        number = -1
    if number < 0:
        raise InvalidArgumentError(field="url", problem=f"{name} is {text!r}: give a number that is not negative")
    return number
