"""Every kind of write as it goes over the wire, so that a test can send it again, and send another under its id."""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

from typing_extensions import override

from sessionstore.adapter import ServiceAdapter
from sessionstore.model import SessionData
from sessionstore.store import SessionChange, SessionStore
from sessionstore.testing import samples
from sessionstore.testing.kinds import CHECKPOINT_KINDS, RECORD_KINDS, CheckpointKind, RecordKind
from sessionstore.testing.run_records import text_events
from sessionstore.transport import A, Kind, Method, Q, Transport

Call = Callable[[SessionStore], Awaitable[object]]


class Asked(NamedTuple):
    """A request, or the parts of one, and the method that it is for."""

    method: Method[Any, Any]
    parts: Sequence[Any]

    def but(self, **values: object) -> "Asked":
        """Return the same with other values of `request_id` or `expected_revision`."""
        parts = [type(part).FromString(part.SerializeToString()) for part in self.parts]
        head = parts[0] if self.method.kind is Kind.UNARY else parts[0].header
        for name, value in values.items():
            setattr(head, name, value)
        return Asked(self.method, parts)


async def asked(call: Call) -> Asked:
    """Return what a store sends for the last thing that `call` asks of it."""
    recorder = _Recorder()
    await call(ServiceAdapter(recorder))
    return recorder.asked[-1]


class Pair(NamedTuple):
    """A write to what has the id `a`, and one that makes something else of it."""

    write: Call
    undo: Call


def _record_pair(kind: RecordKind[Any]) -> Pair:
    return Pair(
        lambda store: kind.save(store, "a", kind.some("a")),
        lambda store: kind.save(store, "a", kind.shortened(kind.some("a"))),
    )


def _checkpoint_pairs(kind: CheckpointKind[Any]) -> Mapping[str, Pair]:
    def undo(store: SessionStore) -> Awaitable[object]:
        return kind.save(store, "a", kind.other("a"))

    return {
        f"save_{kind}": Pair(lambda store: kind.save(store, "a", kind.some("a")), undo),
        f"delete_{kind}": Pair(lambda store: kind.delete(store, "a"), undo),
    }


_OTHER_SESSION = SessionData(id="a", created_at=1, updated_at=1)
_COMMITTED = SessionChange(
    session=samples.session("a"),
    trace_events=samples.trace_events(),
    run_records=samples.run_records("a"),
    run_events={"run-0/retry 🏃": text_events(2)},
    verification_reports=samples.verification_reports(),
    artifacts=list(samples.artifacts()),
    subagent_tasks=samples.subagent_tasks("a"),
)

SESSION_PAIRS: Mapping[str, Pair] = {
    "save": Pair(lambda store: store.save(samples.session("a")), lambda store: store.save(_OTHER_SESSION)),
    "delete": Pair(lambda store: store.delete("a"), lambda store: store.save(_OTHER_SESSION)),
}
"""The writes of which every store is capable."""

PAIRS: Mapping[str, Pair] = {
    **SESSION_PAIRS,
    "commit": Pair(
        lambda store: store.commit("a", _COMMITTED),
        lambda store: store.commit("a", SessionChange(session=_OTHER_SESSION)),
    ),
    "save_snapshot": Pair(
        lambda store: store.save_snapshot(samples.snapshot("a")),
        lambda store: store.save_snapshot(samples.snapshot("a").model_copy(update={"session": _OTHER_SESSION})),
    ),
    **{f"save_{kind}": _record_pair(kind) for kind in RECORD_KINDS},
    **{name: pair for kind in CHECKPOINT_KINDS for name, pair in _checkpoint_pairs(kind).items()},
}
"""All writes that make something of nothing, by the names of their methods."""


class _Recorder(Transport):
    """Takes down what is sent, and answers nothing but that it went well."""

    name = "recorder"
    patience_seconds = 0.0

    def __init__(self) -> None:
        self.asked: list[Asked] = []

    @override
    async def open(self) -> None:
        pass

    @override
    async def unary(self, method: Method[Q, A], request: Q) -> A:
        self.asked.append(Asked(method, [request]))
        return method.response()

    @override
    async def upload(self, method: Method[Q, A], requests: AsyncIterable[Q]) -> A:
        self.asked.append(Asked(method, [part async for part in requests]))
        return method.response()

    @override
    def download(self, method: Method[Q, A], request: Q) -> AsyncIterator[A]:
        raise NotImplementedError(f"{method.name} writes nothing")

    @override
    def duplex(self, method: Method[Q, A], requests: AsyncIterable[Q]) -> AsyncIterator[A]:
        raise NotImplementedError(f"{method.name} has no request id")

    @override
    async def aclose(self) -> None:
        pass
