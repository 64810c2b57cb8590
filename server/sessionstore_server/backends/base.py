"""What a backend offers: named documents, append-only logs and blobs under one revision per key.

A backend knows bytes and not the domain. The services map sessions onto these values; a new kind of record
needs no change here. Each backend passes `tests/server/backends`, and through the services the contract suite.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

MAX_ID_BYTES = 512
"""The longest id, in bytes of UTF-8."""

REQUESTS_KEPT = 128
"""How many requests the ledger of a key remembers; the oldest go first."""

REVISIONS_KEPT = 32
"""How many revisions of a key can still be read, the present one among them."""

FEED_KEPT = 10_000
"""How many of the last commits a feed tells at least; who asks for older ones has to list again."""

BLOB_PIECE_BYTES = 1 << 20
"""The largest piece in which `Backend.get_blob` hands out a blob."""

TEXT_ATTRIBUTES = ("name", "state", "model_name", "parent_id", "tenant_id", "principal", "agent_template_id")
NUMBER_ATTRIBUTES = ("created_at", "updated_at", "message_count")
"""By what `list` selects and orders, besides the id; numbers are signed and of 64 bits."""


@dataclass(frozen=True, slots=True)
class Key:
    """The address of one record set. Namespaces never meet; the caller's identity gives the namespace."""

    namespace: str
    collection: str
    id: str


@dataclass(frozen=True, slots=True)
class Splice:
    """A change of one log: keep the first `keep` records (None: all), then append."""

    append: Sequence[bytes] = ()
    keep: int | None = None
    since: int | None = None
    """The revision at which the caller saw the records that are kept; None: no matter which these are. The commit is a
    StaleBaseError if the log was shortened after it, or is shorter than `keep`."""
    length: int | None = None
    """How many records the log must have before (absent: 0), else the commit is a StaleBaseError; None: no matter."""


@dataclass(frozen=True, slots=True)
class Request:
    """What makes a call safe to repeat: its key remembers it in the ledger, together with the answer.

    A repeat (the same id and digest) is answered as the first time and changes nothing, whatever revision it expects.
    """

    id: str
    """Made by the caller, a new one for each request; text like the id of a key."""
    digest: str
    """The sha256 (lower-case hex) of what was asked for."""


@dataclass(frozen=True, slots=True)
class Guard:
    """What another key must hold when a commit takes effect, such as the epoch of a lease."""

    key: Key
    document: str
    record: bytes


@dataclass(frozen=True, slots=True)
class Origin:
    """What a new key starts from: everything that another key held at a revision that is still kept."""

    key: Key
    revision: int


@dataclass(frozen=True, slots=True)
class Summary:
    """What lists know of a key."""

    record: bytes = b""
    attributes: Mapping[str, str | int] = field(default_factory=dict)
    """Values of `TEXT_ATTRIBUTES` and `NUMBER_ATTRIBUTES`; a key has no value for those that are missing."""


@dataclass(frozen=True, slots=True)
class Change:
    """What one commit changes under a key; whatever is not named stays as it is.

    A log exists from the first splice that names it, also when that appends nothing.
    """

    documents: Mapping[str, bytes | None] = field(default_factory=dict)
    """New content by name; None removes the document, or everything below a name that ends in `/`."""
    logs: Mapping[str, Splice | None] = field(default_factory=dict)
    """Splices by log name; None removes the log, or everything below a name that ends in `/`. A splice of a name
    below a removed one counts as if the name stood alone."""
    summary: Summary | None = None
    """What `list` knows of the key; None keeps the present one. A key without a summary is not listed."""
    blobs: frozenset[str] | None = None
    """The sha256 (lower-case hex) of every blob that the key refers to from now on; None changes nothing."""
    request: Request | None = None
    """What the ledger remembers of this change; None: a repeat is a new change."""
    guard: Guard | None = None
    """The change takes effect only while this holds, else it is a GuardError."""
    origin: Origin | None = None
    """What the key, which must be absent, starts from, before the rest of the change is applied: documents, logs,
    summary and blobs. Shared with the other key, not copied: the cost does not depend on the length of its logs."""


@dataclass(frozen=True, slots=True)
class Commit:
    """The outcome of a commit."""

    revision: int
    commit_time: datetime


@dataclass(frozen=True, slots=True)
class LogRange:
    """The records from position `start` up to, not including, `stop` (None: the end)."""

    start: int = 0
    stop: int | None = None


@dataclass(frozen=True, slots=True)
class LogView:
    """A part of one log: the records from position `start`, and what is known of the whole."""

    records: Sequence[bytes]
    start: int
    length: int
    """The number of records in the whole log."""
    shortened_at: int
    """The last revision that removed records from the log, or started it. Who holds a prefix read at that revision or
    later needs only what follows the prefix."""


@dataclass(frozen=True, slots=True)
class View:
    """What a key held at one revision. Names that do not exist are missing from the mappings."""

    revision: int
    commit_time: datetime
    documents: Mapping[str, bytes]
    logs: Mapping[str, LogView]


@dataclass(frozen=True, slots=True)
class Listed:
    """One key in a list."""

    id: str
    revision: int
    summary: bytes
    damage: str | None = None
    """Why the key cannot be read; its revision and summary are not known then. None: it can."""
    value: str | int | None = None
    """Of the attribute by which the list is ordered; None when it is ordered by id."""


@dataclass(frozen=True, slots=True)
class Query:
    """Which keys a list shows, and in which order. A damaged key matches unless something has to be known of it."""

    equal: Mapping[str, str] = field(default_factory=dict)
    """Values that text attributes must have."""
    prefix: Mapping[str, str] = field(default_factory=dict)
    """Text, not empty, with which text attributes must begin."""
    at_least: Mapping[str, int] = field(default_factory=dict)
    """The least values of number attributes."""
    below: Mapping[str, int] = field(default_factory=dict)
    """What number attributes must be less than."""
    order_by: str | None = None
    """An attribute; keys without a value for it are left out. Ties, and lists with None, are in the order of ids."""
    descending: bool = False
    """The last first, ids too."""
    summarized: bool = True
    """False: show instead the keys that have no summary; nothing else may be asked of these."""


class ListPosition(NamedTuple):
    """Where a page ended."""

    value: str | int | None
    """Of the attribute by which the list is ordered; None when it is ordered by id."""
    id: str


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """A commit that happened."""

    id: str
    revision: int
    commit_time: datetime
    deleted: bool


@dataclass(frozen=True, slots=True)
class Feed:
    """Commits in a row, those of one key in their order, and the position behind them."""

    entries: Sequence[FeedEntry]
    position: str


class GuardError(Exception):
    """Another key does not hold what the guard of a change asks for; nothing was written."""


class Backend(ABC):
    """Where bytes live.

    Rules for every implementation:

    - A commit is all or nothing, also across a kill at any point, and durable when it returns.
    - The revision of a key starts at 1 and grows by one with each commit, and a deletion is one; 0 stands for absent,
      be it deleted or never made. So no revision stands for two states, as long as a deleted key is not swept.
    - The ledger of a key keeps the last `REQUESTS_KEPT` requests that were carried out, also across its deletion; one
      that failed is not among them. Concurrent repeats have one effect.
    - Calls may run concurrently, on one key too; each behaves as if it ran alone.
    - Nothing handed in or out is shared: no caller can change what is stored.
    - Ids are non-empty UTF-8 text without NUL, at most `MAX_ID_BYTES` long; document and log names are any
      non-empty Unicode text. Both may hold slashes, dots and emoji.
    """

    name: str
    """The backend's name for people, such as `memory`."""

    incarnation: int
    """Of what is stored: a random number of 63 bits, known once open. While it is the same, nothing that was committed
    was undone; data that begins anew, or goes back to a backup, gets another."""

    finds_damage: bool = False
    """Whether a read finds what was damaged since the last one. Callers then read anew what they remember, lest damage
    is passed over."""

    @abstractmethod
    async def open(self) -> None:
        """Make the backend ready, for example create the folder. Call once, before anything else."""

    @abstractmethod
    async def aclose(self) -> None:
        """Finish what is under way and release everything; closing twice is allowed."""

    @abstractmethod
    async def commit(self, key: Key, change: Change, expected_revision: int | None = None) -> Commit:
        """Apply `change` to `key` as one unit, creating the key if it is absent.

        A change that is empty, or carries nothing but a request, is a commit too.
        Errors: RevisionConflictError when `expected_revision` is given and is not the present one (0: the key must be
        absent); StaleBaseError, see `Splice`; GuardError; RequestIdReusedError when the ledger has the id for another
        request; InvalidArgumentError when a splice keeps more records than there are, or a blob that the change
        refers to is not stored; RevisionNotKeptError for an origin that cannot be read any more; StorageError when
        the medium fails. After an error nothing changed, unless it says that this is in doubt: then repeat the request.
        """

    @abstractmethod
    async def read(
        self,
        key: Key,
        documents: Collection[str] = (),
        logs: Mapping[str, LogRange] | None = None,
        revision: int | None = None,
    ) -> View | None:
        """Read the named documents and log ranges at one revision (None: the present one).

        None when the key is absent. A name that ends in `/` stands for every name that starts with it. A range may
        reach beyond the end. Errors: DataCorruptionError when what is stored cannot be read; RevisionNotKeptError.
        """

    @abstractmethod
    async def history(self, key: Key) -> Sequence[Commit]:
        """Return the revisions that can still be read, the oldest first; none when the key is absent.

        These are the last `REVISIONS_KEPT`, back to the last commit that started the key or gave up a blob.
        """

    @abstractmethod
    async def delete(
        self,
        key: Key,
        expected_revision: int | None = None,
        request: Request | None = None,
        guard: Guard | None = None,
    ) -> bool:
        """Remove everything under `key` but its revision and its ledger; tell whether there was anything.

        Blobs to which no other key refers go too. Deleting an absent key changes nothing, or, with a request, only
        the revision and the ledger. A damaged key can be deleted, unless `expected_revision` is given; its revision and
        its ledger then start anew. Errors: RevisionConflictError, GuardError (see `Change`),
        RequestIdReusedError, StorageError.
        """

    @abstractmethod
    async def sweep_deleted(self, min_age_seconds: float) -> int:
        """Forget the keys that were deleted at least so long ago; return how many went.

        Their revisions and ledgers start anew, so let nobody still hold or repeat what is older.
        """

    @abstractmethod
    async def list(
        self, namespace: str, collection: str, query: Query, after: ListPosition | None, limit: int
    ) -> Sequence[Listed]:
        """Return up to `limit` keys that match, after a position. Text is in the order of its UTF-8 bytes.

        Errors: InvalidArgumentError for an attribute that is not known.
        """

    @abstractmethod
    async def count(self, namespace: str, collection: str, query: Query) -> int:
        """Return how many keys match."""

    @abstractmethod
    async def feed(self, namespace: str, collection: str, position: str | None, limit: int) -> Feed:
        """Return up to `limit` commits after a position, those of other processes too; None: only tell the position.

        A commit that returned before the call stands before that position. Each commit is told once or, after a kill,
        twice. Errors: PositionExpiredError when commits after the position are no longer known;
        InvalidArgumentError when it is none of this backend.
        """

    @abstractmethod
    async def wait(self, key: Key | None, timeout_seconds: float) -> None:
        """Return when `key` (None: any) was written, at the latest after the time; earlier for no reason, too.

        What other processes write is noticed in time or not: look again after `poll_seconds`.
        """

    @property
    def poll_seconds(self) -> float:
        """How long what other processes write may go unnoticed, unless somebody looks."""
        return 0.25

    @abstractmethod
    async def put_blob(self, digest: str, content: AsyncIterator[bytes]) -> None:
        """Store a blob under its sha256; storing it again changes nothing.

        Errors: InvalidArgumentError when the content has another digest (nothing is kept), StorageError.
        """

    @abstractmethod
    async def extend_upload(self, digest: str, offset: int, piece: bytes) -> int:
        """Add a piece to the unfinished upload of a blob, of which `offset` bytes are here; return how many are now.

        With another offset nothing is added. All who upload the blob go on with the same upload, also after a
        restart. Errors: StorageError.
        """

    @abstractmethod
    async def upload_size(self, digest: str) -> int:
        """Return how many bytes of an unfinished upload are here; 0 when there is none."""

    @abstractmethod
    async def finish_upload(self, digest: str) -> None:
        """Store what was uploaded as the blob; nothing of the upload stays.

        Errors: InvalidArgumentError for `digest` when the content has another one: the upload has to start anew.
        A blob that is stored already is a success.
        """

    @abstractmethod
    def get_blob(self, digest: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """Stream the bytes of a blob from `start` up to `stop`, in pieces of at most 1 MiB.

        Errors: DataCorruptionError when it is not stored or, for a whole read, has another digest.
        """

    @abstractmethod
    async def blob_size(self, digest: str) -> int | None:
        """Return the size of a blob in bytes, or None when it is not stored."""

    @abstractmethod
    async def missing_blobs(self, digests: Collection[str]) -> set[str]:
        """Return which of these blobs are not stored."""

    @abstractmethod
    async def sweep_blobs(self, min_age_seconds: float) -> int:
        """Remove blobs to which no key refers, and uploads, that are at least so old; return how many blobs went."""

    @abstractmethod
    async def check_health(self) -> None:
        """Return when the backend can read and write; else raise StorageError with the reason."""
