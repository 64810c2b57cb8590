"""Whole snapshots as streams of parts, and streams of parts as snapshots.

The parts of both directions have the same fields; the rules for their order stand in `snapshot.proto`.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from operator import methodcaller
from typing import Any, TypeVar

from google.protobuf.message import Message

from sessionstore.errors import InvalidArgumentError
from sessionstore.model import SessionSnapshot
from sessionstore.model.snapshot import check_snapshot_version
from sessionstore.v1 import session_pb2
from sessionstore.v1 import snapshot_pb2 as pb
from sessionstore.wire import records
from sessionstore.wire.codec import unknown_fields, validate
from sessionstore.wire.values import unknown_fields_text

PART_BYTES = 1 << 20
"""Records are gathered into parts of about this size; a larger record is a part of its own."""

Part = TypeVar("Part", pb.SaveSnapshotRequest, pb.LoadSnapshotResponse)
T = TypeVar("T")

_SINGLE_PARTS = ("header", "session", "run_events")


class ReceivedSnapshot:
    """The parts of a snapshot that came so far. `lists` holds the records of each kind under the name of its part."""

    def __init__(self) -> None:
        self.header: pb.SnapshotHeader | None = None
        self._session: session_pb2.SessionData | None = None
        self._hash = hashlib.sha256()
        self.size = 0
        """The bytes of the parts."""
        self.lists: dict[str, list[Any]] = {
            field.name: [] for field in pb.SaveSnapshotRequest.DESCRIPTOR.fields if field.name not in _SINGLE_PARTS
        }

    def take(self, part: pb.SaveSnapshotRequest | pb.LoadSnapshotResponse) -> None:
        """Add a part. Errors: InvalidArgumentError when it may not come here."""
        kind = part.WhichOneof("part")
        self._hash.update(part.SerializeToString(deterministic=True))
        self.size += part.ByteSize()
        if kind is None:
            raise InvalidArgumentError(field="part", problem="must be one that this program knows")
        if (kind == "header") is not (self.header is None):
            raise InvalidArgumentError(field=kind, problem="the header must come first, and once")
        if kind == "header":
            self._take_header(part.header)
        elif kind == "session":
            self._take_session(part.session)
        elif kind == "run_events":
            self._take_run_events(part.run_events)
        else:
            self.lists[kind].extend(getattr(getattr(part, kind), kind))

    def complete(self) -> tuple[pb.SnapshotHeader, session_pb2.SessionData]:
        """Return the header and the session, now that the stream has ended.

        Errors: InvalidArgumentError when one is missing or they differ; UnsupportedVersionError.
        """
        if self.header is None or self._session is None:
            missing = "header" if self.header is None else "session"
            raise InvalidArgumentError(field=missing, problem="the stream must bring this part")
        session_id, version = self.header.session_id, self.header.schema_version
        if self._session.id != session_id:
            raise InvalidArgumentError(field="session.id", problem=f"must be {session_id!r} as in the header")
        check_snapshot_version(session_id, version)
        return self.header, self._session

    def _take_header(self, header: pb.SnapshotHeader) -> None:
        unknown_fields(header)  # Whoever loads the snapshot has to be able to read them.
        self.header = header

    def digest(self) -> str:
        """Return a digest of all parts."""
        return self._hash.hexdigest()

    def _take_session(self, session: session_pb2.SessionData) -> None:
        if self._session is not None:
            raise InvalidArgumentError(field="session", problem="must come once")
        self._session = session

    def _take_run_events(self, part: pb.SnapshotRunEvents) -> None:
        if not self.lists["run_records"]:
            raise InvalidArgumentError(field="run_events", problem="must follow the run to which they belong")
        self.lists["run_records"][-1].events.extend(part.run_events)


def snapshot_from_parts(received: ReceivedSnapshot) -> SessionSnapshot:
    """Return the snapshot whose parts have all come."""
    header, session = received.complete()
    lists = received.lists
    known = {
        "schema_version": header.schema_version,
        "session": records.session_from_proto(session, lists["messages"]),
        "artifacts": [records.ARTIFACT.from_proto(artifact) for artifact in lists["artifacts"]],
        "retained_artifact_uris": lists["retained_artifact_uris"],
        "trace_events": [records.TRACE_EVENT.from_proto(event) for event in lists["trace_events"]],
        "run_records": [records.RUN_RECORD.from_proto(run) for run in lists["run_records"]],
        "verification_reports": list(map(records.VERIFICATION_REPORT.from_proto, lists["verification_reports"])),
        "subagent_tasks": [records.SUBAGENT_TASK.from_proto(task) for task in lists["subagent_tasks"]],
    }
    return validate(SessionSnapshot, unknown_fields(header) | known)


def snapshot_to_parts(snapshot: SessionSnapshot, part: type[Part]) -> Iterator[Part]:
    """Return the parts in which a snapshot travels."""
    session = snapshot.session
    unknown = unknown_fields_text(snapshot)
    header = pb.SnapshotHeader(
        session_id=session.id, schema_version=snapshot.schema_version, unknown_fields_json=unknown
    )
    yield part(header=header)
    yield part(session=records.SESSION.to_proto(session))
    yield from _list_parts(part, "messages", map(records.MESSAGE.to_proto, session.messages))
    yield from _list_parts(part, "artifacts", map(records.ARTIFACT.to_proto, snapshot.artifacts))
    yield _list_part(part, "retained_artifact_uris", snapshot.retained_artifact_uris)
    yield from _list_parts(part, "trace_events", map(records.TRACE_EVENT.to_proto, snapshot.trace_events))
    for run in snapshot.run_records:
        without_events = run.model_copy(update={"events": ()})
        yield _list_part(part, "run_records", [records.RUN_RECORD.to_proto(without_events)])
        yield from _list_parts(part, "run_events", map(records.RUN_EVENT.to_proto, run.events))
    reports = map(records.VERIFICATION_REPORT.to_proto, snapshot.verification_reports)
    yield from _list_parts(part, "verification_reports", reports)
    yield from _list_parts(part, "subagent_tasks", map(records.SUBAGENT_TASK.to_proto, snapshot.subagent_tasks))


def batches(items: Iterable[T], size_of: Callable[[T], int]) -> Iterator[list[T]]:
    """Gather items, in order, into lists of at most `PART_BYTES`, or of one item that is larger."""
    batch: list[T] = []
    size = 0
    for item in items:
        item_size = size_of(item)
        if batch and size + item_size > PART_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += item_size
    if batch:
        yield batch


def _list_parts(part: type[Part], kind: str, items: Iterable[Message]) -> Iterator[Part]:
    for batch in batches(items, methodcaller("ByteSize")):
        yield _list_part(part, kind, batch)


def _list_part(part: type[Part], kind: str, items: Iterable[Any]) -> Part:
    """Return the part whose one list, which has the name of the part, holds `items`."""
    message = part()
    wrapper = getattr(message, kind)
    wrapper.SetInParent()
    getattr(wrapper, kind).extend(items)
    return message
