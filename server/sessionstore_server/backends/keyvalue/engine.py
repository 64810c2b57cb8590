"""What the key-value backend asks of an engine: an ordered space of byte keys, changed by atomic writes."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass
class Write:
    """What one write changes, and what must hold for it."""

    puts: dict[bytes, bytes] = field(default_factory=dict)
    deletes: set[bytes] = field(default_factory=set)
    """Keys that hold nothing afterwards; some hold nothing before. None of them is among `puts`."""
    conditions: dict[bytes, bytes | None] = field(default_factory=dict)
    """The value that each of these keys must hold; None: it must hold nothing."""


class KeyValues(ABC):
    """A space of byte keys in the order of their bytes, and byte values.

    Keys have at most some 2 KB, more only below document and log names that are longer than that. A value is as large
    as the largest record, and at most 1 MiB for pieces of blobs; a write has all that one commit brings.
    Calls may run concurrently, and each acts at one moment: it sees every write that returned before it began, also
    those of other processes if the engine is shared. Errors: StorageError when the medium fails.
    """

    @abstractmethod
    async def open(self) -> None:
        """Make the space ready; what was written before is there again."""

    @abstractmethod
    async def aclose(self) -> None:
        """Finish the writes under way and release everything; closing twice is allowed."""

    @abstractmethod
    async def get(self, keys: Collection[bytes]) -> Mapping[bytes, bytes]:
        """Return the values of those keys that hold one."""

    @abstractmethod
    async def scan(self, first: bytes, last: bytes, limit: int) -> Sequence[tuple[bytes, bytes]]:
        """Return up to `limit` keys with their values, in order: from `first` up to, not including, `last`."""

    @abstractmethod
    async def write(self, write: Write) -> bool:
        """Make the whole write if all its conditions hold, durable on return; else change nothing and return False.

        All or nothing, also across a kill at any point. The call is never cancelled.
        """
