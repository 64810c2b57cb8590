"""Every error a store raises, each made from facts.

    SessionStoreError
    ├── InvalidArgumentError        the caller sent something no store takes
    ├── RevisionConflictError       somebody else wrote first
    ├── RequestIdReusedError        the id of a request came again with another request
    ├── StaleBaseError              a change was made on a conversation that is no longer there
    ├── RevisionNotKeptError        a past revision that can no longer be read
    ├── PositionExpiredError        a watcher fell too far behind
    ├── LeaseHeldError              somebody else holds the lease
    ├── StaleLeaseError             somebody else took the lease over
    ├── UnsupportedVersionError     stored by a newer program than this one
    ├── UnsupportedOperationError   this store does not offer that
    ├── PayloadTooLargeError        one value above a declared limit
    ├── DataCorruptionError         what is stored cannot be read back
    ├── StorageError                the medium failed (disk full, permission, ...)
    ├── StoreUnavailableError       nobody answers at the target
    ├── DeadlineExceededError       no answer in time; a write may have happened
    ├── StoreClosedError            used before opening or after closing
    ├── UnknownSchemeError          no store is registered for the URL
    ├── MissingDependencyError      an extra of this distribution is not installed
    └── InternalError               a defect of the server, logged there

An error compares by its facts, its message is composed from them, and they travel with it over RPC
(see `sessionstore.wire.status`), so a remote store raises the very error a local one would.
"""

from dataclasses import dataclass, fields


class SessionStoreError(Exception):
    """The base of all errors that a store raises."""

    def __post_init__(self) -> None:
        super().__init__(*self.facts().values())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SessionStoreError) and type(other) is type(self) and other.facts() == self.facts()

    def __hash__(self) -> int:
        return hash((type(self), *self.facts().values()))

    def facts(self) -> dict[str, str | int]:
        """Return what happened, by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]


@dataclass(eq=False)
class InvalidArgumentError(SessionStoreError):
    """The argument `field` is not one that any store takes; `problem` says why and what to send."""

    field: str
    problem: str

    def __str__(self) -> str:
        return f"{self.field}: {self.problem}"


@dataclass(eq=False)
class RevisionConflictError(SessionStoreError):
    """The record `id` is not at the revision that the caller expected (0 means absent)."""

    id: str
    expected_revision: int
    actual_revision: int

    def __str__(self) -> str:
        return (
            f"{self.id!r} is at revision {self.actual_revision}, not {self.expected_revision}: "
            "read it again and repeat the change"
        )


@dataclass(eq=False)
class StaleBaseError(SessionStoreError):
    """The log `log` of the record `id` no longer begins with what the change was made on; nothing was written."""

    id: str
    log: str

    def __str__(self) -> str:
        return f"the {self.log} of {self.id!r} no longer begin with what the change was made on: send all of them"


@dataclass(eq=False)
class RequestIdReusedError(SessionStoreError):
    """The id `request_id` stands for another request, which was carried out before; nothing was written."""

    request_id: str

    def __str__(self) -> str:
        return f"the request id {self.request_id!r} stands for another request: make a new id for each request"


@dataclass(eq=False)
class RevisionNotKeptError(SessionStoreError):
    """The record `id` cannot be read at `revision`: it is too old, or was never reached."""

    id: str
    revision: int

    def __str__(self) -> str:
        return f"revision {self.revision} of {self.id!r} is not kept: list the revisions that are"


@dataclass(eq=False)
class PositionExpiredError(SessionStoreError):
    """Commits after the watch position are no longer known; nothing is lost, but it has to be listed again."""

    position: str

    def __str__(self) -> str:
        return "the commits after this position are no longer known: list again, then watch from the present position"


@dataclass(eq=False)
class LeaseHeldError(SessionStoreError):
    """The lease of `id` belongs to `holder` until `expire_time` (RFC 3339, by the clock of the server)."""

    id: str
    holder: str
    expire_time: str

    def __str__(self) -> str:
        return f"the lease of {self.id!r} belongs to {self.holder!r} until {self.expire_time}"


@dataclass(eq=False)
class StaleLeaseError(SessionStoreError):
    """Somebody else holds, or held, the lease of `id` after the one with `epoch`; nothing was written."""

    id: str
    epoch: int

    def __str__(self) -> str:
        return f"the lease of {self.id!r} with epoch {self.epoch} is over: acquire it again and read what has changed"


@dataclass(eq=False)
class UnsupportedVersionError(SessionStoreError):
    """The record `subject` has schema version `version`, and this program reads up to `supported`."""

    subject: str
    version: int
    supported: int

    def __str__(self) -> str:
        return (
            f"{self.subject} has schema version {self.version}, but this program supports {self.supported}: "
            "use a program of the version that wrote it"
        )


@dataclass(eq=False)
class UnsupportedOperationError(SessionStoreError):
    """The store `backend` does not offer `operation`; nothing was written."""

    operation: str
    backend: str

    def __str__(self) -> str:
        return f"the store {self.backend!r} does not offer {self.operation}; nothing was written"


@dataclass(eq=False)
class PayloadTooLargeError(SessionStoreError):
    """`subject` has `size` bytes, and at most `limit` bytes are taken."""

    subject: str
    size: int
    limit: int

    def __str__(self) -> str:
        return f"{self.subject} has {self.size} bytes, the limit is {self.limit}"


@dataclass(eq=False)
class DataCorruptionError(SessionStoreError):
    """What is stored at `location` cannot be read back; nothing was changed."""

    location: str
    problem: str

    def __str__(self) -> str:
        return f"{self.location} is damaged: {self.problem}"


@dataclass(eq=False)
class StorageError(SessionStoreError):
    """The medium at `location` failed, for example a full disk.

    The change was not made, unless `problem` says that this is in doubt: then a repeat of the request tells.
    """

    location: str
    problem: str

    def __str__(self) -> str:
        return f"{self.location}: {self.problem}"


@dataclass(eq=False)
class StoreUnavailableError(SessionStoreError):
    """Nobody answers at `target`."""

    target: str
    problem: str

    def __str__(self) -> str:
        return f"no answer from {self.target}: {self.problem}"


@dataclass(eq=False)
class DeadlineExceededError(SessionStoreError):
    """`operation` was not answered in time; if it writes, it may have been carried out."""

    operation: str
    target: str

    def __str__(self) -> str:
        return f"{self.operation} was not answered in time by {self.target}"


@dataclass(eq=False)
class StoreClosedError(SessionStoreError):
    """The store was used before it was opened or after it was closed."""

    backend: str

    def __str__(self) -> str:
        return f"the store {self.backend!r} is not open: use it inside `async with`"


@dataclass(eq=False)
class UnknownSchemeError(SessionStoreError):
    """No store is registered for URLs that start with `scheme`; `known` lists those that are."""

    scheme: str
    known: str

    def __str__(self) -> str:
        return f"no store is known for URLs that start with {self.scheme!r}: known are {self.known}"


@dataclass(eq=False)
class MissingDependencyError(SessionStoreError):
    """`feature` needs packages that are not installed; the extra `extra` brings them."""

    feature: str
    extra: str

    def __str__(self) -> str:
        return f"{self.feature} needs more packages: pip install 'sessionstore[{self.extra}]'"


@dataclass(eq=False)
class InternalError(SessionStoreError):
    """The server failed in `operation` in a way that nobody foresaw."""

    operation: str
    problem: str = "the log of the server tells why"

    def __str__(self) -> str:
        return f"{self.operation} failed: {self.problem}"


__all__ = [
    "DataCorruptionError",
    "DeadlineExceededError",
    "InternalError",
    "InvalidArgumentError",
    "LeaseHeldError",
    "MissingDependencyError",
    "PayloadTooLargeError",
    "PositionExpiredError",
    "RequestIdReusedError",
    "RevisionConflictError",
    "RevisionNotKeptError",
    "SessionStoreError",
    "StaleBaseError",
    "StaleLeaseError",
    "StorageError",
    "StoreClosedError",
    "StoreUnavailableError",
    "UnknownSchemeError",
    "UnsupportedOperationError",
    "UnsupportedVersionError",
]
