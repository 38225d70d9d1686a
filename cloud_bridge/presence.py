"""Who is heard and what it said last, as JSON lines and as cells of tables. Pure: rows and `now` are handed in."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import TypeVar

import msgspec
from rich.text import Text

from cloud_bridge.rows import GatewayRow, IngestRow, UnitRow
from cloud_bridge.views import ago_text, iso_or_none, moment_json
from drivers.ups import State, clean_text
from gateway.wire.limits import LOST_AFTER_S

T = TypeVar("T")

INGEST_SILENT_S = 30.0
"""Ingest says every ten seconds that it lives."""

STATE_STYLE = {
    State.ONLINE: "green",
    State.ON_BATTERY: "yellow",
    State.BYPASS: "magenta",
    State.OFF: "bold red",
}

_json = msgspec.json.Encoder()


class LinkState(StrEnum):
    """STOPPED: it said so. UNKNOWN: ingest itself hears nothing, so silence says nothing. REVOKED: it is kept out."""

    ONLINE = "online"
    LOST = "lost"
    STOPPED = "stopped"
    UNKNOWN = "unknown"
    REVOKED = "revoked"


LINK_STYLE = {
    LinkState.ONLINE: "green",
    LinkState.LOST: "bold red",
    LinkState.STOPPED: "yellow",
    LinkState.UNKNOWN: "dim",
    LinkState.REVOKED: "bold red",
}


def link_state(gateway: GatewayRow, ingest: IngestRow | None, now_ms: int, revoked: Collection[str] = ()) -> LinkState:
    """Silence counts only while ingest hears the broker. `revoked`: names of gateways that are kept out."""
    if gateway.name in revoked:
        return LinkState.REVOKED
    if gateway.offline_at is not None and gateway.offline_at >= gateway.last_seen_at:
        return LinkState.STOPPED if gateway.offline_why == "stopped" else LinkState.LOST
    hearing_since = None if ingest is None or not hears(ingest, now_ms) else ingest.connected_at
    if hearing_since is None:
        return LinkState.UNKNOWN
    silent_ms = now_ms - max(gateway.last_seen_at, hearing_since)
    return LinkState.LOST if silent_ms > LOST_AFTER_S * 1000 else LinkState.ONLINE


def hears(ingest: IngestRow, now_ms: int) -> bool:
    """Whether ingest runs and hears the broker."""
    return ingest.connected_at is not None and now_ms - ingest.alive_at <= INGEST_SILENT_S * 1000


class UnitView(msgspec.Struct, frozen=True, kw_only=True):
    """A unit as it can be shown. `stale`: the values are what was, not what is."""

    row: UnitRow
    age_s: float | None
    stale: bool
    state: State | None
    charge_pct: float | None
    load_pct: float | None
    runtime_s: int | None
    input_v: float | None


def unit_view(row: UnitRow, link: LinkState, now_ms: int) -> UnitView:
    age_s = _age_s(row, now_ms)
    stale = age_s is None or age_s > LOST_AFTER_S or link is not LinkState.ONLINE
    return UnitView(
        row=row,
        age_s=age_s,
        stale=stale,
        state=_value(row, "state", State),
        charge_pct=_value(row, "charge_pct", float),
        load_pct=_value(row, "load_pct", float),
        runtime_s=_value(row, "runtime_s", int),
        input_v=_value(row, "input_v", float),
    )


def _age_s(row: UnitRow, now_ms: int) -> float | None:
    """How long ago it was read: the time it waited in the gateway by that one's clock, and since by ours."""
    if row.at is None or row.received_at is None:
        return None
    waited_ms = max(0, row.sent_at - row.at) if row.sent_at is not None else 0
    return max(0, now_ms - row.received_at + waited_ms) / 1000


def _value(row: UnitRow, name: str, type_: type[T]) -> T | None:
    """A status value, None where it is missing or not what it should be."""
    try:
        return msgspec.json.decode(row.status.get(name, b"null"), type=type_ | None)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def unit_json(view: UnitView) -> str:
    row = view.row
    identity = row.identity.identity if row.identity else None
    line: dict[str, object] = {
        "kind": "unit",
        "gateway": row.gateway,
        "unit": row.name,
        "stale": view.stale,
        "age_s": view.age_s,
        **(moment_json(row.at, row.dated_at) if row.at is not None else {"at": None}),
        "received_at": iso_or_none(row.received_at),
        "state": view.state,
        "charge_pct": view.charge_pct,
        "load_pct": view.load_pct,
        "runtime_s": view.runtime_s,
        "input_v": view.input_v,
        "model": identity.model if identity else None,
        "serial": identity.serial if identity else None,
        "firmware": identity.firmware if identity else None,
        "values": row.status,
    }
    return _json.encode(line).decode()


def gateway_json(row: GatewayRow, link: LinkState) -> str:
    line: dict[str, object] = {
        "kind": "gateway",
        "gateway": row.name,
        "link": link,
        "last_seen_at": iso_or_none(row.last_seen_at),
        "first_seen_at": iso_or_none(row.first_seen_at),
        "version": row.hello.version if row.hello else None,
        "host": row.hello.host if row.hello else None,
        "streams": row.streams,
        "waiting": row.waiting,
        "dead_letters": row.letters,
        "dead_letters_dropped": row.letters_dropped,
        "health": row.health,
        "health_at": iso_or_none(row.health_at),
        "audit_broken_at": iso_or_none(row.audit_broken_at),
    }
    return _json.encode(line).decode()


def ingest_json(row: IngestRow | None, now_ms: int) -> str:
    line = {
        "kind": "ingest",
        "hears_broker": row is not None and hears(row, now_ms),
        "alive_at": iso_or_none(row.alive_at if row else None),
        "connected_at": iso_or_none(row.connected_at if row else None),
    }
    return _json.encode(line).decode()


def ingest_warning(row: IngestRow | None, now_ms: int) -> Text | None:
    """What to say above a status that nobody keeps up to date."""
    if row is not None and hears(row, now_ms):
        return None
    if row is None or now_ms - row.alive_at > INGEST_SILENT_S * 1000:
        ago = f", last {ago_text((now_ms - row.alive_at) / 1000)} ago" if row else ""
        return Text(
            f"Ingest does not run{ago}: this is what was known then. `ridethrough cloud run` starts it.",
            "bold red",
        )
    return Text("Ingest does not hear the broker: this is what was known before.", "bold red")


def gateway_cells(row: GatewayRow, link: LinkState, now_ms: int) -> list[Text]:
    """Name, link, last word, version, what is stored, what waits, dead letters."""
    waiting = ", ".join(f"{lane} {count}" for lane, count in row.waiting.items() if count) or "-"
    newest = {stream.lane: stream.through for stream in row.streams}
    return [
        Text(clean_text(row.name), "bold"),
        Text(link, LINK_STYLE[link]),
        Text(f"{ago_text((now_ms - row.last_seen_at) / 1000)} ago"),
        Text(clean_text(row.hello.version) if row.hello else "-"),
        Text(", ".join(f"{lane} {through}" for lane, through in newest.items()) or "-"),
        Text(waiting),
        Text(str(row.letters + row.letters_dropped or "-")),
    ]


def unit_cells(view: UnitView) -> list[Text]:
    """Unit, state, charge, load, runtime, input, age; what is stale says so and is dimmed."""
    row = view.row
    state = Text(view.state or "-", STATE_STYLE.get(view.state, "dim") if view.state else "dim")
    if view.stale:
        state = Text(f"stale, was {view.state}" if view.state else "nothing heard", "dim")
    style = "dim" if view.stale else ""
    return [
        Text(f"{clean_text(row.gateway)}/{clean_text(row.name)}", "bold"),
        state,
        Text(_number(view.charge_pct, "%"), style),
        Text(_number(view.load_pct, "%"), style),
        Text("-" if view.runtime_s is None else ago_text(view.runtime_s), style),
        Text(_number(view.input_v, " V"), style),
        Text("-" if view.age_s is None else ago_text(view.age_s), style),
    ]


def _number(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:.0f}{unit}"
