"""The gateway's view of itself as tables for a terminal. All text is escaped (S6)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from drivers.show import words
from drivers.ups import Snapshot, State, clean_text
from gateway.view import STALE_S, GatewayView, UnitOutage, UnitSight, age_s, instant, note, span

_STYLES = {State.ONLINE: "bold green", State.ON_BATTERY: "bold red", State.OFF: "bold red", State.BYPASS: "bold yellow"}
_DASH = "–"


def view_table(view: GatewayView, outages: int) -> RenderableType:
    """The whole view; `outages`: at most so many of them."""
    now = instant(view.stamp.at)
    parts: list[RenderableType] = [_heading(view, now), _units(view, now)]
    parts += [Text(f"  {clean_text(warning, 200)}", style="bold yellow") for warning in view.warnings]
    if view.outages and outages:
        parts += [Text(), _outages(view.outages[:outages])]
    return Group(*parts)


def _heading(view: GatewayView, now: datetime) -> RenderableType:
    grid = Table(show_header=False, box=None, pad_edge=False)
    grid.add_column(style="dim")
    grid.add_column()
    for label, value in _facts(view, now):
        grid.add_row(label, value)
    return grid


def _facts(view: GatewayView, now: datetime) -> Iterator[tuple[str, Text]]:
    yield "gateway", Text(f"{view.gateway}, version {view.version}, running for {span(view.running_s)}")
    yield "cloud", _cloud(view, now)
    waiting = sum(view.outbox.waiting.values())
    full = f"{view.outbox.bytes / 1e6:.1f} of {view.outbox.quota_bytes / 1e6:.0f} MB"
    oldest = f", the oldest {span(age_s(instant(view.outbox.oldest_at), now))} old" if view.outbox.oldest_at else ""
    yield "outbox", Text(f"{waiting} records wait{oldest}; {full}")
    if view.outbox.trouble:
        yield "", Text(clean_text(view.outbox.trouble, 200), style="bold red")
    yield "clock", Text(f"{now:%Y-%m-%d %H:%M:%S} UTC, {view.stamp.clock}")
    if view.certificate_days_left is not None:
        yield "certificate", Text(f"{view.certificate_days_left:.0f} days left")


def _cloud(view: GatewayView, now: datetime) -> Text:
    link = view.cloud
    since = f" for {span(age_s(link.since_at, now))}" if link.since_at else ""
    if link.connected:
        return Text(f"connected{since} to {link.url}", style="green")
    trouble = f": {clean_text(link.trouble, 200)}" if link.trouble else ""
    return Text(f"not connected{since} to {link.url}{trouble}", style="bold yellow")


def _units(view: GatewayView, now: datetime) -> Table:
    table = Table("unit", "state", "charge", "load", "runtime", "input", "read", "", box=None, header_style="dim")
    for unit in view.units:
        table.add_row(*_unit(unit, now))
    return table


def _unit(unit: UnitSight, now: datetime) -> Iterator[Text]:
    shown = unit.snapshot or Snapshot(at=now)
    old_s = None if unit.answered_at is None else age_s(unit.answered_at, now)
    stale = old_s is None or old_s > STALE_S
    yield Text(unit.name)
    if shown.state is None:
        yield Text("not read yet" if old_s is None else "unknown", style="yellow")
    else:
        yield Text(words(shown.state), style="dim" if stale else _STYLES.get(shown.state, ""))
    yield _number(shown.charge_pct, "{:.0f} %".format, stale)
    yield _number(shown.load_pct, "{:.0f} %".format, stale)
    yield _number(shown.runtime_s, span, stale)
    yield _number(shown.input_v, "{:.0f} V".format, stale)
    yield Text(_DASH if old_s is None else f"{span(old_s)} ago", style="bold yellow" if stale else "dim")
    yield Text(note(unit), style="bold red")


def _outages(outages: tuple[UnitOutage, ...]) -> Table:
    table = Table("outage", "unit", "on battery", "expected", "lowest input", "energy", "cause", box=None)
    table.header_style = "dim"
    for each in outages:
        body = each.outage
        energy = "" if body.energy_wh is None else f"{'~' if body.energy_estimated else ''}{body.energy_wh:.1f} Wh"
        table.add_row(
            Text(f"{instant(body.began_at):%Y-%m-%d %H:%M:%S}"),
            Text(each.unit),
            Text(f"{span(body.delivered_s)}{'' if body.ended == 'restored' else f', {words(body.ended)}'}"),
            Text(_DASH if body.expected_runtime_s is None else span(body.expected_runtime_s)),
            Text(_DASH if body.lowest_input_v is None else f"{body.lowest_input_v:.0f} V"),
            Text(energy or _DASH),
            Text(("test: " if body.test else "") + words(clean_text(body.cause))),
        )
    return table


def _number(value: float | None, show: Callable[[float], str], stale: bool) -> Text:
    if value is None:
        return Text(_DASH, style="dim")
    return Text(show(value), style="dim" if stale else "")
