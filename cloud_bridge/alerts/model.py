"""What an alert is, from onset to end, and what is said of its way. Pure. Instants are UTC milliseconds.

Everything that may concern a person becomes a Sighting: of an event that a gateway told, of a reading, a date, a
silence. The board makes alerts of sightings, and a Change of each step of an alert's life.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from enum import StrEnum

import msgspec

from drivers.ups import Severity
from gateway.wire.messages import Scalar

ID_LENGTH = 32
"""Of an alert's or a notification's id, in hexadecimal digits."""


class Kind(StrEnum):
    """What an alert is about."""

    UNIT = "unit"
    GATEWAY = "gateway"
    SITE = "site"
    CHANNEL = "channel"
    CLOUD = "cloud"


class Subject(msgspec.Struct, frozen=True, order=True):
    """`name`: of a unit GATEWAY/UNIT, of a gateway its name, of a site or a channel its id, of the cloud nothing."""

    kind: Kind
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" if self.name else str(self.kind)

    @property
    def gateway(self) -> str:
        """Of a unit or a gateway; else empty."""
        return self.name.partition("/")[0] if self.kind in (Kind.UNIT, Kind.GATEWAY) else ""


def unit_of(gateway: str, unit: str) -> Subject:
    """A unit, or the gateway itself where `unit` is empty."""
    return Subject(Kind.UNIT, f"{gateway}/{unit}") if unit else Subject(Kind.GATEWAY, gateway)


class Seen(StrEnum):
    """BEGAN: it is so. ENDED: it is no longer so. MOMENT: it happened, and lasts no longer than that."""

    BEGAN = "began"
    ENDED = "ended"
    MOMENT = "moment"


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """One look at one condition of one subject.

    `stage`: the event type it stands at (an outage: on_battery, low_battery, …); it names meaning and advice in the
    catalogue. `mark`: what showed it, the same however often it is read: GATEWAY/LANE/STREAM/SEQ of an event, else
    what a watcher makes of subject, condition and the instant since when. `hold_s`: how long it has to last before it
    fires; None: as the condition's terms say. `record`: id of the event's row, in the order of storing; 0 if it is
    none. `history`: it was in the gateway's outbox before the connection (S17).
    """

    subject: Subject
    condition: str
    seen: Seen
    stage: str
    severity: Severity
    at: int
    mark: str
    hold_s: float | None = None
    record: int = 0
    history: bool = False
    details: Mapping[str, Scalar] = {}


class Phase(StrEnum):
    """PENDING: it has to last a while before anybody hears of it. FIRING: it is told. RESOLVED: over, for good."""

    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One condition of one subject, from its onset to its end; another onset is another alert.

    `number`: of its last change. `stage`, `severity`: now; `worst`: so far. `fires_at`: while pending; None of a
    backlog's that waits for the backlog's end. `ends_at`: its end was seen and is held until then. `flips`: onsets
    that were taken for one, since it comes and goes (`unstable`). `covered_by`: id of the incident that lists it.
    `acknowledged_by`, `assigned_to`: people.

    What the board itself goes by: `open`: stages that are so now, each with its severity as it was said; `peak`: the
    highest so far; `since`: when the present stretch began, by the cloud's clock; `record`, `marks`: what was taken
    last, so that a repeat changes nothing; `times`: how often it began and ended within the backlog that it is of;
    `again_at`, `again_mark`: of the onset that is open there after those.
    """

    id: str
    subject: Subject
    condition: str
    mark: str
    number: int
    phase: Phase
    stage: str
    severity: Severity
    worst: Severity
    onset_at: int
    changed_at: int
    fires_at: int | None = None
    fired_at: int | None = None
    ends_at: int | None = None
    resolved_at: int | None = None
    history: bool = False
    unstable: bool = False
    flips: tuple[int, ...] = ()
    covered_by: str = ""
    acknowledged_at: int | None = None
    acknowledged_by: str = ""
    assigned_to: str = ""
    details: Mapping[str, Scalar] = {}
    open: Mapping[str, Severity] = {}
    peak: str = ""
    since: int = 0
    record: int = 0
    marks: tuple[str, ...] = ()
    times: int = 0
    again_at: int = 0
    again_mark: str = ""


class What(StrEnum):
    """What happened to an alert. Those in TOLD may become notifications."""

    OPENED = "opened"
    FIRED = "fired"
    GREW = "grew"
    EASED = "eased"
    UPDATED = "updated"
    UNSTABLE = "unstable"
    RESOLVED = "resolved"
    DROPPED = "dropped"
    SUMMARY = "summary"
    ACKNOWLEDGED = "acknowledged"
    ASSIGNED = "assigned"
    NOTED = "noted"
    ESCALATED = "escalated"


TOLD = frozenset({What.FIRED, What.GREW, What.UNSTABLE, What.RESOLVED, What.SUMMARY, What.ESCALATED})
"""GREW: severity or stage went up. EASED: it went down, which nobody needs to hear. UPDATED:
it goes on otherwise than it did, and what it is now was told before. DROPPED: a pending one ended before
it fired. SUMMARY: one that began and ended in a backlog, told once, afterwards (S17)."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One step of an alert's life: `alert` as it is after it. `reason`: a sentence, with value and limit.

    (alert.id, alert.number) names it, however often it is worked out.
    """

    alert: Alert
    what: What
    at: int
    reason: str
    by: str = ""


def alert_id(subject: Subject, condition: str, mark: str) -> str:
    """The same from the same onset, whoever works it out and how often."""
    return digest(str(subject), condition, mark)


def digest(*parts: str) -> str:
    """Of parts none of which can run into the next."""
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:ID_LENGTH]
