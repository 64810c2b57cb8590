"""A small model of the contract, and the check of what clients saw against it.

Every write adds one message to a session that began with one, so at revision n a session has n messages, of which the
last is the one that made this revision. Times are numbers that one counter gave, in the process of all clients.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count


@dataclass(frozen=True, slots=True)
class Seen:
    """What a client saw of a session between `begin` and `end`: that it was at `revision`, or further."""

    session_id: str
    begin: int
    end: int
    revision: int


@dataclass(frozen=True, slots=True)
class Added(Seen):
    """The client added a message, which made this revision."""

    text: str
    expected_revision: int | None


@dataclass(frozen=True, slots=True)
class Read(Seen):
    """The client read all messages."""

    texts: Sequence[str]


@dataclass(frozen=True, slots=True)
class Refused(Seen):
    """The client would have added a message at another revision."""

    expected_revision: int


@dataclass
class History:
    """What all clients saw, in the order of the answers."""

    seen: list[Seen] = field(default_factory=list)
    clock: Callable[[], int] = field(default_factory=lambda: count().__next__)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, seen: Seen) -> None:
        """Record an operation that has ended."""
        self.seen.append(seen)
        self._news.set()

    async def grows_by(self, number: int) -> None:
        """Wait until so many more messages were added."""
        goal = self.added() + number
        while self.added() < goal:
            self._news.clear()
            await self._news.wait()

    def added(self) -> int:
        """Return how many messages were added."""
        return sum(isinstance(seen, Added) for seen in self.seen)


def check(seen: Sequence[Seen], stored: Mapping[str, Sequence[str]]) -> None:
    """Check what clients saw of sessions that in the end have the messages `stored`, of which all were answered."""
    for session_id, texts in stored.items():
        of_session = [each for each in seen if each.session_id == session_id]
        _check_messages(of_session, texts)
        _check_times(of_session)


def _check_messages(seen: Sequence[Seen], texts: Sequence[str]) -> None:
    added = {each.revision: each for each in seen if isinstance(each, Added)}
    assert len(added) == sum(isinstance(each, Added) for each in seen), "two writes made the same revision"
    assert [each.text for _, each in sorted(added.items())] == list(texts[1:]), "a write was lost, doubled or moved"
    assert list(added) == [] or sorted(added) == list(range(2, len(texts) + 1)), "revisions have a gap"
    for each in seen:
        match each:
            case Added():
                assert each.expected_revision in (None, each.revision - 1), f"{each} was made at another revision"
            case Read():
                assert list(each.texts) == list(texts[: each.revision]), f"{each} is no state of the session"
            case Refused():
                assert each.revision != each.expected_revision, f"{each} was refused without reason"


def _check_times(seen: Sequence[Seen]) -> None:
    """Check that nobody saw less than what somebody had seen before he asked."""
    highest, known = 0, {}
    for time, each in sorted([(each.begin, each) for each in seen] + [(each.end, each) for each in seen], key=_time):
        if time == each.begin:
            known[time] = highest
            continue
        least = known[each.begin] + isinstance(each, Added)
        assert each.revision >= least, f"{each} comes after revision {least}"
        highest = max(highest, each.revision)


def _time(point: tuple[int, Seen]) -> int:
    return point[0]
