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


class LocalSessionStore(ServiceAdapter):
    """A store in this process over any backend, which it opens and closes."""

    def __init__(self, backend: Backend) -> None:
        self._local = LocalTransport(services_over(backend))
        super().__init__(self._local)

    @property
    def services(self) -> Services:
        """The services of this store, for a server; opening and closing them opens and closes the store."""
        return replace(self._local.services, open=self._local.open, aclose=self._local.aclose)


class MemorySessionStore(LocalSessionStore):
    """Keeps sessions in this process; they end with the store."""

    def __init__(self) -> None:
        super().__init__(MemoryBackend())

    @override
    @classmethod
    def from_url(cls, url: str, *, create: bool = True) -> Self:
        if url not in ("memory:", "memory://"):
            raise InvalidArgumentError(field="url", problem=f"{url!r} must be `memory:`, with nothing behind it")
        return cls()


class FileSessionStore(LocalSessionStore):
    """Keeps sessions in the folder `path`, as JSON that people can read; several processes may share it.

    The folder is made if it does not exist.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(FileBackend(Path(path), RecordJson()))

    @override
    @classmethod
    def from_url(cls, url: str, *, create: bool = True) -> Self:
        path = url.removeprefix("file:")
        path = path.removeprefix("//") if path.startswith("///") else path
        if path in ("", url) or path.startswith("//"):
            raise InvalidArgumentError(field="url", problem=f"{url!r} must have the form file:PATH")
        if not create and not Path(path).is_dir():
            raise InvalidArgumentError(field="url", problem=f"there is no store in {path!r}")
        return cls(path)
