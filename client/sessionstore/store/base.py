"""What every store is, whatever it keeps."""

from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Any, ClassVar, NoReturn, Self

from sessionstore.errors import InvalidArgumentError, UnsupportedOperationError
from sessionstore.store.values import Capabilities


class StoreBase:
    """Opening, closing and telling about a store."""

    shared_by_processes: ClassVar[bool] = False
    """Whether what several processes open by the same URL, at the same time, is one store."""

    @classmethod
    def from_url(cls, url: str, *, create: bool = True) -> Self:
        """Make the store that `url` names, for `open_store`.

        Errors: InvalidArgumentError when it names none, or one that does not exist and may not be created.
        """
        raise InvalidArgumentError(field="url", problem=f"{cls.__name__} cannot be opened by URL")

    @property
    def backend_name(self) -> str:
        """The name of the kind of store, such as `memory`, `file` or `remote`."""
        return "unknown"

    async def capabilities(self) -> Capabilities:
        """Return what this store keeps and guarantees."""
        return Capabilities()

    async def health_check(self) -> None:
        """Return when the store can read and write; else raise the error that says why not."""

    async def aclose(self) -> None:
        """Release everything; closing twice is allowed. Any later call is a StoreClosedError."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def _refuse_conditions(self, **conditions: int | None) -> None:
        """Refuse a call that depends on what the store does not have, such as revisions."""
        for name, value in conditions.items():
            if value is not None:
                self._refuse(name)

    def _refuse_unless_empty(self, operation: str, records: Sequence[object], **conditions: int | None) -> int:
        self._refuse_conditions(**conditions)
        if records:
            self._refuse(operation)
        return 0

    def _refuse(self, operation: str) -> NoReturn:
        raise UnsupportedOperationError(operation=operation, backend=self.backend_name)

    async def _refusal(self, operation: str) -> AsyncIterator[Any]:
        """Refuse an operation that would yield something."""
        if self:
            self._refuse(operation)
        yield
