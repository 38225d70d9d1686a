"""Notices as the alerts role makes them."""

from __future__ import annotations

import math
from typing import Any

from cloud_bridge.alerts.model import What
from cloud_bridge.alerts.notice import About, Item, Links, Notice, Series
from drivers.ups import CATALOGUE, Severity

NOW = 1_795_521_600_000
"""2026-11-24T12:00:00Z."""
HOUR = 3_600_000
HOSTILE = (
    "Rack\r\nBcc: eve@example.org\r\n\r\n\x1b[31m[link](http://evil.example)<script>alert(1)</script>"
    "=cmd|' /C calc'!A0\"'@everyone"
)
"""S6: line ends, escape, mark-up of three languages, a formula, quotes, a mention."""


def item(stage: str = "on_battery", **changes: Any) -> Item:
    kind = CATALOGUE[stage]
    facts: dict[str, Any] = {
        "alert": "a" * 32,
        "number": 1,
        "what": What.FIRED,
        "stage": stage,
        "severity": kind.severity,
        "label": "rack-1",
        "place": "Basement",
        "at": NOW,
        "onset_at": NOW - 10_000,
        "happened": "The mains failed at rack-1.",
        "meaning": kind.meaning,
        "do_this": kind.do_this,
        "details": {"charge_pct": 87.5, "runtime_s": 1530, "input_v": 0.0, "cause": "blackout"},
    }
    return Item(**(facts | changes))


def notice(*items: Item, **changes: Any) -> Notice:
    facts: dict[str, Any] = {
        "id": "0123456789abcdef" * 2,
        "about": About.ALERT,
        "title": "",
        "severity": max((one.severity for one in items), default=Severity.WARNING, key=list(Severity).index),
        "at": NOW,
        "items": items,
        "to": "Erika Muster",
        "policy": "default",
        "time_zone": "Europe/Berlin",
        "links": Links(unsubscribe="https://ups.example.net/u/abc.def"),
    }
    return Notice(**(facts | changes))


def hour(label: str = "battery charge", unit: str = "%", level: float = 80.0) -> Series:
    return Series(
        label=label,
        unit=unit,
        points=tuple((NOW - HOUR + 60_000 * n, level + 5 * math.sin(n)) for n in range(61)),
    )
