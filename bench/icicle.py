"""A profile as a picture in SVG: each frame a bar below its caller, as wide as the time that was spent in it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from bench.samples import PARTS, Frame, Profile, Stack, part_of

WIDTH = 1200
LEAST = 0.005
"""Smaller parts of the whole are not drawn."""
_LINE = 16
_HEAD = 64
_LETTER = 6.2
_STYLE = "text { font: 11px system-ui, sans-serif; fill: #24292f } .title { font-weight: 600; font-size: 13px }"
_PALETTE = (
    *("#f4c095", "#f2e394", "#9fd8a4", "#c9b6e4", "#8ec7e8", "#f5b0cb"),
    *("#b7d3f2", "#d8c99b", "#a8e0d1", "#f0d1b0", "#dddddd", "#c4d7b2"),
)
_COLOURS = dict(zip(PARTS, _PALETTE, strict=True))
_PLAIN = "#eeeeee"
_ROOTS = (Frame("asyncio/events.py", "Handle._run"), Frame("threading.py", "Thread.run"))


@dataclass
class _Node:
    """A frame, and the part of the whole that was spent in it and below."""

    part: str = ""
    share: float = 0.0
    below: "dict[Frame, _Node]" = field(default_factory=dict)


def drawn(title: str, profile: Profile) -> str:
    """Return the picture of a profile, without the frames that only lead to the work."""
    bars = list(_bars(_tree(profile), 0.0, 0))
    height = _HEAD + _LINE * (1 + max((depth for depth, _ in bars), default=0))
    shown = [part for part, seconds in profile.parts() if part in _COLOURS and seconds]
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}">',
            f'<style>{_STYLE}</style><rect width="{WIDTH}" height="{height}" fill="#fff"/>',
            f'<text class="title" x="8" y="18">{escape(title)}</text>',
            *_legend(shown),
            *(bar for _, bar in bars),
            "</svg>\n",
        )
    )


def _tree(profile: Profile) -> _Node:
    root, whole = _Node(), sum(profile.stacks.values())
    for stack, seconds in profile.stacks.items():
        node = root
        for frame in _of_interest(stack):
            node = node.below.setdefault(frame, _Node(part_of((frame,))))
            node.share += seconds / whole
        # What a function of no known module does belongs to its caller.
        node.part = part_of(stack)
    return root


def _of_interest(stack: Stack) -> Stack:
    """Drop how the thread was started and how its event loop is made."""
    start = next((number for number, frame in enumerate(stack) if frame in _ROOTS), len(stack) - 1)
    return stack[start:]


def _bars(node: _Node, left: float, depth: int) -> Iterator[tuple[int, str]]:
    """Yield the bars below a node that begins at `left`, a part of the whole, each with its depth."""
    for frame, child in sorted(node.below.items()):
        if child.share >= LEAST:
            yield depth, _bar(frame, child, left, depth)
            yield from _bars(child, left, depth + 1)
        left += child.share


def _bar(frame: Frame, node: _Node, left: float, depth: int) -> str:
    x, y, width = WIDTH * left, _HEAD + _LINE * depth, WIDTH * node.share
    told = escape(f"{frame.function} ({frame.module}): {node.share:.1%}")
    label = frame.function.rpartition(".")[2][: int(width / _LETTER)]
    text = f'<text x="{x + 2:.1f}" y="{y + 12}">{escape(label)}</text>' if len(label) > 2 else ""
    colour = _COLOURS.get(node.part, _PLAIN)
    return (
        f'<g><title>{told}</title><rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="15" fill="{colour}"/>{text}</g>'
    )


def _legend(parts: Sequence[str]) -> Iterator[str]:
    x, y = 8.0, 38
    for part in parts:
        if x + _LETTER * len(part) > WIDTH:
            x, y = 8.0, y + _LINE
        yield f'<rect x="{x:.0f}" y="{y - 9}" width="10" height="10" fill="{_COLOURS[part]}"/>'
        yield f'<text x="{x + 14:.0f}" y="{y}">{escape(part)}</text>'
        x += 26 + _LETTER * len(part)
