"""What watchers have to remember of stored events and outages. Pure. Instants are UTC milliseconds, by our clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from cloud_bridge.rows import EventRow, OutageRow
from cloud_bridge.views import moved
from gateway.wire.messages import Clock, Scalar

EMPTY_PCT = 5.0
"""With this charge or less the battery is empty: units switch off at about it."""

TEST_ENDS = ("self_test_passed", "self_test_failed", "self_test_refused", "self_test_aborted")
CALIBRATION_ENDS = ("calibration_passed", "calibration_failed", "calibration_refused", "calibration_aborted")
TESTED = ("self_test_started", "self_test_passed", "self_test_failed")
REMEMBERED = ("on_battery", "mains_restored", "self_test_started", *TEST_ENDS, "calibration_started", *CALIBRATION_ENDS)
"""Event types of which the newest of each unit is remembered."""

SPENT_KEPT = 5
"""Outages to the end of the battery that are remembered of a unit: the newest ones."""


class Noted(msgspec.Struct, frozen=True, kw_only=True):
    """A unit's newest event of one type; `id`: of its row. Readings as its details tell them."""

    id: int
    at: int
    runtime_s: float | None = None
    charge_pct: float | None = None


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """An outage that the battery did not outlast; `id`: of its row, `outage`: the gateway's name for it."""

    id: int
    outage: str
    began_at: int
    ended_at: int
    output_off: bool
    delivered_s: float
    expected_runtime_s: float | None


class UnitPast(msgspec.Struct, frozen=True, kw_only=True):
    """Of one unit. `newest`: by event type. `spent`: oldest first."""

    newest: Mapping[str, Noted] = {}
    spent: tuple[Spent, ...] = ()

    @property
    def on_battery(self) -> Noted | None:
        """The onset of an outage that is not over."""
        return self._open("on_battery", ("mains_restored",))

    @property
    def self_test(self) -> Noted | None:
        """The start of a test that has no result yet."""
        return self._open("self_test_started", TEST_ENDS)

    @property
    def calibration(self) -> Noted | None:
        return self._open("calibration_started", CALIBRATION_ENDS)

    @property
    def tested(self) -> Noted | None:
        """The newest self-test."""
        found = [noted for type_ in TESTED if (noted := self.newest.get(type_))]
        return max(found, key=lambda each: each.id, default=None)

    def _open(self, onset: str, ends: Iterable[str]) -> Noted | None:
        begun = self.newest.get(onset)
        over = begun is None or any(end.id > begun.id for type_ in ends if (end := self.newest.get(type_)))
        return None if over else begun


Past = Mapping[str, UnitPast]
"""By unit, GATEWAY/UNIT."""

NO_PAST = UnitPast()


def remembered(past: Past, events: Iterable[EventRow], spent: Iterable[OutageRow]) -> Past:
    """The past after these, each in the order of storing."""
    after = dict(past)
    for event in events:
        before = after.get(name := f"{event.gateway}/{event.unit}", NO_PAST)
        newest = {**before.newest, event.type: _noted(event)}
        after[name] = msgspec.structs.replace(before, newest=newest)
    for row in spent:
        before = after.get(name := f"{row.gateway}/{row.unit}", NO_PAST)
        after[name] = msgspec.structs.replace(before, spent=(*before.spent, _spent(row))[-SPENT_KEPT:])
    return after


def heard_at(at: int, dated_at: int | None, clock: str, sent_at: int | None, received_at: int) -> int:
    """When a record was made, by our clock: it waited in the gateway by that one's, then came."""
    if sent_at is None or (dated_at is None and clock != Clock.SYNCHRONISED):
        return received_at
    return received_at - max(0, sent_at - (at if dated_at is None else dated_at))


def _noted(row: EventRow) -> Noted:
    at = heard_at(row.at, row.dated_at, row.clock, row.sent_at, row.received_at)
    runtime_s, charge_pct = _number(row.details.get("runtime_s")), _number(row.details.get("charge_pct"))
    return Noted(id=row.id, at=at, runtime_s=runtime_s, charge_pct=charge_pct)


def _number(value: Scalar) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _spent(row: OutageRow) -> Spent:
    body = row.body
    return Spent(
        id=row.id,
        outage=body.id,
        began_at=moved(body.began_at, row.at, row.dated_at),
        ended_at=moved(body.ended_at, row.at, row.dated_at),
        output_off=body.ended == "output_off",
        delivered_s=body.delivered_s,
        expected_runtime_s=body.expected_runtime_s,
    )
