"""The demo as a picture in the terminal: units, and the latest events with what they mean. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from cloud_bridge.presence import STATE_STYLE, LinkState, UnitView, link_state, unit_view
from cloud_bridge.rows import EventRow, GatewayRow, IngestRow, UnitRow
from cloud_bridge.views import SEVERITY_STYLE, iso
from drivers.ups import CATALOGUE, NOTHING, EventType, State, clean_text

EVENTS_SHOWN = 12
GAUGE_CELLS = 20
LOW_CHARGE_PCT = 30.0
HALF_CHARGE_PCT = 60.0


def picture(
    gateways: Sequence[GatewayRow],
    units: Sequence[UnitRow],
    events: Sequence[EventRow],
    ingest: IngestRow | None,
    urls: Mapping[str, str],
    footer: str,
    now_ms: int,
) -> RenderableType:
    """All of it, as the cloud knows it at `now_ms`."""
    links = {row.name: link_state(row, ingest, now_ms) for row in gateways}
    views = [unit_view(row, links.get(row.gateway, LinkState.UNKNOWN), now_ms) for row in units]
    return Group(
        Panel(_units(views, urls), title="Ridethrough: what the cloud knows", title_align="left"),
        Panel(_events(events), title="latest events", title_align="left"),
        Text(footer, "dim"),
    )


def gauge(percent: float | None) -> Text:
    """A bar of a battery's charge."""
    if percent is None:
        return Text("-", "dim")
    full = round(GAUGE_CELLS * min(max(percent, 0.0), 100.0) / 100)
    style = "red" if percent < LOW_CHARGE_PCT else "yellow" if percent < HALF_CHARGE_PCT else "green"
    bar = Text("█" * full, style)
    bar.append("░" * (GAUGE_CELLS - full), "dim")
    bar.append(f" {percent:5.1f} %")
    return bar


def duration(seconds: int | None) -> str:
    """Minutes and seconds."""
    return "-" if seconds is None else f"{seconds // 60} min {seconds % 60:02d} s"


def _units(views: Sequence[UnitView], urls: Mapping[str, str]) -> Table:
    table = Table(box=None, pad_edge=False, expand=True)
    for heading in ("unit", "state", "charge", "load", "runtime", "input", "model", "wire"):
        table.add_column(heading, header_style="dim")
    for view in views:
        table.add_row(*_cells(view, urls))
    return table


def _cells(view: UnitView, urls: Mapping[str, str]) -> list[Text]:
    row = view.row
    identity = row.identity.identity if row.identity else None
    return [
        Text(clean_text(row.name), "bold"),
        _state(view),
        gauge(view.charge_pct),
        Text("-" if view.load_pct is None else f"{view.load_pct:.0f} %"),
        Text(duration(view.runtime_s)),
        Text("-" if view.input_v is None else f"{view.input_v:.1f} V"),
        Text(clean_text(identity.model or "-") if identity else "-"),
        Text(urls.get(row.name, "-").partition("?")[0], "dim"),
    ]


def _what_to_know(kind: EventType) -> str:
    """What it means, and what to do unless there is nothing to do."""
    return kind.meaning if kind.do_this == NOTHING else f"{kind.meaning} {kind.do_this}"


def _state(view: UnitView) -> Text:
    if view.state is None:
        return Text("not heard yet", "dim")
    if view.stale:
        return Text(f"stale, was {view.state}", "dim")
    words = {State.ONLINE: "on line", State.ON_BATTERY: "ON BATTERY", State.OFF: "OUTPUT OFF"}
    return Text(words.get(view.state, view.state.value), f"bold {STATE_STYLE[view.state]}")


def _events(events: Sequence[EventRow]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False, expand=True)
    for ratio in (None, None, None, 1):
        table.add_column(ratio=ratio, no_wrap=ratio is None)
    for row in reversed(events[-EVENTS_SHOWN:]):
        known = CATALOGUE.get(row.type)
        table.add_row(
            Text(iso(row.at)[11:19], "dim"),
            Text(clean_text(row.unit) or clean_text(row.gateway), "bold"),
            Text(clean_text(row.type), SEVERITY_STYLE[row.severity]),
            Text(_what_to_know(known) if known else ""),
        )
    return table
