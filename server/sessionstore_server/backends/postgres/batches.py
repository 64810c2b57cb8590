"""The arguments of the statement `commit`: an array for each column, over all commits of a batch."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sessionstore_server.backends.base import NUMBER_ATTRIBUTES, TEXT_ATTRIBUTES
from sessionstore_server.backends.postgres.planning import Plan
from sessionstore_server.backends.postgres.states import Log, name_id

_TICK = timedelta(microseconds=1)
_ATTRIBUTES = TEXT_ATTRIBUTES + NUMBER_ATTRIBUTES


def arguments(plans: Sequence[Plan], writer: UUID, first: int, last_time: datetime | None) -> list[object]:
    """Return the arguments for plans in the order of their key ids, numbered from `first` in the feed of `writer`.

    Their time will be later than `last_time` and than the times of their keys, whatever the clock says.
    """
    times = [plan.before.commit_time for plan in plans] + ([last_time] if last_time else [])
    return [
        *_columns(12, (_batch_row(plan, sequence) for sequence, plan in enumerate(plans, first))),
        *_columns(3, ((_id(plan), *guard) for plan in plans for guard in plan.guards)),
        max(times) + _TICK,
        *_columns(4, (row for plan in plans for row in _document_rows(plan))),
        *_columns(6, (_log_row(plan, name, log) for plan in plans for name, log in plan.logs.items())),
        *_columns(2, ((_id(plan), segment) for plan in plans for segment in plan.segments)),
        *_columns(4, (row for plan in plans for row in _record_rows(plan))),
        *_columns(3, ((_id(plan), *reference) for plan in plans for reference in plan.references.items())),
        *_columns(2 + len(_ATTRIBUTES), (row for plan in plans for row in _summary_rows(plan))),
        writer,
        first + len(plans) - 1,
    ]


def _columns(count: int, rows: Iterable[tuple[object, ...]]) -> list[Sequence[object]]:
    return list(zip(*rows, strict=True)) or [()] * count


def _id(plan: Plan) -> UUID:
    return plan.before.key_id


def _batch_row(plan: Plan, sequence: int) -> tuple[object, ...]:
    after, request = plan.after, plan.write.request
    return (
        after.key_id,
        after.revision,
        after.present,
        after.summarized,
        after.started_at,
        after.kept_from,
        len(plan.guards),
        sequence,
        plan.write.token,
        request.id if request else None,
        request.digest if request else None,
        plan.existed,
    )


def _document_rows(plan: Plan) -> Iterable[tuple[object, ...]]:
    return ((_id(plan), name_id(name), name.encode(), content) for name, content in plan.documents.items())


def _log_row(plan: Plan, name: str, log: Log | None) -> tuple[object, ...]:
    if log is None:
        return (_id(plan), name_id(name), name.encode(), plan.after.revision, None, None)
    stops = ("NULL" if stop is None else stop for stop in log.stops)
    return (_id(plan), name_id(name), name.encode(), log.shortened_at, _array(log.segments), _array(stops))


def _array(elements: Iterable[object]) -> str:
    """Return an array as PostgreSQL reads it, since arrays of different lengths make no array."""
    return f"{{{','.join(map(str, elements))}}}"


def _record_rows(plan: Plan) -> Iterable[tuple[object, ...]]:
    return (
        (_id(plan), segment, position, record)
        for segment, start, records in plan.records
        for position, record in enumerate(records, start)
    )


def _summary_rows(plan: Plan) -> Iterable[tuple[object, ...]]:
    summary = plan.summary
    if summary is None:
        return ()
    return [(_id(plan), summary.record, *(summary.attributes.get(name) for name in _ATTRIBUTES))]
