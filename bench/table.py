"""Results as tables that people read."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from bench.memory import MemoryRow
from bench.results import NOISY, Figure, Row

LEGEND = f"""\
Rates are operations a second: the median of the rounds (least to greatest). `x echo` compares with the bare echo of the
same round. p50 and p99 are milliseconds a step. Processor time is in microseconds an operation: of this process (client
and whatever runs in process), the server's, the database's. `~` marks rows whose rounds spread by more than
{NOISY:.0%}; distrust the whole table when the echo is marked. "gRPC, stubs" are unary calls of generated stubs without
models; "gRPC, client" is `RemoteSessionStore`, models included, with its calls over one stream."""
_HEAD = (
    f"  {'':<28}{'rate':>10}  {'least to greatest':>21}  {'x echo':>6}"
    f"  {'p50':>8}{'p99':>9}  {'client':>8}{'server':>8}{'database':>9}"
)


def lines(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a table for each case."""
    for (case, callers), group in groupby(rows, key=lambda row: (row.case, row.callers)):
        members = list(group)
        yield from ("", f"{case}: {members[0].unit} a second, {_counted(callers)}", _HEAD)
        yield from map(_line, members)


def memory_lines(rows: Sequence[MemoryRow]) -> Iterator[str]:
    """Yield the table of the memory of servers."""
    if rows:
        yield from ("", "Memory of the server above its start, in MB")
    for row in rows:
        yield f"  {row.store:<28}{_megabytes(row)}"


def settings(rows: Sequence[Row]) -> Iterator[str]:
    """Yield how the peers are made to do as much as our stores: with state, and synced."""
    notes = {row.contestant: row.note for row in rows if row.group == "peer" and row.rate is not None}
    if notes:
        yield from ("", "How the others are set")
    yield from (f"  {name:<28}{note}" for name, note in notes.items())


def _line(row: Row) -> str:
    if row.rate is None:
        return f"  {row.contestant:<28}{'-':>10}  {row.note}"
    cpu = "".join(f"{_number(row.cpu_us.get(name)):>{width}}" for name, width in _CPU)
    return (
        f"{'~' if row.is_noisy else ' '} {row.contestant:<28}{_number(row.rate.median):>10}  {_range(row.rate):>21}"
        f"  {_ratio(row.ratio):>6}  {row.latency_ms['p50']:>8.2f}{row.latency_ms['p99']:>9.2f}  {cpu}"
    )


_CPU = (("client", 8), ("server", 8), ("database", 9))


def _range(figure: Figure) -> str:
    return f"{_number(figure.least)} to {_number(figure.greatest)}"


def _ratio(figure: Figure | None) -> str:
    return "" if figure is None else f"{figure.median:.2f}"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _counted(callers: int) -> str:
    return f"{callers} caller{'s' * (callers > 1)}"


def _megabytes(row: MemoryRow) -> str:
    if row.note:
        return f"{'-':>10}  {row.note}"
    return f"{row.added_bytes / 1e6:>10.1f}  {row.sessions:,} idle sessions, {row.streams} open streams"
