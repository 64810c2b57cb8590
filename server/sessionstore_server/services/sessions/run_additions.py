"""What a commit adds to the runs of a session."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from sessionstore.errors import InvalidArgumentError
from sessionstore.v1 import commit_pb2 as pb
from sessionstore.v1 import run_pb2, storage_pb2
from sessionstore.wire.records import RUN_EVENT
from sessionstore_server.backends.base import Backend, Change, Key, LogRange, View
from sessionstore_server.services import keys
from sessionstore_server.services.checks import checked_all
from sessionstore_server.services.records.retention import Retention
from sessionstore_server.services.records.run import stored_run_ids, wanted_runs
from sessionstore_server.services.records.run_events import (
    NOT_STORED,
    added_events,
    check_sequences,
    removed_run,
    run_documents,
    run_end,
    with_events,
)
from sessionstore_server.services.replacing import Draft, merged
from sessionstore_server.services.sessions.additions import Addition
from sessionstore_server.services.streams.log_reader import at_one_revision, open_log


def replaced_runs(
    run_records: Sequence[run_pb2.RunRecord], run_events: Sequence[pb.RunEvents], retention: Retention
) -> Addition:
    """Replace the run of each id, or add it to the end; those of `run_events` that belong to them go on with these."""
    wanted = replace(wanted_runs(_continued(run_records, run_events), retention), below=None)
    replaced_ids = {record.snapshot.id for record in run_records}
    sent_ids = storage_pb2.StoredRuns.FromString(wanted.documents[keys.RUNS]).run_ids
    # The events stand in the log from its beginning again.
    extents = Change(documents=dict.fromkeys(map(keys.run_extent, sent_ids)))

    async def draft(view: View) -> Draft:
        ids = dict.fromkeys((*stored_run_ids(view), *sent_ids))
        surplus = retention.surplus_runs(_creation_times({**view.documents, **wanted.documents}, ids))
        _check_kept(run_events, surplus - replaced_ids)
        index = storage_pb2.StoredRuns(run_ids=[run_id for run_id in ids if run_id not in surplus])
        documents = {**wanted.documents, keys.RUNS: index.SerializeToString()}
        change = replace(wanted, documents=documents).difference(view)
        return Draft(merged((extents, change, *map(removed_run, surplus))))

    seen = (keys.RUN_PREFIX,) if retention.max_runs else tuple(wanted.documents)
    return Addition(draft, (keys.RUNS, *seen), dict.fromkeys(wanted.logs, LogRange()))


def added_run_events(backend: Backend, key: Key, field: str, sent: pb.RunEvents, retention: Retention) -> Addition:
    """Add events to a stored run; `field` has them in the request."""
    name = keys.run_events(sent.run_id)
    records = [event.SerializeToString() for event in sent.events]

    async def read() -> Draft:
        log = await open_log(backend, key, name, run_documents(sent.run_id))
        end = await run_end(log, sent.run_id) if log else None
        if end is None:
            raise InvalidArgumentError(field=f"{field}.run_id", problem=NOT_STORED)
        check_sequences(f"{field}.events", sent.events, end.next_sequence)
        return Draft(await added_events(sent.run_id, end, records, retention))

    return Addition(lambda _: at_one_revision(backend, key, read))


def check_run_events(run_events: Sequence[pb.RunEvents]) -> None:
    """Refuse events with a faulty field, and a run that comes twice. Errors: InvalidArgumentError."""
    seen: set[str] = set()
    for position, sent in enumerate(run_events):
        if sent.run_id in seen:
            problem = "stands here already: send all events of a run together"
            raise InvalidArgumentError(field=f"run_events[{position}].run_id", problem=problem)
        seen.add(sent.run_id)
        checked_all(RUN_EVENT, f"run_events[{position}].events", sent.events)


def _check_kept(run_events: Sequence[pb.RunEvents], dropped_ids: set[str]) -> None:
    for position, sent in enumerate(run_events):
        if sent.run_id in dropped_ids:
            problem = "the runs of the commit push this one out, since so many are not kept: leave its events out"
            raise InvalidArgumentError(field=f"run_events[{position}].run_id", problem=problem)


def _continued(run_records: Sequence[run_pb2.RunRecord], run_events: Sequence[pb.RunEvents]) -> list[run_pb2.RunRecord]:
    """Return the runs with the events that are added to them."""
    records = {record.snapshot.id: record for record in run_records}
    for position, sent in enumerate(run_events):
        if sent.run_id in records:
            records[sent.run_id] = with_events(f"run_events[{position}].events", records[sent.run_id], sent.events)
    return [records[record.snapshot.id] for record in run_records]


def _creation_times(documents: Mapping[str, bytes], ids: Iterable[str]) -> list[tuple[str, int]]:
    records = {run_id: documents.get(keys.run_record(run_id)) for run_id in ids}
    return [
        (run_id, run_pb2.RunRecord.FromString(record).snapshot.created_at_ms)
        for run_id, record in records.items()
        if record is not None
    ]
