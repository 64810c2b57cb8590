"""Samples of a process: what its threads were at, each weighed with the processor time that its thread used."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

OTHER = "other"


class Frame(NamedTuple):
    """A function, and its module as a path below the folder that is imported from."""

    module: str
    function: str


Stack = tuple[Frame, ...]
"""The innermost frame is the last."""

# The first that fits an inner frame names its part. An entry with a colon is of one function.
PARTS: Mapping[str, Sequence[str]] = {
    "request id and digest": ("sessionstore_server/services/writes.py:identity",),
    "protobuf": (
        "google/protobuf/",
        "sessionstore/v1/",
        "sessionstore/wire/requests.py",
        "sessionstore_server/services/handlers.py:parsed_request",
        "sessionstore_server/services/responses.py",
    ),
    "check of what came in, and models": (
        "sessionstore/wire/",
        "sessionstore/model/",
        "pydantic/",
        "sessionstore_server/services/checks.py",
        "sessionstore_server/backends/checks.py",
    ),
    "files and their syncs": (
        "sessionstore_server/backends/file/files.py",
        "sessionstore_server/backends/file/folder.py",
    ),
    "SQLite": ("sessionstore_server/backends/sqlite/",),
    # Of all that is here only this driver uses sockets of asyncio.
    "driver of PostgreSQL": (
        "asyncpg/",
        "asyncio/selector_events.py:write",
        "asyncio/selector_events.py:_read_ready__data_received",
    ),
    "backend": ("sessionstore_server/backends/",),
    "many calls over one stream": (
        "sessionstore_server/services/roads/",
        "sessionstore/multiplexing.py",
    ),
    "services": ("sessionstore_server/",),
    "library": ("sessionstore/",),
    "benchmark": ("bench/",),
    "gRPC and asyncio": ("grpc/", "asyncio/", "selectors.py", "threading.py", "concurrent/"),
}
_NATIVE = "gRPC, threads of its own"
_FRAME = re.compile(r"(?P<function>.+) \((?P<module>[^()]+?)(:\d+)?\)")
_THREAD = re.compile(r"thread \((\d+)\)")
_WAITING = {
    Frame("selectors.py", "EpollSelector.select"),
    Frame("threading.py", "Condition.wait"),
    Frame("concurrent/futures/thread.py", "_worker"),
    Frame("asyncio/unix_events.py", "ThreadedChildWatcher._do_waitpid"),
    Frame("sessionstore_server/backends/file/threads.py", "Threads._run"),
    Frame("sessionstore_server/backends/sqlite/readers.py", "Readers._run"),
    Frame("sessionstore_server/backends/sqlite/writer.py", "Writer._run"),
}
"""Innermost frames of threads that have nothing to do."""


@dataclass(frozen=True)
class Profile:
    """What processor time was spent on, in seconds."""

    stacks: Mapping[Stack, float]
    native_seconds: float
    """Of threads that run no Python."""

    @property
    def seconds(self) -> float:
        """All of it."""
        return sum(self.stacks.values()) + self.native_seconds

    def parts(self) -> list[tuple[str, float]]:
        """Return the parts of the program, the dearest first."""
        found: Counter[str] = Counter({_NATIVE: self.native_seconds})
        for stack, seconds in self.stacks.items():
            found[part_of(stack)] += seconds
        return found.most_common()

    def functions(self, count: int) -> list[tuple[Frame, float]]:
        """Return the functions with most time of their own."""
        found: Counter[Frame] = Counter()
        for stack, seconds in self.stacks.items():
            found[stack[-1]] += seconds
        return found.most_common(count)


def profile_of(raw: str, thread_seconds: Mapping[int, float]) -> Profile:
    """Return the profile of a recording of `py-spy --format raw --threads`, and of what each thread used meanwhile."""
    counts: dict[int, Counter[Stack]] = defaultdict(Counter)
    for thread, stack, count in _samples(raw):
        counts[thread][stack] += count
    stacks: Counter[Stack] = Counter()
    for thread, found in counts.items():
        busy = {stack: count for stack, count in found.items() if stack[-1] not in _WAITING} or found
        for stack, count in busy.items():
            stacks[stack] += thread_seconds.get(thread, 0.0) * count / sum(busy.values())
    native = sum(seconds for thread, seconds in thread_seconds.items() if thread not in counts)
    return Profile(stacks, native)


def part_of(stack: Stack) -> str:
    """Return the part to which the innermost frame of a known module belongs."""
    for frame in reversed(stack):
        for part, entries in PARTS.items():
            if any(_fits(frame, entry) for entry in entries):
                return part
    return OTHER


def _fits(frame: Frame, entry: str) -> bool:
    module, _, function = entry.partition(":")
    return frame.module.startswith(module) and function in ("", frame.function.rpartition(".")[2])


def _samples(raw: str) -> Iterator[tuple[int, Stack, int]]:
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        thread, *names = stack.split(";")
        frames = tuple(Frame(found["module"], found["function"]) for name in names if (found := _FRAME.fullmatch(name)))
        if frames and (known := _THREAD.match(thread)):
            yield int(known[1]), frames, int(count)
