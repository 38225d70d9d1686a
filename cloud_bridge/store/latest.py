"""The newest status and identity of each unit, so that a page about now reads one row a unit."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

import msgspec

from cloud_bridge.store.bodies import Numbered
from drivers.ups import Snapshot
from gateway.wire.messages import IdentityBody, Stamp, StatusBody
from gateway.wire.status import merge_status

Values = dict[str, msgspec.Raw]

_json = msgspec.json.Encoder()
_values = msgspec.json.Decoder(Values)
_KNOWN = frozenset(Snapshot.__struct_fields__)


def renew_latest(
    conn: sqlite3.Connection,
    entries: Numbered,
    units: Mapping[str, int],
    sent_at: int | None,
    received_at: int,
) -> None:
    """Brings the units' rows forward by records in their order, inside the caller's transaction."""
    statuses: dict[str, tuple[Values, Stamp, bool, int]] = {}
    for row, entry in entries:
        if entry.unit not in units or entry.stamp is None:
            continue
        if isinstance(entry.body, StatusBody):
            known = statuses.get(entry.unit)
            before = known[0] if known else _stored(conn, units[entry.unit])
            statuses[entry.unit] = (_merged(before, entry.body), entry.stamp, entry.history, row)
        elif isinstance(entry.body, IdentityBody):
            _keep_identity(conn, units[entry.unit], entry.body, entry.stamp)
    conn.executemany(
        "INSERT INTO unit_latest (unit_id, status, at, sent_at, received_at, history, record_id)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (unit_id) DO UPDATE SET status = excluded.status, at = excluded.at,"
        " sent_at = excluded.sent_at, received_at = excluded.received_at, history = excluded.history,"
        " record_id = excluded.record_id",
        [
            (units[name], _json.encode(values), stamp.at, sent_at, received_at, history, row)
            for name, (values, stamp, history, row) in statuses.items()
        ],
    )


def _stored(conn: sqlite3.Connection, unit: int) -> Values:
    row = conn.execute("SELECT status FROM unit_latest WHERE unit_id = ?", (unit,)).fetchone()
    return _values.decode(row[0]) if row and row[0] else {}


def _merged(before: Values, body: StatusBody) -> Values:
    """Fields of a later version stay in the record's raw bytes; here their number would have no limit."""
    return {name: value for name, value in merge_status(before, body).items() if name in _KNOWN}


def _keep_identity(conn: sqlite3.Connection, unit: int, body: IdentityBody, stamp: Stamp) -> None:
    conn.execute(
        "INSERT INTO unit_latest (unit_id, identity, identity_at) VALUES (?, ?, ?)"
        " ON CONFLICT (unit_id) DO UPDATE"
        " SET identity = excluded.identity, identity_at = excluded.identity_at",
        (unit, _json.encode(body), stamp.at),
    )
