"""Results as pictures in SVG: bars, a panel for each case, whiskers from the least to the greatest round; a curve."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from xml.sax.saxutils import escape

from bench.results import Figure, Row

WIDTH = 860
_NAMES = 200
_BARS = 430
_LINE = 20
_HEAD = 44
_STYLE = """\
text { font: 12px system-ui, sans-serif; fill: #24292f } .title { font-weight: 600; font-size: 13px }
.name { text-anchor: end } .echo { fill: #8c959f } .ours { fill: #2f6fde } .peer { fill: #d4a72c }
.range { stroke: #24292f; stroke-width: 1 } .paper { fill: #fff } .curve { stroke: #2f6fde; fill: none }"""
_CURVE_HEIGHT = 220
_MARGIN = 48


def drawn(rows: Sequence[Row]) -> str:
    """Return the picture of those rows that stand in it."""
    shown = [row for row in rows if row.is_pictured and row.rate is not None]
    panels = [list(group) for _, group in groupby(shown, key=lambda row: (row.case, row.callers))]
    parts, top = list[str](), 8
    for panel in panels:
        parts.extend(_panel(panel, top))
        top += _HEAD + _LINE * len(panel)
    return _picture(parts, top)


def curve(title: str, points: Sequence[tuple[float, float]]) -> str:
    """Return the picture of one curve; both axes begin at 0 and end at the greatest value."""
    most_x, most_y = (max(values) or 1 for values in zip(*points, strict=True))
    bottom, right = _CURVE_HEIGHT - _MARGIN / 2, WIDTH - _MARGIN
    scale_x, scale_y = (right - _MARGIN) / most_x, (bottom - _MARGIN) / most_y
    placed = " ".join(f"{_MARGIN + x * scale_x:.1f},{bottom - y * scale_y:.1f}" for x, y in points)
    parts = [
        f'<text class="title" x="12" y="18">{escape(title)}</text>',
        f'<polyline class="range" fill="none" points="{_MARGIN},{_MARGIN} {_MARGIN},{bottom} {right},{bottom}"/>',
        f'<polyline class="curve" points="{placed}"/>',
        f'<text class="name" x="{_MARGIN - 6}" y="{_MARGIN + 4}">{most_y:,.0f}</text>',
        f'<text class="name" x="{_MARGIN - 6}" y="{bottom + 4}">0</text>',
        f'<text class="name" x="{right}" y="{bottom + 16}">{most_x:,.0f}</text>',
    ]
    return _picture(parts, _CURVE_HEIGHT)


def _picture(parts: Sequence[str], height: int) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}">'
    paper = f'<rect class="paper" width="{WIDTH}" height="{height}"/>'
    return "\n".join((head, f"<style>{_STYLE}</style>", paper, *parts, "</svg>", ""))


def _panel(rows: Sequence[Row], top: int) -> Iterator[str]:
    first = rows[0]
    callers = f"{first.callers} caller{'s' * (first.callers > 1)}"
    yield f'<text class="title" x="12" y="{top + 18}">{escape(first.case)}: {first.unit} a second, {callers}</text>'
    scale = _BARS / max(row.rate.greatest for row in rows if row.rate)
    for number, row in enumerate(rows):
        if row.rate:
            yield from _bar(row, row.rate, top + 28 + _LINE * number, scale)


def _bar(row: Row, rate: Figure, y: int, scale: float) -> Iterator[str]:
    least, greatest = (_NAMES + value * scale for value in (rate.least, rate.greatest))
    label = f"{rate.median:,.0f}" + (f"  ({row.ratio.median:.2f} of the echo)" if row.ratio else "")
    yield f'<text class="name" x="{_NAMES - 8}" y="{y + 12}">{escape(row.contestant)}</text>'
    width = rate.median * scale
    yield f'<rect class="{_kind(row)}" x="{_NAMES}" y="{y + 2}" width="{width:.1f}" height="{_LINE - 7}"/>'
    yield f'<line class="range" x1="{least:.1f}" x2="{greatest:.1f}" y1="{y + 8.5}" y2="{y + 8.5}"/>'
    yield f'<text x="{max(greatest, _NAMES) + 8:.1f}" y="{y + 12}">{label}</text>'


def _kind(row: Row) -> str:
    return row.group if row.group in ("echo", "peer") else "ours"
