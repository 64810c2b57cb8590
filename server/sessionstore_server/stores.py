"""The stores in process: the adapter over services over a backend."""

from dataclasses import replace
from pathlib import Path
from typing import Self

from typing_extensions import override

from sessionstore.adapter import ServiceAdapter
from sessionstore.errors import InvalidArgumentError
from sessionstore_server.backends.base import Backend
from sessionstore_server.backends.file import FileBackend
from sessionstore_server.backends.memory import MemoryBackend
from sessionstore_server.local import LocalTransport
from sessionstore_server.record_json import RecordJson
from sessionstore_server.services.assembly import services_over
from sessionstore_server.services.handlers import Services
from sessionstore_server.services.records.retention import UNLIMITED, Retention


class LocalSessionStore(ServiceAdapter):
    """A store in this process over any backend, which it opens and closes; it keeps what `retention` says of runs."""

    def __init__(self, backend: Backend, retention: Retention = UNLIMITED) -> None:
        self._local = LocalTransport(services_over(backend, retention))
        super().__init__(self._local)

    @override
    @classmethod
    def from_url(cls, url: str, *, create: bool = True, retention: Retention = UNLIMITED) -> Self:
        return super().from_url(url, create=create)

    @property
    def services(self) -> Services:
        """The services of this store, for a server; opening and closing them opens and closes the store."""
        return replace(self._local.services, open=self._local.open, aclose=self._local.aclose)


class MemorySessionStore(LocalSessionStore):
    """Keeps sessions in this process; they end with the store."""

    def __init__(self, *, retention: Retention = UNLIMITED) -> None:
        super().__init__(MemoryBackend(), retention)

    @override
    @classmethod
    def from_url(cls, url: str, *, create: bool = True, retention: Retention = UNLIMITED) -> Self:
        if url not in ("memory:", "memory://"):
            raise InvalidArgumentError(field="url", problem=f"{url!r} must be `memory:`, with nothing behind it")
        return cls(retention=retention)


class FileSessionStore(LocalSessionStore):
    """Keeps sessions in the folder `path`, as JSON that people can read; several processes may share it.

    The folder is made if it does not exist.
    """

    shared_by_processes = True

    def __init__(self, path: str | Path, *, retention: Retention = UNLIMITED) -> None:
        super().__init__(FileBackend(Path(path), RecordJson()), retention)

    @override
    @classmethod
    def from_url(cls, url: str, *, create: bool = True, retention: Retention = UNLIMITED) -> Self:
        path = path_of(url, "file:")
        if not create and not path.is_dir():
            raise InvalidArgumentError(field="url", problem=f"there is no store in {str(path)!r}")
        return cls(path, retention=retention)


def path_of(url: str, scheme: str) -> Path:
    """Return the path in a URL of a scheme such as `file:`. Errors: InvalidArgumentError when there is none."""
    path = url.removeprefix(scheme)
    path = path.removeprefix("//") if path.startswith("///") else path
    if path in ("", url) or path.startswith("//"):
        raise InvalidArgumentError(field="url", problem=f"{url!r} must have the form {scheme}PATH")
    return Path(path)
