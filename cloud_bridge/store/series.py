"""A unit's readings for a notice: of one hour, for its chart, and the newest."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

import msgspec

from cloud_bridge.alerts.notice import Series
from cloud_bridge.store.database import open_reader
from drivers.ups import READINGS
from gateway.wire import codec
from gateway.wire.errors import WireError
from gateway.wire.messages import StatusBody

SPAN_MS = 3_600_000
LONGEST_MS = 86_400_000
"""No battery carries its load for longer."""
ROWS = 2000
"""Most records that are read, the newest: a unit at its quickest says as much in some ten minutes."""
POINTS = 200
"""Most points of one reading."""
CHARTED = ("charge_pct", "load_pct", "input_v")
TOLD = ("charge_pct", "runtime_s", "load_pct")
"""Of the newest: what somebody needs to know who has to act."""

BEGINS, ENDS = "on_battery", "mains_restored"

_KNOWN = {reading.name: reading for reading in READINGS}
_number = msgspec.json.Decoder(float)
_values = msgspec.json.Decoder(dict[str, msgspec.Raw])
_NONE = msgspec.Raw(b"null")

Points = list[tuple[int, float]]
Spans = tuple[tuple[int, int | None], ...]
"""None: it lasts."""


class History:
    """A context manager over the telemetry database; never writes. Raises StoreError, sqlite3.Error."""

    def __init__(self, path: Path) -> None:
        self._db = open_reader(path)

    def __enter__(self) -> History:
        return self

    def __exit__(self, *_: tuple[type[BaseException], BaseException, TracebackType] | None) -> None:
        self._db.close()

    def last_hour(self, gateway: str, unit: str, until: int) -> tuple[Series, ...]:
        """By the gateway's clock, up to `until`; without what the unit does not report."""
        rows = self._db.execute(
            "SELECT r.at, r.raw FROM records r WHERE r.kind = 'status' AND r.at BETWEEN ? AND ? AND r.unit_id ="
            " (SELECT u.id FROM units u JOIN gateways g ON g.id = u.gateway_id WHERE g.name = ? AND u.name = ?)"
            " ORDER BY r.at DESC LIMIT ?",
            (until - SPAN_MS, until, gateway, unit, ROWS),
        ).fetchall()
        found = _points(reversed(rows))
        return tuple(
            Series(label=_KNOWN[name].label, unit=_KNOWN[name].unit, points=tuple(_thinned(points)))
            for name, points in found.items()
            if points
        )

    def on_battery(self, gateway: str, unit: str, until: int) -> Spans:
        """From when to when, of what reaches into that hour, by the gateway's clock."""
        rows = self._db.execute(
            "SELECT r.at, e.type FROM records r JOIN events e ON e.record_id = r.id"
            " WHERE r.kind = 'event' AND r.at BETWEEN ? AND ? AND e.type IN (?, ?) AND r.unit_id ="
            " (SELECT u.id FROM units u JOIN gateways g ON g.id = u.gateway_id WHERE g.name = ? AND u.name = ?)"
            " ORDER BY r.at DESC, r.id DESC LIMIT ?",
            (until - LONGEST_MS, until, BEGINS, ENDS, gateway, unit, ROWS),
        ).fetchall()
        spans = _spans(rows[::-1], until - LONGEST_MS)
        return tuple((since, ended) for since, ended in spans if ended is None or ended > until - SPAN_MS)

    def newest(self, gateway: str, unit: str, since: int) -> dict[str, float]:
        """What the unit reports of TOLD, if something of it came live at `since` or later by the cloud's clock."""
        row = self._db.execute(
            "SELECT l.status FROM unit_latest l JOIN units u ON u.id = l.unit_id JOIN gateways g ON g.id = u.gateway_id"
            " WHERE g.name = ? AND u.name = ? AND l.received_at >= ? AND NOT l.history AND l.status IS NOT NULL",
            (gateway, unit, since),
        ).fetchone()
        values = _values.decode(row[0]) if row else {}
        return {name: _number.decode(values[name]) for name in TOLD if values.get(name, _NONE) != _NONE}


def _points(rows: Iterable[tuple[int, bytes]]) -> dict[str, Points]:
    """Status tells what changed: a reading stays until the next."""
    found: dict[str, Points] = {name: [] for name in CHARTED}
    for at, raw in rows:
        try:
            values = codec.decode_body(codec.decode_record(raw), StatusBody).values
            for name, points in found.items():
                if name in values:
                    points.append((at, _number.decode(values[name])))
        except (WireError, msgspec.MsgspecError):
            continue  # one that was damaged, or of a later version: a hole in a chart
    return found


def _spans(events: Iterable[tuple[int, str]], since: int) -> Spans:
    """What ends first began before `since`."""
    found: list[tuple[int, int | None]] = []
    for at, type_ in events:
        lasts = bool(found) and found[-1][1] is None
        if type_ == BEGINS and not lasts:
            found.append((at, None))
        elif type_ == ENDS and (lasts or not found):
            found[-1:] = [(found[-1][0] if lasts else since, at)]
    return tuple(found)


def _thinned(points: Points) -> Points:
    """Evenly, the newest kept."""
    step = -(-len(points) // POINTS)
    return points[::-1][::step][::-1] if step > 1 else points
