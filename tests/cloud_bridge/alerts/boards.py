"""A board with one unit before it, told by seconds."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from cloud_bridge.alerts.board import Board
from cloud_bridge.alerts.conditions import sightings
from cloud_bridge.alerts.model import TOLD, Alert, Change, Phase, Seen, Sighting, Subject, unit_of
from cloud_bridge.alerts.terms import Terms
from cloud_bridge.rows import EventRow
from drivers.ups import CATALOGUE, Severity
from gateway.wire.messages import Scalar

START = 1_795_521_600_000
"""2026-11-24T12:00:00Z."""
TERMS = Terms()
RACK = unit_of("pi", "rack-1")


def event(
    kind: str,
    number: int,
    at: int = START,
    *,
    gateway: str = "pi",
    unit: str = "rack-1",
    severity: Severity | None = None,
    history: bool = False,
    dated_at: int | None = None,
    details: dict[str, Scalar] | None = None,
) -> EventRow:
    """The stored event `number`; one the catalogue does not have is informational."""
    known = CATALOGUE.get(kind)
    return EventRow(
        id=number,
        gateway=gateway,
        unit=unit,
        lane="events",
        stream="5",
        seq=number,
        type=kind,
        severity=severity or (known.severity if known else Severity.INFORMATIONAL),
        at=at,
        after_at=None,
        found_afterwards=False,
        history=history,
        read_ms=None,
        sent_at=None,
        received_at=at,
        stored_at=at,
        clock="synchronised",
        boot="b",
        mono=0,
        details=details or {},
        dated_at=dated_at,
    )


class Watched:
    """Events reach the board as they happen, and it is asked whenever it has something to do."""

    def __init__(self, terms: Terms = TERMS) -> None:
        self.board = Board(terms)
        self.changes: list[Change] = []
        self._kept: dict[str, Alert] = {}
        self._terms = terms
        self._records = 0

    def tells(
        self, at_s: float, kind: str, *, history: bool = False, clock_off_s: float = 0, **details: Scalar
    ) -> list[str]:
        """The event, and what it and the time until then changed, as words."""
        self._records += 1
        row = event(kind, self._records, instant(at_s - clock_off_s), history=history, details=details)
        return self._took(self.until(instant(at_s)) + self._taken(row, instant(at_s)))

    def sees(self, at_s: float, sighting: Sighting) -> list[str]:
        return self._took(self.until(instant(at_s)) + self.board.take(sighting, instant(at_s)))

    def waits(self, until_s: float) -> list[str]:
        return self._took(self.until(instant(until_s)))

    def backlog_over(self, at_s: float) -> list[str]:
        return self._took(self.board.backlog_over("pi", instant(at_s)))

    def until(self, now: int) -> list[Change]:
        """It is woken at the very instants for which it asks."""
        changes: list[Change] = []
        while (due := self.board.due_at()) is not None and due <= now:
            woken = self.board.tick(due)
            assert woken, "it asked to be woken for nothing"
            changes += woken
        return changes

    def restarts(self) -> None:
        """The board is made anew of what its changes left."""
        self.board = Board(self._terms, stored(self._kept))

    def _taken(self, row: EventRow, now: int) -> list[Change]:
        return [change for sighting in sightings(row) for change in self.board.take(sighting, now)]

    def _took(self, changes: list[Change]) -> list[str]:
        self.changes += changes
        self._kept |= {change.alert.id: change.alert for change in changes}
        return [change.what.value for change in changes]

    @property
    def said(self) -> list[str]:
        """What people may have heard so far."""
        return [change.what.value for change in self.changes if change.what in TOLD]

    @property
    def reasons(self) -> list[str]:
        return [change.reason for change in self.changes if change.what in TOLD]

    @property
    def last(self) -> Alert:
        return self.changes[-1].alert

    @property
    def open_ones(self) -> list[Alert]:
        return [alert for alert in self._kept.values() if alert.phase is not Phase.RESOLVED]


def stored(kept: Mapping[str, Alert]) -> list[Alert]:
    """What the registry gives back at a start: of each condition the open alert, else the one that changed last."""
    newest: dict[tuple[Subject, str], Alert] = {}
    for alert in sorted(kept.values(), key=lambda one: (one.phase is not Phase.RESOLVED, one.changed_at, one.record)):
        newest[alert.subject, alert.condition] = alert
    return msgspec.json.decode(msgspec.json.encode(list(newest.values())), type=list[Alert])


def instant(seconds: float) -> int:
    return START + round(seconds * 1000)


def seen(
    at_s: float,
    condition: str,
    mark: str,
    *,
    what: Seen = Seen.BEGAN,
    stage: str = "",
    severity: Severity = Severity.WARNING,
    hold_s: float | None = None,
    details: dict[str, Scalar] | None = None,
    subject: Subject = RACK,
) -> Sighting:
    """What a watcher says."""
    return Sighting(
        subject=subject,
        condition=condition,
        seen=what,
        stage=stage or condition.partition(":")[0],
        severity=severity,
        at=instant(at_s),
        mark=mark,
        hold_s=hold_s,
        details=details or {},
    )
