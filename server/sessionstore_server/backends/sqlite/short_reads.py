"""Which reads are short: those that found little before, and ask for little of what there was then.

What was read before is in memory, as a rule, and such a read then takes a fraction of what a thread costs. That is no
promise: one that waits for the disk after all, or finds much more, holds up the event loop meanwhile. One that found
too much is not short the next time.
"""

from collections.abc import Mapping, Sequence

from sessionstore_server.backends.base import Key, LogRange, View

MAX_BYTES = 32 << 10
"""How much a short read finds, at most."""
MAX_RECORDS = 16
"""How many records it asks for, of those that there were."""
MAX_KNOWN = 1 << 12
"""How many short reads are known; what was known for longest goes first."""

_Read = tuple[Key, Sequence[str], Sequence[str]]
"""What is read: the names of documents and of logs."""


class ShortReads:
    """Remembers short reads of the present revision, with the lengths that the logs had."""

    def __init__(self) -> None:
        self._known: dict[_Read, Mapping[str, int]] = {}

    def has(self, read: _Read, ranges: Mapping[str, LogRange]) -> bool:
        """Tell whether a read of these ranges is expected to be short."""
        lengths = self._known.get(read)
        if lengths is None:
            return False
        return sum([_asked(length, ranges[name]) for name, length in lengths.items()]) <= MAX_RECORDS

    def note(self, read: _Read, view: View | None) -> None:
        """Remember what a read has found; of a name that stands for several logs, no length is known."""
        if _size(view) > MAX_BYTES:
            self._known.pop(read, None)
        elif read not in self._known:
            logs = view.logs if view else {}
            self._known[read] = {name: logs[name].length for name in read[2] if name in logs}
            if len(self._known) > MAX_KNOWN:
                del self._known[next(iter(self._known))]


def _asked(length: int, wanted: LogRange) -> int:
    stop = length if wanted.stop is None else min(length, wanted.stop)
    return max(0, stop - wanted.start)


def _size(view: View | None) -> int:
    """Return how many bytes a view holds."""
    size = 0
    if view:
        for document in view.documents.values():
            size += len(document)
        for log in view.logs.values():
            size += sum(map(len, log.records))
    return size
