"""Stored outages, as JSON lines and as cells of a table. Pure."""

from __future__ import annotations

import msgspec
from rich.text import Text

from cloud_bridge.rows import OutageRow
from cloud_bridge.views import ago_text, iso, moment_json, moved
from drivers.ups import clean_text

HEADINGS = ("began", "unit", "lasted", "cause", "lowest input", "energy", "charge left", "runtime: promised, delivered")

_ENDS = {"output_off": "until the output went off", "silent": "until nothing was heard"}
_json = msgspec.json.Encoder()


def began_at(row: OutageRow) -> int:
    """When it began, by the clock that its record was dated by afterwards, if it was."""
    return moved(row.body.began_at, row.at, row.dated_at)


def outage_json(row: OutageRow) -> str:
    """`at`: when its record was made, about a minute after its end."""
    body: dict[str, object] = {name: getattr(row.body, name) for name in row.body.__struct_fields__}
    body |= {"began_at": iso(began_at(row)), "ended_at": iso(moved(row.body.ended_at, row.at, row.dated_at))}
    line: dict[str, object] = {"gateway": row.gateway, "unit": row.unit, **moment_json(row.at, row.dated_at)}
    line |= {"clock": row.clock, "history": row.history, "received_at": iso(row.received_at)}
    return _json.encode(line | body).decode()


def outage_cells(row: OutageRow) -> list[Text]:
    """As HEADINGS has them."""
    body = row.body
    lasted = ago_text(body.delivered_s) + (f" {_ENDS[body.ended]}" if body.ended in _ENDS else "")
    cause = "test" if body.test else clean_text(body.cause).replace("_", " ") or "-"
    energy = _number(body.energy_wh, " Wh")
    return [
        Text(iso(began_at(row))),
        Text(f"{clean_text(row.gateway)}/{clean_text(row.unit) or '-'}", "bold"),
        Text(lasted, "bold red" if body.ended in _ENDS else ""),
        Text(cause),
        Text(_number(body.lowest_input_v, " V")),
        Text(f"about {energy}" if body.energy_estimated else energy),
        Text(_number(body.lowest_charge_pct, "%")),
        Text(f"{_time(body.expected_runtime_s)}, {ago_text(body.delivered_s)}"),
    ]


def _number(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:.0f}{unit}"


def _time(seconds: float | None) -> str:
    return "-" if seconds is None else ago_text(seconds)
