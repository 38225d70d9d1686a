"""What watchers look at, and how they say what they see. Pure. Instants are UTC milliseconds.

A watcher says BEGAN at every look that still shows a condition: the board ignores what it knows. It says ENDED of an
alert that is open, where what it stood for is seen to be over; what can't be seen ends nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property

import msgspec

from cloud_bridge.alerts.conditions import kind_of
from cloud_bridge.alerts.model import Alert, Kind, Seen, Sighting, Subject, digest
from cloud_bridge.alerts.terms import Device, Directory, Terms
from cloud_bridge.alerts.watch.past import NO_PAST, Past, UnitPast
from cloud_bridge.presence import LinkState, hears, link_state
from cloud_bridge.rows import GatewayRow, IngestRow, UnitRow
from drivers.ups import CATALOGUE, Severity, clean_text
from gateway.wire.messages import Scalar

DETAIL_CHARS = 2048
"""Most of one text in a sighting's details."""

_ENDS = {kind.clears: kind.name for kind in CATALOGUE.values() if kind.clears}


class Full(msgspec.Struct, frozen=True):
    """A report of a unit that named every field: its record's id, and when it came."""

    record: int
    received_at: int


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What the telemetry database tells. `units`: all, by GATEWAY/UNIT; `changed`: those that this look is about.

    `through`: the newest record that is in it. `first_seen`, `full` (the newest full report that was seen): by unit.
    """

    ingest: IngestRow | None = None
    gateways: tuple[GatewayRow, ...] = ()
    units: Mapping[str, UnitRow] = {}
    changed: frozenset[str] = frozenset()
    past: Past = {}
    first_seen: Mapping[str, int] = {}
    full: Mapping[str, Full] = {}
    through: int = 0


class World(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One look. `alerts`: open ones by id. `revoked`: names of gateways that are kept out."""

    heard: Heard
    directory: Directory = Directory()
    terms: Terms = Terms()
    alerts: Mapping[str, Alert] = {}
    revoked: frozenset[str] = frozenset()

    @cached_property
    def open(self) -> Mapping[tuple[Subject, str], Alert]:
        """Alerts of what is so, as far as the board knows, by subject and condition."""
        return {(alert.subject, alert.condition): alert for alert in self.alerts.values() if is_on(alert)}

    @cached_property
    def open_of(self) -> Mapping[str, Sequence[Alert]]:
        """The same by condition; all of an owner's rules are one."""
        found: defaultdict[str, list[Alert]] = defaultdict(list)
        for alert in self.open.values():
            found[kind_of(alert.condition)].append(alert)
        return found

    @cached_property
    def devices(self) -> Mapping[str, Device]:
        """By GATEWAY/UNIT."""
        return {f"{device.gateway}/{device.unit}": device for device in self.directory.devices.values()}

    @cached_property
    def devices_at(self) -> Mapping[int, Sequence[Device]]:
        """By site."""
        found: defaultdict[int, list[Device]] = defaultdict(list)
        for device in self.directory.devices.values():
            if device.site is not None:
                found[device.site].append(device)
        return found

    @cached_property
    def gateways(self) -> Mapping[str, GatewayRow]:
        return {row.name: row for row in self.heard.gateways}

    @cached_property
    def units_of(self) -> Mapping[str, Sequence[str]]:
        """GATEWAY/UNIT by gateway."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for unit, row in self.heard.units.items():
            found[row.gateway].append(unit)
        return found

    def past(self, unit: str) -> UnitPast:
        return self.heard.past.get(unit, NO_PAST)

    def link(self, gateway: str, now: int) -> LinkState:
        row = self.gateways.get(gateway)
        return link_state(row, self.heard.ingest, now, self.revoked) if row else LinkState.UNKNOWN

    def hears_for_long(self, now: int) -> bool:
        """Whether silence of gateways counts: a bridge that has just come back has not heard them all yet (C4)."""
        ingest = self.heard.ingest
        if ingest is None or ingest.connected_at is None or not hears(ingest, now):
            return False
        return now - ingest.connected_at >= self.terms.hearing_for_s * 1000


def began(
    subject: Subject,
    condition: str,
    mark: str,
    at: int,
    details: Mapping[str, Scalar],
    *,
    severity: Severity | None = None,
    hold_s: float | None = None,
) -> Sighting:
    """`severity` None: the catalogue's."""
    stage = kind_of(condition)
    return Sighting(
        subject=subject,
        condition=condition,
        seen=Seen.BEGAN,
        stage=stage,
        severity=severity or CATALOGUE[stage].severity,
        at=at,
        mark=mark,
        hold_s=hold_s,
        details=_cleaned(details),
    )


def latest_mark(alert: Alert) -> str:
    """Of the onset that its present stretch began with."""
    onset = f"{Seen.BEGAN}:"
    return next((mark.removeprefix(onset) for mark in reversed(alert.marks) if mark.startswith(onset)), alert.mark)


def is_on(alert: Alert) -> bool:
    """Not one whose end was seen, though the board may hold it open for a while."""
    return alert.ends_at is None and bool(alert.open)


def ended(alert: Alert, at: int, details: Mapping[str, Scalar] | None = None) -> Sighting:
    stage = kind_of(alert.condition)
    return Sighting(
        subject=alert.subject,
        condition=alert.condition,
        seen=Seen.ENDED,
        stage=_ENDS.get(stage, stage),
        severity=Severity.INFORMATIONAL,
        at=at,
        mark=digest(alert.mark, Seen.ENDED, str(at)),
        details=_cleaned(details or {}),
    )


def marked(world: World, subject: Subject, condition: str, since: object) -> str:
    """The mark of an onset that nothing stored tells from the next look at it: the open alert's, else `since`'s."""
    alert = world.open.get((subject, condition))
    return digest(str(subject), condition, str(since)) if alert is None else latest_mark(alert)


def _cleaned(details: Mapping[str, Scalar]) -> Mapping[str, Scalar]:
    texts = {name: clean_text(value, DETAIL_CHARS) for name, value in details.items() if isinstance(value, str)}
    return {**details, **texts}


def unit_subject(unit: str) -> Subject:
    return Subject(Kind.UNIT, unit)
