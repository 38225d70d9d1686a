"""What the simulators did, held against what the cloud has stored. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from drivers.ups import Flag, State
from simulator.history import Change, Kind

TRANSFERS = frozenset({"on_battery", "mains_restored"})
"""The event types that a change of mains must lead to, once each."""


class Happened(msgspec.Struct, frozen=True):
    """One event that the physics of a unit call for."""

    unit: str
    type: str
    at: datetime


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the cloud's database, as `cloud events --json` prints it. Unknown fields are ignored."""

    gateway: str
    unit: str | None
    lane: str
    stream: str
    seq: int
    type: str
    severity: str
    at: datetime
    received_at: datetime
    stored_at: datetime
    sent_at: datetime | None = None
    read_ms: float | None = None
    found_afterwards: bool = False
    history: bool = False


class Match(msgspec.Struct, frozen=True):
    """One event that happened and how it was stored, None if it was not."""

    happened: Happened
    stored: Stored | None


class Legs(msgspec.Struct, frozen=True):
    """Milliseconds of an event's way: waiting for the poll, reading, outbox, broker, ingest. They add up to `total`."""

    wait: float
    read: float
    outbox: float
    broker: float
    ingest: float

    @property
    def total(self) -> float:
        return self.wait + self.carried

    @property
    def carried(self) -> float:
        """Everything but waiting for the poll."""
        return self.read + self.outbox + self.broker + self.ingest


def transfers(unit: str, changes: Iterable[Change]) -> list[Happened]:
    """The transfers to battery and back in a unit's history, oldest first."""
    found = []
    for change in changes:
        if change.kind is not Kind.STATE:
            continue
        if change.new == State.ON_BATTERY:
            found.append(Happened(unit, "on_battery", change.at))
        elif change.old == State.ON_BATTERY and change.new == State.ONLINE:
            found.append(Happened(unit, "mains_restored", change.at))
    return found


def risings(unit: str, changes: Iterable[Change], types: Mapping[Flag, tuple[str, str]]) -> list[Happened]:
    """The rise and fall of flags as (onset, clear) event types, oldest first."""
    names = {flag.value: pair for flag, pair in types.items()}
    return [
        Happened(unit, names[change.name][0 if change.new else 1], change.at)
        for change in changes
        if change.kind is Kind.FLAG and change.name in names
    ]


def match(happened: Sequence[Happened], stored: Sequence[Stored]) -> list[Match]:
    """Pairs the nth event of a unit and type with the nth stored one."""
    waiting: Mapping[tuple[str, str], list[Stored]] = defaultdict(list)
    for event in stored:
        waiting[event.unit or "", event.type].append(event)
    for queue in waiting.values():
        queue.reverse()
    pairs = []
    for each in happened:
        queue = waiting[each.unit, each.type]
        pairs.append(Match(each, queue.pop() if queue else None))
    return pairs


def surplus(happened: Sequence[Happened], stored: Sequence[Stored], types: Collection[str] = TRANSFERS) -> list[Stored]:
    """Stored events of these types that no unit made, and repeats of those that one made."""
    taken = {(m.stored.stream, m.stored.seq) for m in match(happened, stored) if m.stored}
    return [e for e in stored if e.type in types and (e.stream, e.seq) not in taken]


def out_of_order(stored: Sequence[Stored]) -> list[Stored]:
    """Events that stand behind a later one of their unit."""
    newest: dict[str, datetime] = {}
    late = []
    for event in stored:
        if event.unit and event.at < newest.get(event.unit, event.at):
            late.append(event)
        elif event.unit:
            newest[event.unit] = event.at
    return late


def legs(pair: Match) -> Legs | None:
    """How long each part of the way took; None where it was not stored or not measured."""
    event = pair.stored
    if event is None or event.sent_at is None or event.read_ms is None:
        return None
    seen = _ms(pair.happened.at, event.at)
    return Legs(
        wait=seen - event.read_ms,
        read=event.read_ms,
        outbox=_ms(event.at, event.sent_at),
        broker=_ms(event.sent_at, event.received_at),
        ingest=_ms(event.received_at, event.stored_at),
    )


def _ms(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds() * 1000
