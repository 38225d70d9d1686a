"""The last hour of one unit as a small PNG: percentages in one panel, what has another unit below.

Drawn at twice the size at which it is shown, for sharp screens; few colours, so that it stays small.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from datetime import tzinfo
from functools import cache
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from cloud_bridge.alerts.model import What
from cloud_bridge.alerts.notice import Item, Notice, Series
from cloud_bridge.alerts.wording import line, moment, zone_of

WIDTH = 640
PANEL = 170
"""Both in pixels as shown; drawn SCALE times as large."""
TYPE = 17
"""In the same pixels: a telephone shows the whole in less than half its width."""
SCALE = 2
PANELS_AT_MOST = 3
BYTES_AT_MOST = 40 * 1024
COLOURS, FEWEST_COLOURS = 64, 8
POINTS_AT_MOST = 300
"""Of one line; more are no longer told apart."""
HOLDS_MS = 90_000
"""A gateway tells everything each minute: a last reading that is not older is still so."""
LABEL_LENGTH = 40
LARGEST = 1e9
SPAN_MS = 3_600_000
TICK_MS = 600_000

ON_BATTERY = frozenset({"on_battery", "low_battery", "output_off", "shutdown_imminent", "mains_restored", "outage"})
"""Stages whose alert began when the mains failed: from its onset on, the battery carried the load."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 80, 14, 34, 32
_PAPER, _INK, _GRID, _BAND = (255, 255, 255), (60, 60, 60), (225, 225, 225), (253, 228, 207)
_Colour = tuple[int, int, int]
_Line = tuple[_Colour, Series]
_LINES: tuple[_Colour, ...] = ((0, 95, 168), (196, 78, 32), (46, 125, 50), (123, 31, 162))


class Plot(NamedTuple):
    """Where a panel lies and what its edges stand for."""

    top: int
    since: int
    low: float
    high: float

    def x(self, at: int) -> float:
        return SCALE * (_LEFT + (at - self.since) / SPAN_MS * (WIDTH - _LEFT - _RIGHT))

    def y(self, value: float) -> float:
        return SCALE * (self.top + _TOP + (self.high - value) / (self.high - self.low) * (PANEL - _TOP - _BOTTOM))


def draw(notice: Notice) -> bytes:
    """A PNG; empty if the notice has no readings."""
    panels = _panels(notice.series)
    if not panels:
        return b""
    ends = max(series.points[-1][0] for panel in panels for series in panel)
    until = max([ends, *(item.at for item in notice.items)])
    image = Image.new("RGB", (WIDTH * SCALE, PANEL * len(panels) * SCALE), _PAPER)
    pen = ImageDraw.Draw(image)
    bands = tuple(_bands(notice, until))
    colours = iter(_LINES * PANELS_AT_MOST)
    for number, panel in enumerate(panels):
        low, high = _range(panel)
        plot = Plot(number * PANEL, until - SPAN_MS, low, high)
        lines = [(next(colours), series) for series in panel]
        _shade(pen, plot, bands)
        _axes(pen, plot, panel[0].unit, zone_of(notice.time_zone))
        _legend(pen, plot, lines, on_battery=bool(bands))
        for colour, series in lines:
            _trace(pen, plot, series, colour)
    return _png(image)


def _panels(all_series: Sequence[Series]) -> list[list[Series]]:
    """By unit, in the order in which they come."""
    found: dict[str, list[Series]] = {}
    for series in map(_drawable, all_series):
        if series.points:
            found.setdefault(series.unit, []).append(series)
    return [panel[: len(_LINES)] for panel in list(found.values())[:PANELS_AT_MOST]]


def _drawable(series: Series) -> Series:
    """Without what no unit means; seconds are told as minutes."""
    unit, size = ("min", 60) if series.unit == "s" else (series.unit, 1)
    points = tuple((at, value / size) for at, value in series.points if abs(value) <= LARGEST)
    return Series(label=series.label, unit=unit, points=points)


def _bands(notice: Notice, until: int) -> Iterator[tuple[int, int]]:
    """The time on battery of the whole hour, and of what is told where nothing else says it."""
    for since, ended in notice.on_battery:
        yield since, until if ended is None else ended
    yield from (_band(item, until) for item in notice.items if item.stage in ON_BATTERY)


def _band(item: Item, until: int) -> tuple[int, int]:
    over = item.what in (What.RESOLVED, What.SUMMARY)
    return item.onset_at, item.at if over else until


def _range(panel: Sequence[Series]) -> tuple[float, float]:
    """Percentages have their whole scale; else what the readings span, with room for the line."""
    values = [value for series in panel for _, value in series.points]
    low, high = min(values), max(values)
    if panel[0].unit == "%":
        return 0.0, max(100.0, high)
    room = max((high - low) * 0.1, abs(high) * 0.01, 1.0)
    return max(0.0, low - room) if low >= 0 else low - room, high + room


def _shade(pen: ImageDraw.ImageDraw, plot: Plot, bands: Sequence[tuple[int, int]]) -> None:
    left, right = plot.x(plot.since), plot.x(plot.since + SPAN_MS)
    for since, until in bands:
        begin, end = max(plot.x(since), left), min(plot.x(until), right)
        if begin < end:
            pen.rectangle((begin, plot.y(plot.high), end, plot.y(plot.low)), fill=_BAND)


def _axes(pen: ImageDraw.ImageDraw, plot: Plot, unit: str, zone: tzinfo) -> None:
    font = _font()
    left, right = plot.x(plot.since), plot.x(plot.since + SPAN_MS)
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        value = plot.low + share * (plot.high - plot.low)
        pen.line((left, plot.y(value), right, plot.y(value)), fill=_GRID, width=SCALE)
        if share in (0.0, 0.5, 1.0):
            label = f"{_number(value, unit, plot.high)} {line(unit, 8)}"
            pen.text((left - 5 * SCALE, plot.y(value)), label, fill=_INK, font=font, anchor="rm")
    for at in range(-(-plot.since // TICK_MS) * TICK_MS, plot.since + SPAN_MS + 1, TICK_MS):
        pen.line((plot.x(at), plot.y(plot.low), plot.x(at), plot.y(plot.low) + 4 * SCALE), fill=_INK, width=SCALE)
        clock = f"{moment(at, zone):%H:%M}"
        place = min(max(plot.x(at), left + 22 * SCALE), right - 22 * SCALE)
        pen.text((place, plot.y(plot.low) + 6 * SCALE), clock, fill=_INK, font=font, anchor="ma")
    pen.line((left, plot.y(plot.low), right, plot.y(plot.low)), fill=_INK, width=SCALE)
    name = f"{moment(plot.since, zone):%Z}"
    pen.text((right, SCALE * (plot.top + 16)), name, fill=_INK, font=font, anchor="rm")


def _number(value: float, unit: str, high: float) -> str:
    """With as many digits at every mark of an axis."""
    return f"{value:.0f}" if unit == "%" or high >= 100 else f"{value:.1f}"


def _legend(pen: ImageDraw.ImageDraw, plot: Plot, lines: Sequence[_Line], *, on_battery: bool) -> None:
    font = _font()
    x, y = float(SCALE * _LEFT), SCALE * (plot.top + 16)
    entries = [(colour, line(series.label, LABEL_LENGTH)) for colour, series in lines]
    for colour, label in [*entries, *([(_BAND, "on battery")] if on_battery else [])]:
        pen.rectangle((x, y - 4 * SCALE, x + 12 * SCALE, y + 4 * SCALE), fill=colour)
        pen.text((x + 17 * SCALE, y), label, fill=_INK, font=font, anchor="lm")
        x += 17 * SCALE + font.getlength(label) + 18 * SCALE


def _trace(pen: ImageDraw.ImageDraw, plot: Plot, series: Series, colour: _Colour) -> None:
    """In steps: a gateway tells what changed, and a reading holds until the next."""
    shown = [point for point in series.points if point[0] >= plot.since]
    points: list[tuple[float, float]] = []
    for at, value in shown[:: 1 + len(shown) // POINTS_AT_MOST]:
        x, y = plot.x(at), plot.y(value)
        points += [(x, points[-1][1]), (x, y)] if points else [(x, y)]
    until = plot.since + SPAN_MS
    if points and until - HOLDS_MS <= shown[-1][0] < until:
        points.append((plot.x(until), points[-1][1]))
    if len(points) == 1:
        (x, y) = points[0]
        pen.ellipse((x - 2 * SCALE, y - 2 * SCALE, x + 2 * SCALE, y + 2 * SCALE), fill=colour)
    elif points:
        pen.line(points, fill=colour, width=2 * SCALE)


@cache
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(TYPE * SCALE)


def _png(image: Image.Image) -> bytes:
    """With as many colours as stay within BYTES_AT_MOST."""
    content = b""
    for colours, effort in ((COLOURS, 3), (FEWEST_COLOURS, 9)):  # 3: a mail waits for it
        out = io.BytesIO()
        few = image.quantize(colours, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        few.save(out, "PNG", optimize=False, compress_level=effort)
        content = out.getvalue()
        if len(content) <= BYTES_AT_MOST:
            return content
    return b""
