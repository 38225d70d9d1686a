"""Worlds for watchers to look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

import msgspec

from cloud_bridge.alerts.conditions import kind_of
from cloud_bridge.alerts.model import Alert, Kind, Phase, Seen, Sighting, Subject, alert_id
from cloud_bridge.alerts.terms import Device, Directory, Owner, Rule, Scope, Site, Terms
from cloud_bridge.alerts.watch.past import Noted, Spent, UnitPast
from cloud_bridge.alerts.watch.world import Heard, World
from cloud_bridge.rows import GatewayRow, IngestRow, UnitRow
from drivers.ups import CATALOGUE, Identity
from gateway.wire.messages import IdentityBody, Scalar

NOW = 1_795_487_455_000
"""2026-11-24T02:30:55Z."""
DAY_S = 86_400.0
UNIT = "pi/rack-1"
RACK = Subject(Kind.UNIT, UNIT)
PI = Subject(Kind.GATEWAY, "pi")
CELLAR = Subject(Kind.SITE, "1")


def ago(seconds: float) -> int:
    return NOW - round(seconds * 1000)


def unit(name: str = UNIT, age_s: float = 1.0, installed_on: date | None = None, **values: object) -> UnitRow:
    """What it said so long ago."""
    return reporting(values, name, age_s, installed_on)


def reporting(
    values: Mapping[str, object], name: str = UNIT, age_s: float = 1.0, installed_on: date | None = None
) -> UnitRow:
    gateway, _, own = name.partition("/")
    return UnitRow(
        gateway=gateway,
        name=own,
        at=ago(age_s),
        sent_at=ago(age_s),
        received_at=ago(age_s),
        status={key: msgspec.Raw(msgspec.json.encode(value)) for key, value in values.items()},
        identity=IdentityBody(identity=Identity(serial="AS1", battery_installed_on=installed_on)),
    )


def gateway(name: str = "pi", silent_s: float = 1.0, **more: object) -> GatewayRow:
    """One whose last word came so long ago."""
    row = GatewayRow(
        name=name,
        first_seen_at=ago(30 * DAY_S),
        last_seen_at=ago(silent_s),
        offline_at=None,
        offline_why=None,
        hello=None,
        waiting={},
        letters=0,
        letters_dropped=0,
        streams=(),
    )
    return msgspec.structs.replace(row, **more)


def device(id_: int = 1, name: str = UNIT, **more: object) -> Device:
    gateway, _, own = name.partition("/")
    return msgspec.structs.replace(Device(id=id_, gateway=gateway, unit=own, owner=1, site=1), **more)


def rule(**more: object) -> Rule:
    """Load above 80 % for a minute, back at 75."""
    made = Rule(id=7, owner=1, name="busy", reading="load_pct", above=True, limit=80.0, clear=75.0, scope=Scope())
    return msgspec.structs.replace(made, **more)


def directory(devices: Iterable[Device] = (), rules: Iterable[Rule] = (), zone: str = "Europe/Berlin") -> Directory:
    """One owner of two sites, cellar and attic."""
    return Directory(
        owners={1: Owner(id=1, name="erika", email="erika@example.net", time_zone=zone)},
        sites={1: Site(id=1, owner=1, name="cellar"), 2: Site(id=2, owner=1, name="attic")},
        devices={each.id: each for each in devices},
        rules={each.id: each for each in rules},
    )


def world(
    units: Iterable[UnitRow] = (),
    gateways: Iterable[GatewayRow] | None = None,
    *,
    heard_s: float | None = 3600.0,
    alive_s: float = 1.0,
    past: Mapping[str, UnitPast] | None = None,
    first_seen: Mapping[str, int] | None = None,
    alerts: Iterable[Alert] = (),
    known: Directory | None = None,
    terms: Terms | None = None,
    revoked: Iterable[str] = (),
) -> World:
    """`heard_s`: for how long ingest has heard the broker; None: it does not. Without `gateways`, those of the units
    are heard; without a directory, each unit is a device."""
    rows = {f"{row.gateway}/{row.name}": row for row in units}
    named = sorted({row.gateway for row in rows.values()})
    ingest = IngestRow(
        started_at=ago(7200), alive_at=ago(alive_s), connected_at=None if heard_s is None else ago(heard_s)
    )
    return World(
        heard=Heard(
            ingest=ingest,
            gateways=tuple(gateways) if gateways is not None else tuple(gateway(name) for name in named),
            units=rows,
            changed=frozenset(rows),
            past=past or {},
            first_seen=first_seen or {},
        ),
        directory=known or directory(device(number, name) for number, name in enumerate(sorted(rows), 1)),
        terms=terms or Terms(),
        alerts={alert.id: alert for alert in alerts},
        revoked=frozenset(revoked),
    )


def noted(id_: int, since_s: float, **more: object) -> Noted:
    return msgspec.structs.replace(Noted(id=id_, at=ago(since_s)), **more)


def on_battery(since_s: float, **more: object) -> UnitPast:
    return UnitPast(newest={"on_battery": noted(1, since_s, **more)})


def spent(**more: object) -> Spent:
    """Promised 20 minutes, gave five; ten minutes ago."""
    made = Spent(
        id=40,
        outage="o1",
        began_at=ago(900),
        ended_at=ago(600),
        output_off=True,
        delivered_s=300.0,
        expected_runtime_s=1200.0,
    )
    return msgspec.structs.replace(made, **more)


def alert(condition: str = "outage", subject: Subject = RACK, **more: object) -> Alert:
    """A firing one."""
    stage = "on_battery" if condition == "outage" else kind_of(condition)
    severity = CATALOGUE[stage].severity
    made = Alert(
        id=alert_id(subject, condition, "m"),
        subject=subject,
        condition=condition,
        mark="m",
        number=2,
        phase=Phase.FIRING,
        stage=stage,
        severity=severity,
        worst=severity,
        onset_at=ago(30),
        changed_at=ago(20),
        open={stage: severity},
        peak=stage,
        marks=(f"{Seen.BEGAN}:m",),
    )
    return msgspec.structs.replace(made, **more)


def said(sightings: Iterable[Sighting]) -> list[tuple[str, str, str]]:
    """Subject, condition, what."""
    return [(str(each.subject), each.condition, each.seen.value) for each in sightings]


def details(sighting: Sighting) -> dict[str, Scalar]:
    return dict(sighting.details)
