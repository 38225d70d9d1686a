"""What is stored, read while ingest writes."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from cloud_bridge.greeting import stored_hello
from cloud_bridge.health import stored_health
from cloud_bridge.rows import (
    EventFilter,
    EventRow,
    GatewayRow,
    IngestRow,
    LetterRow,
    OutageFilter,
    OutageRow,
    StreamRow,
    UnitRow,
)
from cloud_bridge.store.database import open_reader
from drivers.ups import Outcome, Severity
from gateway.wire.messages import IdentityBody, Lane, Scalar
from gateway.wire.orders import By, CommandBody, Stage
from gateway.wire.outage import OutageBody

REPORTS_AT_MOST = 100
"""Of a unit, among which a full one is looked for: there is one a minute."""

_identity = msgspec.json.Decoder(IdentityBody)
_waiting = msgspec.json.Decoder(dict[Lane, int])
_values = msgspec.json.Decoder(dict[str, msgspec.Raw])
_outage = msgspec.json.Decoder(OutageBody)
_details = msgspec.json.Decoder(dict[str, Scalar])

_EVERY_EVENT = """
SELECT r.id AS id, g.name AS gateway, coalesce(u.name, '') AS unit,
       s.lane AS lane, s.name AS stream, r.seq AS seq,
       e.type AS type, e.severity AS severity, e.after_at AS after_at, e.found_afterwards AS found_afterwards,
       e.read_ms AS read_ms, e.details AS details,
       r.at AS at, r.clock AS clock, r.boot AS boot, r.mono AS mono, r.history AS history,
       r.sent_at AS sent_at, r.received_at AS received_at, r.stored_at AS stored_at, r.dated_at AS dated_at
  FROM events e
  JOIN records r ON r.id = e.record_id
  JOIN streams s ON s.id = r.stream_id
  JOIN gateways g ON g.id = s.gateway_id
  LEFT JOIN units u ON u.id = r.unit_id
"""

_EVENTS = f"""{_EVERY_EVENT}
 WHERE e.record_id > :after_id
   AND (:up_to_id IS NULL OR e.record_id <= :up_to_id)
   AND (:since IS NULL OR coalesce(r.dated_at, r.at) >= :since)
   AND (:gateway IS NULL OR g.name = :gateway)
   AND (:unit IS NULL OR u.name = :unit)
   AND (:severity IS NULL OR e.severity = :severity)
"""

_EVERY_OUTAGE = """
SELECT r.id AS id, g.name AS gateway, coalesce(u.name, '') AS unit, r.at AS at, r.dated_at AS dated_at,
       r.clock AS clock, r.history AS history, r.received_at AS received_at, o.body AS body
  FROM outages o
  JOIN records r ON r.id = o.record_id
  JOIN streams s ON s.id = r.stream_id
  JOIN gateways g ON g.id = s.gateway_id
  LEFT JOIN units u ON u.id = r.unit_id
"""

_OUTAGES = f"""{_EVERY_OUTAGE}
 WHERE (:since IS NULL OR coalesce(r.dated_at, r.at) >= :since)
   AND (:gateway IS NULL OR g.name = :gateway)
   AND (:unit IS NULL OR u.name = :unit)
"""

# The newest of each type of each unit. The join is of integers alone, and only of what came since.
_NEWEST_EVENTS = f"""{_EVERY_EVENT}
 WHERE e.record_id IN (
   SELECT max(n.record_id)
     FROM events n JOIN records m ON m.id = n.record_id
    WHERE n.record_id > :after_id AND n.record_id <= :up_to_id AND m.unit_id IS NOT NULL
      AND n.type IN (SELECT value FROM json_each(:types))
    GROUP BY m.unit_id, n.type
 )
 ORDER BY e.record_id
"""

# A battery that was switched off on somebody's word was not at its end.
_SPENT = f"""{_EVERY_OUTAGE}
 WHERE o.record_id > :after_id AND o.record_id <= :up_to_id AND r.unit_id IS NOT NULL
   AND (o.ended = 'output_off' OR o.lowest_charge_pct <= :empty_pct)
   AND NOT EXISTS (
     SELECT 1 FROM records c JOIN events k ON k.record_id = c.id
      WHERE c.unit_id = r.unit_id AND c.kind = 'event' AND k.type = 'output_off_commanded'
        AND c.at BETWEEN o.began_at AND r.at AND c.id < r.id
   )
 ORDER BY o.record_id
"""

_UNITS = """
SELECT g.name AS gateway, u.name AS name, l.at, l.sent_at, l.received_at, l.status, l.identity, r.dated_at,
       coalesce(l.record_id, 0) AS record, r.raw
  FROM units u JOIN gateways g ON g.id = u.gateway_id
  LEFT JOIN unit_latest l ON l.unit_id = u.id LEFT JOIN records r ON r.id = l.record_id
 WHERE :after_id IS NULL OR l.record_id > :after_id
 ORDER BY g.name, u.id
"""


class Reader:
    """A context manager over the database file; never writes. Raises StoreError where it can't be read."""

    def __init__(self, path: Path) -> None:
        self._db = open_reader(path)

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: tuple[type[BaseException], BaseException, TracebackType] | None) -> None:
        self._db.close()

    def version(self) -> int:
        """Changes when anything was committed."""
        return int(self._db.execute("PRAGMA data_version").fetchone()[0])

    def last_record(self) -> int:
        """Id of the newest record of any kind."""
        return int(self._db.execute("SELECT coalesce(max(id), 0) FROM records").fetchone()[0])

    def last_id(self) -> int:
        """Of the newest event."""
        return int(self._db.execute("SELECT coalesce(max(record_id), 0) FROM events").fetchone()[0])

    def events(self, wanted: EventFilter) -> Iterator[EventRow]:
        """In the order of storing."""
        values = {
            "after_id": wanted.after_id,
            "up_to_id": wanted.up_to_id,
            "since": wanted.since,
            "gateway": wanted.gateway,
            "unit": wanted.unit,
            "severity": wanted.severity.value if wanted.severity else None,
            "newest": wanted.newest,
        }
        newest = f"SELECT * FROM ({_EVENTS} ORDER BY e.record_id DESC LIMIT :newest) ORDER BY id"
        sql = f"{_EVENTS} ORDER BY e.record_id" if wanted.newest is None else newest
        for row in self._db.query(sql, values):
            yield _event(row)

    def newest_events(self, types: Iterable[str], after_id: int, up_to_id: int) -> Iterator[EventRow]:
        """Of each unit the newest of each type among those records, in the order of storing."""
        values = {"types": json.dumps(list(types)), "after_id": after_id, "up_to_id": up_to_id}
        return (_event(row) for row in self._db.query(_NEWEST_EVENTS, values))

    def outages(self, wanted: OutageFilter) -> Iterator[OutageRow]:
        """In the order of storing."""
        newest = f"SELECT * FROM ({_OUTAGES} ORDER BY o.record_id DESC LIMIT :newest) ORDER BY id"
        sql = f"{_OUTAGES} ORDER BY o.record_id" if wanted.newest is None else newest
        for row in self._db.query(sql, msgspec.structs.asdict(wanted)):
            yield _outage_row(row)

    def spent_outages(self, empty_pct: float, after_id: int, up_to_id: int) -> Iterator[OutageRow]:
        """Those that the battery did not outlast, among those records, in the order of storing: the output went off
        and nobody had told it to, or the charge fell to `empty_pct`."""
        values = {"empty_pct": empty_pct, "after_id": after_id, "up_to_id": up_to_id}
        return (_outage_row(row) for row in self._db.query(_SPENT, values))

    def steps(self, gateway: str, command: str) -> list[CommandBody]:
        """What the gateway said about a command, in its order."""
        rows = self._db.query(
            "SELECT c.* FROM commands c JOIN records r ON r.id = c.record_id JOIN streams s ON s.id = r.stream_id"
            "  JOIN gateways g ON g.id = s.gateway_id WHERE c.command = ? AND g.name = ? ORDER BY c.record_id",
            [command, gateway],
        )
        return [step_of(row) for row in rows]

    def gateways(self) -> list[GatewayRow]:
        letters = self._db.query("SELECT gateway_id, count(*) AS letters FROM dead_letters GROUP BY gateway_id")
        count = {row["gateway_id"]: row["letters"] for row in letters}
        streams = self._streams()
        return [
            GatewayRow(
                name=row["name"],
                first_seen_at=row["first_seen_at"],
                last_seen_at=row["last_seen_at"],
                offline_at=row["offline_at"],
                offline_why=row["offline_why"],
                hello=stored_hello(row["hello"]),
                waiting=_waiting.decode(row["waiting"]) if row["waiting"] else {},
                letters=count.get(row["id"], 0),
                letters_dropped=row["letters_dropped"],
                streams=streams.get(row["id"], ()),
                health=stored_health(row["health"]),
                health_at=row["health_at"],
                audit_broken_at=row["audit_broken_at"],
            )
            for row in self._db.query("SELECT * FROM gateways ORDER BY name")
        ]

    def _streams(self) -> Mapping[int, tuple[StreamRow, ...]]:
        """By gateway."""
        found: defaultdict[int, list[StreamRow]] = defaultdict(list)
        for row in self._db.query("SELECT gateway_id, lane, name AS stream, through FROM streams ORDER BY id"):
            found[row.pop("gateway_id")].append(StreamRow(**row))
        return {gateway: tuple(streams) for gateway, streams in found.items()}

    def units(self, after_id: int | None = None) -> list[UnitRow]:
        """All, or those whose newest status is a record after that one."""
        rows = self._db.query(_UNITS, {"after_id": after_id})
        return [
            UnitRow(
                gateway=row["gateway"],
                name=row["name"],
                at=row["at"],
                sent_at=row["sent_at"],
                received_at=row["received_at"],
                status=_values.decode(row["status"]) if row["status"] else {},
                identity=_identity.decode(row["identity"]) if row["identity"] else None,
                dated_at=row["dated_at"],
                record=row["record"],
                is_full=_is_full(row["raw"]),
            )
            for row in rows
        ]

    def newest_full(self, gateway: str, unit: str) -> tuple[int, int] | None:
        """Record and receipt of its newest report that named every field, if it is among its last ones."""
        rows = self._db.query(
            "SELECT r.id, r.received_at, r.raw FROM records r WHERE r.kind = 'status' AND r.unit_id ="
            "   (SELECT u.id FROM units u JOIN gateways g ON g.id = u.gateway_id WHERE g.name = ? AND u.name = ?)"
            " ORDER BY r.at DESC LIMIT ?",
            [gateway, unit, REPORTS_AT_MOST],
        )
        return next(((row["id"], row["received_at"]) for row in rows if _is_full(row["raw"])), None)

    def first_seen(self) -> Mapping[tuple[str, str], int]:
        """When the first identity of each unit came, by gateway and unit."""
        rows = self._db.query(
            "SELECT g.name AS gateway, u.name AS unit, (SELECT r.received_at FROM records r"
            "   WHERE r.unit_id = u.id AND r.kind = 'identity' ORDER BY r.at LIMIT 1) AS seen_at"
            "  FROM units u JOIN gateways g ON g.id = u.gateway_id"
        )
        return {(row["gateway"], row["unit"]): row["seen_at"] for row in rows if row["seen_at"] is not None}

    def ingest(self) -> IngestRow | None:
        rows = self._db.query("SELECT started_at, alive_at, connected_at FROM ingest")
        return next((IngestRow(**row) for row in rows), None)

    def dead_letters(self) -> Iterator[LetterRow]:
        """Oldest first."""
        rows = self._db.query(
            "SELECT g.name AS gateway, d.lane, d.stream, d.seq, d.reason, d.times,"
            "       d.received_at, d.last_at, d.raw"
            "  FROM dead_letters d JOIN gateways g ON g.id = d.gateway_id ORDER BY d.id"
        )
        return (LetterRow(**row) for row in rows)


class _Full(msgspec.Struct):
    full: bool = False


class _Report(msgspec.Struct):
    """As much of a status record as tells whether it names every field."""

    body: _Full


_report = msgspec.json.Decoder(_Report)


def _is_full(raw: bytes | None) -> bool:
    return raw is not None and _report.decode(raw).body.full


def _event(row: dict[str, Any]) -> EventRow:
    row["severity"] = Severity(row["severity"])
    row["found_afterwards"], row["history"] = bool(row["found_afterwards"]), bool(row["history"])
    row["details"] = _details.decode(row["details"])
    return EventRow(**row)


def _outage_row(row: dict[str, Any]) -> OutageRow:
    row["history"], row["body"] = bool(row["history"]), _outage.decode(row["body"])
    return OutageRow(**row)


def step_of(row: Mapping[str, Any]) -> CommandBody:
    """A row of the table `commands`."""
    by = By(role=row["by_role"], name=row["by_name"] or "") if row["by_role"] is not None else None
    said = {name: row[name] or "" for name in ("reason", "detail", "verb", "serial", "audit")}
    outcome = Outcome(row["outcome"]) if row["outcome"] else None
    return CommandBody(id=row["command"], stage=Stage(row["stage"]), by=by, outcome=outcome, **said)
