"""The local status page as HTML: one document, no script, nothing from elsewhere. All text is escaped (S6)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from html import escape

from drivers.ups import Snapshot, State
from gateway.draw import outage_svg
from gateway.view import STALE_S, GatewayView, UnitOutage, UnitSight, age_s, instant, note, span

REFRESH_S = 5
OUTAGES = 10
"""Drawn on the page, the newest."""
_DASH = "–"
_GOOD = (State.ONLINE,)
_STYLE = """
:root{color-scheme:light dark;--bad:#b3261e;--warn:#8a5a00;--good:#1b6e3c;--line:#8884;--volt:#2563a8;--load:#b05a00}
@media (prefers-color-scheme:dark){:root{--bad:#ff8a80;--warn:#ffca66;--good:#7bd99a;--volt:#7db4f0;--load:#f0a95c}}
body{font:16px/1.45 system-ui,sans-serif;margin:1rem auto;padding:0 1rem;max-width:60rem}
h1{font-size:1.3rem;margin:0 0 .5rem}h2{font-size:1.05rem;margin:1.6rem 0 .4rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;margin:0}dt{opacity:.7}dd{margin:0}
.units{display:grid;grid-template-columns:repeat(auto-fill,minmax(15rem,1fr));gap:1rem}
article{border:1px solid var(--line);border-radius:.5rem;padding:.7rem 1rem}article h3{margin:0;font-size:1rem}
.good{color:var(--good)}.bad{color:var(--bad);font-weight:600}.warn{color:var(--warn)}.old{opacity:.55}
svg{width:100%;height:auto}
svg text{font:12px system-ui,sans-serif;fill:currentColor}.battery{fill:var(--bad);opacity:.13}
.grid{stroke:currentColor;opacity:.2}path{fill:none;stroke-width:1.8}
.input{stroke:var(--volt)}.charge{stroke:var(--good)}.load{stroke:var(--load)}
text.input,text.charge,text.load{stroke:none}text.input{fill:var(--volt)}text.charge{fill:var(--good)}
text.load{fill:var(--load)}
"""


def page(view: GatewayView) -> str:
    """The whole document."""
    now = instant(view.stamp.at)
    title = escape(f"{view.gateway}: {_summary(view)}")
    parts = [
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f'<meta http-equiv="refresh" content="{REFRESH_S}">',
        f"<style>{_STYLE}</style></head><body><h1>{title}</h1>",
        *(f'<p class="bad">{escape(warning)}</p>' for warning in view.warnings),
        f"<dl>{''.join(_facts(view, now))}</dl>",
        "<h2>Units</h2>",
        f'<div class="units">{"".join(_unit(unit, now) for unit in view.units)}</div>',
        "<h2>Last outages</h2>",
        *(_outage(each) for each in view.outages[:OUTAGES]),
        "" if view.outages else "<p>None is kept.</p>",
        '<p class="old">Read only. Times are UTC. <a href="/status.json">The same as JSON</a></p></body></html>',
    ]
    return "\n".join(parts)


def _summary(view: GatewayView) -> str:
    on_battery = [unit.name for unit in view.units if _state(unit) is State.ON_BATTERY]
    if on_battery:
        return f"{', '.join(on_battery)} on battery"
    if troubled := [unit.name for unit in view.units if note(unit)]:
        return f"look at {', '.join(troubled)}"
    return "all is well" if view.units else "no units"


def _state(unit: UnitSight) -> State | None:
    return None if unit.snapshot is None else unit.snapshot.state


def _facts(view: GatewayView, now: datetime) -> Iterator[str]:
    link, outbox = view.cloud, view.outbox
    since = f" for {span(age_s(link.since_at, now))}" if link.since_at else ""
    connected = "connected" if link.connected else "not connected"
    trouble = f": {link.trouble}" if link.trouble and not link.connected else ""
    yield _fact("Cloud", f"{connected}{since} to {link.url}{trouble}", "good" if link.connected else "warn")
    oldest = f", the oldest {span(age_s(instant(outbox.oldest_at), now))} old" if outbox.oldest_at else ""
    size = f"{outbox.bytes / 1e6:.1f} of {outbox.quota_bytes / 1e6:.0f} MB"
    yield _fact("Outbox", f"{sum(outbox.waiting.values())} records wait{oldest}; {size}")
    if outbox.trouble:
        yield _fact("", outbox.trouble, "bad")
    yield _fact("Clock", f"{now:%Y-%m-%d %H:%M:%S}, {view.stamp.clock}")
    yield _fact("Gateway", f"version {view.version}, running for {span(view.running_s)}")
    if view.certificate_days_left is not None:
        yield _fact("Certificate", f"{view.certificate_days_left:.0f} days left")


def _fact(label: str, value: str, kind: str = "") -> str:
    return f'<dt>{escape(label)}</dt><dd class="{kind}">{escape(value)}</dd>'


def _unit(unit: UnitSight, now: datetime) -> str:
    shown, state = unit.snapshot or Snapshot(at=now), _state(unit)
    old_s = None if unit.answered_at is None else age_s(unit.answered_at, now)
    stale = old_s is None or old_s > STALE_S
    who = " ".join(filter(None, (unit.identity.model, unit.identity.serial))) if unit.identity else ""
    kind = "old" if stale else "good" if state in _GOOD else "bad"
    wrong = f'<p class="bad">{escape(note(unit))}</p>' if note(unit) else ""
    return (
        f'<article><h3>{escape(unit.name)} <span class="{kind}">'
        f"{escape('not read yet' if state is None else state.value.replace('_', ' '))}</span></h3>"
        f'<p class="old">{escape(who)}</p>{wrong}<dl class="{"old" if stale else ""}">'
        f"{_fact('Charge', _number(shown.charge_pct, ' %'))}{_fact('Load', _number(shown.load_pct, ' %'))}"
        f"{_fact('Runtime', _DASH if shown.runtime_s is None else span(shown.runtime_s))}"
        f"{_fact('Input', _number(shown.input_v, ' V'))}{_fact('Output', _number(shown.output_v, ' V'))}"
        f"{_fact('Read', _DASH if old_s is None else f'{span(old_s)} ago')}</dl></article>"
    )


def _outage(each: UnitOutage) -> str:
    body = each.outage
    expected = f", {span(body.expected_runtime_s)} were expected" if body.expected_runtime_s is not None else ""
    lowest = f", lowest input seen {body.lowest_input_v:.0f} V" if body.lowest_input_v is not None else ""
    about = "about " if body.energy_estimated else ""
    energy = f", {about}{body.energy_wh:.1f} Wh" if body.energy_wh is not None else ""
    kind = "Test" if body.test else "Outage"
    cause = f" ({body.cause.replace('_', ' ')})" if body.cause else ""
    ended = "" if body.ended == "restored" else f", {body.ended.replace('_', ' ')}"
    told = f"{kind} of {instant(body.began_at):%Y-%m-%d %H:%M:%S}, {each.unit}: {span(body.delivered_s)} on battery"
    return f"<article><p>{escape(told + expected + ended + lowest + energy + cause)}</p>{outage_svg(body)}</article>"


def _number(value: float | None, unit: str) -> str:
    return _DASH if value is None else f"{value:.0f}{unit}"
