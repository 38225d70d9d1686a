"""An outage's course as a drawing (SVG 1.1): input voltage, charge and load over time, the time on battery shaded.

Nothing in it comes from a unit as text; numbers are written by us.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import msgspec

from gateway.wire.outage import OutageBody, Point

WIDTH, HEIGHT = 720, 260
LEFT, RIGHT, TOP, BOTTOM = 46, 40, 14, 30
TICKS = 6
"""Marks on the time axis at most."""
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)
_INPUT, _LOAD, _CHARGE, _ON_BATTERY = 1, 3, 4, 5


class _Frame(msgspec.Struct, frozen=True):
    """From milliseconds and values to places in the drawing. `top_v`: voltage at the upper edge."""

    first_ms: int
    last_ms: int
    top_v: float

    def x(self, ms: float) -> float:
        share = (ms - self.first_ms) / max(1, self.last_ms - self.first_ms)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, share: float) -> float:
        return TOP + (1 - min(max(share, 0.0), 1.0)) * (HEIGHT - TOP - BOTTOM)


def outage_svg(body: OutageBody) -> str:
    """The whole `<svg>` element; colours follow the page's `color`, and work in the dark."""
    points = body.trace or [(0, None, None, None, None, True)]
    frame = _Frame(points[0][0], max(points[-1][0], points[0][0] + 1000), _top_v(points))
    parts = [
        *_shades(points, frame),
        *_axes(frame),
        *_line(points, frame, _INPUT, frame.top_v, "input"),
        *_line(points, frame, _CHARGE, 100.0, "charge"),
        *_line(points, frame, _LOAD, 100.0, "load"),
    ]
    label = f"{body.delivered_s:.0f} s on battery"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="outage" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' aria-label="{label}"><title>{label}</title>'
        f"<desc>Input voltage (left axis), charge and load (right axis) over time; time on battery is shaded.</desc>"
        f"{''.join(parts)}</svg>"
    )


def _top_v(points: Sequence[Point]) -> float:
    """The next 50 V above the highest input, 50 V at least."""
    highest = max((value for point in points if (value := point[_INPUT]) is not None), default=0.0)
    return 50.0 * (int(max(highest, 0.0) // 50) + 1)


def _shades(points: Sequence[Point], frame: _Frame) -> Iterator[str]:
    """A rectangle for each stretch on battery, up to the first reading that is not."""
    began: int | None = None
    for point in points:
        if point[_ON_BATTERY] and began is None:
            began = point[0]
        elif not point[_ON_BATTERY] and began is not None:
            yield _shade(began, point[0], frame)
            began = None
    if began is not None:
        yield _shade(began, frame.last_ms, frame)


def _shade(from_ms: int, to_ms: int, frame: _Frame) -> str:
    left, right = frame.x(from_ms), frame.x(to_ms)
    return (
        f'<rect class="battery" x="{left:.1f}" y="{TOP}" width="{max(right - left, 1):.1f}"'
        f' height="{HEIGHT - TOP - BOTTOM}"/>'
    )


def _axes(frame: _Frame) -> Iterator[str]:
    for share in (0.0, 0.5, 1.0):
        y = frame.y(share)
        yield f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>'
        yield _text(LEFT - 5, y + 4, f"{frame.top_v * share:.0f} V", "end")
        yield _text(WIDTH - RIGHT + 5, y + 4, f"{100 * share:.0f} %", "start")
    for ms in _marks(frame):
        x = frame.x(ms)
        yield f'<line class="grid" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{HEIGHT - BOTTOM + 4}"/>'
        yield _text(x, HEIGHT - BOTTOM + 18, _clock(ms), "middle")


def _marks(frame: _Frame) -> Iterable[int]:
    span_s = (frame.last_ms - frame.first_ms) / 1000
    step_s = next((step for step in _STEPS_S if span_s / step <= TICKS), max(1, round(span_s / TICKS)))
    step_ms = step_s * 1000
    return range(-(-frame.first_ms // step_ms) * step_ms, frame.last_ms + 1, step_ms)


def _clock(ms: int) -> str:
    """Time since the transfer."""
    sign, seconds = "−" if ms < 0 else "", abs(ms) // 1000
    hours, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
    return f"{sign}{hours}:{minutes:02}:{seconds:02}" if hours else f"{sign}{minutes}:{seconds:02}"


def _line(points: Sequence[Point], frame: _Frame, column: int, top: float, name: str) -> Iterator[str]:
    """A curve through what is known; a single value is a dot."""
    known = [
        (frame.x(point[0]), frame.y(float(value) / top)) for point in points if (value := point[column]) is not None
    ]
    if len(known) == 1:
        yield f'<circle class="{name}" cx="{known[0][0]:.1f}" cy="{known[0][1]:.1f}" r="2.5"/>'
    elif known:
        corners = [f"M{known[0][0]:.1f} {known[0][1]:.1f}"]
        corners += [f"L{x:.1f} {y:.1f}" for _, (x, y) in pairwise(known)]
        yield f'<path class="{name}" d="{"".join(corners)}"/>'
    if known:
        x, y = known[-1]
        yield _text(min(x, WIDTH - RIGHT) - 4, max(y - 5, TOP + 10), name, "end", name)


def _text(x: float, y: float, text: str, anchor: str, kind: str = "axis") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'
