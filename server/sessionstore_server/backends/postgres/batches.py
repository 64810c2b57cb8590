"""The statement that commits a batch, and its arguments: an array for each column, over all commits."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from itertools import chain, count
from uuid import UUID

from sessionstore_server.backends.base import NUMBER_ATTRIBUTES, TEXT_ATTRIBUTES
from sessionstore_server.backends.postgres.chunks import packed
from sessionstore_server.backends.postgres.planning import Plan
from sessionstore_server.backends.postgres.statements import statement
from sessionstore_server.backends.postgres.states import Log, name_id

Row = tuple[object, ...]

_TICK = timedelta(microseconds=1)
_ATTRIBUTES = TEXT_ATTRIBUTES + NUMBER_ATTRIBUTES

_COLUMNS: Mapping[str, Sequence[str]] = {
    "batch": (
        *("uuid", "bigint", "boolean", "boolean", "bigint", "bigint", "bigint"),
        *("bigint", "uuid", "text", "text", "boolean"),
    ),
    "guards": ("uuid", "uuid", "bigint"),
    "won": (),
    "documents": ("uuid", "uuid", "bytea", "bytea"),
    "logs": ("uuid", "uuid", "bytea", "bigint", "text", "text"),
    "segments": ("uuid", "uuid"),
    "records": ("uuid", "uuid", "bigint", "bigint", "bytea"),
    "references": ("uuid", "text", "boolean"),
    "summaries": ("uuid", "bytea", *["text"] * len(TEXT_ATTRIBUTES), *["bigint"] * len(NUMBER_ATTRIBUTES)),
}
"""The types of the columns of each part of the statement, in their order; one without columns is always there."""


def commit_statement(
    plans: Sequence[Plan], writer: UUID, first: int, last_time: datetime | None
) -> tuple[str, list[object]]:
    """Return what commits plans in the order of their key ids, numbered from `first` in the feed of `writer`.

    Their time will be later than `last_time` and than the times of their keys, whatever the clock says.
    """
    times = [plan.before.commit_time for plan in plans] + ([last_time] if last_time else [])
    rows: Mapping[str, list[Row]] = {
        "batch": [_batch_row(plan, sequence) for sequence, plan in enumerate(plans, first)],
        "guards": [(_id(plan), *guard) for plan in plans for guard in plan.guards],
        "documents": [row for plan in plans for row in _document_rows(plan)],
        "logs": [_log_row(plan, name, log) for plan in plans for name, log in plan.logs.items()],
        "segments": [(_id(plan), segment) for plan in plans for segment in plan.segments],
        "records": [row for plan in plans for row in _chunk_rows(plan)],
        "references": [(_id(plan), *reference) for plan in plans for reference in plan.references.items()],
        "summaries": [row for plan in plans for row in _summary_rows(plan)],
    }
    parts = tuple(part for part, types in _COLUMNS.items() if rows.get(part) or not types)
    columns = chain.from_iterable(zip(*rows.get(part, ()), strict=True) for part in parts)
    return _text(parts), [max(times) + _TICK, writer, first + len(plans) - 1, *columns]


@cache
def _text(parts: Sequence[str]) -> str:
    """Return the statement with these parts.

    Arrays stand in subselects, where the planner does not count them: so it makes one plan for all, and keeps it.
    """
    admitted = "admitted" if "guards" in parts else "batch"
    names = {"time": "$1::timestamptz", "writer": "$2::uuid", "last": "$3::bigint", "admitted": admitted}
    texts: list[str] = []
    number = count(4)
    for part in parts:
        arrays = ", ".join(f"(SELECT ${next(number)}::{kind}[])" for kind in _COLUMNS[part])
        texts.append(statement(f"commit/{part}").rstrip().format(rows=f"unnest({arrays})", **names))
    return ",\n".join(texts) + "\nSELECT key_id, commit_time FROM won"


def _id(plan: Plan) -> UUID:
    return plan.before.key_id


def _batch_row(plan: Plan, sequence: int) -> Row:
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


def _document_rows(plan: Plan) -> Iterable[Row]:
    return ((_id(plan), name_id(name), name.encode(), content) for name, content in plan.documents.items())


def _log_row(plan: Plan, name: str, log: Log | None) -> Row:
    if log is None:
        return (_id(plan), name_id(name), name.encode(), plan.after.revision, None, None)
    stops = ("NULL" if stop is None else stop for stop in log.stops)
    return (_id(plan), name_id(name), name.encode(), log.shortened_at, _array(log.segments), _array(stops))


def _array(elements: Iterable[object]) -> str:
    """Return an array as PostgreSQL reads it, since arrays of different lengths make no array."""
    return f"{{{','.join(map(str, elements))}}}"


def _chunk_rows(plan: Plan) -> Iterable[Row]:
    return (
        (_id(plan), segment, *chunk)
        for segment, position, records in plan.records
        for chunk in packed(position, records)
    )


def _summary_rows(plan: Plan) -> Iterable[Row]:
    summary = plan.summary
    if summary is None:
        return ()
    return [(_id(plan), summary.record, *(summary.attributes.get(name) for name in _ATTRIBUTES))]
