"""What gateway and cloud say to each other, as typed messages.

Unknown fields are ignored, unknown kinds of record are stored raw: versions N and N-1 understand each other.
Instants are integer UTC milliseconds.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

import msgspec

from drivers.ups import Identity, Severity
from gateway.wire import limits

Scalar = str | int | float | bool | None
StreamName = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}$")]
Sequence = Annotated[int, msgspec.Meta(ge=1, le=limits.SEQUENCE_MAX)]
Count = Annotated[int, msgspec.Meta(ge=0, le=limits.SEQUENCE_MAX)]
Instant = Annotated[int, msgspec.Meta(ge=0, le=limits.INSTANT_MAX)]
"""UTC milliseconds, up to the end of year 9999."""
ShortText = Annotated[str, msgspec.Meta(max_length=limits.TEXT_LENGTH)]


class Lane(StrEnum):
    """Two ordered streams with numbers of their own: an alarm never waits behind a backlog of status."""

    EVENTS = "events"
    STATUS = "status"


class Kind(StrEnum):
    """Kinds of record this version knows."""

    EVENT = "event"
    STATUS = "status"
    IDENTITY = "identity"
    GAP = "gap"
    CLOCK = "clock"
    OUTAGE = "outage"
    COMMAND = "command"


class Clock(StrEnum):
    """How far the gateway's clock can be trusted."""

    SYNCHRONISED = "synchronised"
    UNSYNCHRONISED = "unsynchronised"


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of everything below."""


class Stamp(Message, frozen=True, kw_only=True, omit_defaults=True):
    """When: UTC milliseconds, boot id with milliseconds since that boot, and the clock's quality."""

    at: Instant
    boot: ShortText
    mono: Count
    clock: ShortText = Clock.UNSYNCHRONISED.value


class Record(Message, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is kept for ever, its bytes frozen when it is written to the outbox.

    `body` depends on `kind`.
    """

    kind: ShortText
    stamp: Stamp
    unit: ShortText = ""
    body: msgspec.Raw


class EventBody(Message, frozen=True, kw_only=True, omit_defaults=True):
    """`after`: last reading that did not show it. `read_ms`: time of its reading, answer time included."""

    type: ShortText
    severity: Severity
    after: Instant | None = None
    found_afterwards: bool = False
    read_ms: float | None = None
    details: dict[str, Scalar] = {}


class StatusBody(Message, frozen=True, kw_only=True, omit_defaults=True):
    """Snapshot fields that changed (`full`: every reported one) and those no longer reported."""

    full: bool = False
    values: dict[str, msgspec.Raw] = {}
    gone: list[str] = []


class IdentityBody(Message, frozen=True, kw_only=True, omit_defaults=True):
    """Who answers under a unit's name, and over what."""

    identity: Identity
    transport: ShortText = ""


class GapBody(Message, frozen=True, kw_only=True, omit_defaults=True, rename={"first": "from", "last": "to"}):
    """Explains the numbers `first` to `last`, its own among them: no other record bears them."""

    first: Sequence
    last: Sequence
    why: ShortText


class ClockBody(Message, frozen=True, kw_only=True, omit_defaults=True):
    """The clock was set: the record's own stamp is right from now on (Kind.CLOCK, events lane).

    An earlier record of the same boot whose clock was not synchronised is dated by the difference of the two `mono`.
    `moved_ms`: by how much the clock jumped, forward or back. `why`: `set` (synchronised for the first time in this
    boot) or `stepped` (a synchronised clock jumped).
    """

    moved_ms: int
    why: ShortText


class Origin(Message, frozen=True, kw_only=True, omit_defaults=True):
    """Under which name records stood before their stream had to be left (S16)."""

    stream: StreamName
    first: Sequence


class Batch(Message, frozen=True, kw_only=True, omit_defaults=True):
    """Records of one lane in their order; the lane is the topic's.

    The first record's number is `first`, each other's is one more, after a gap record its `to` plus one.
    A record is raw bytes here so that a bad one spoils no other.
    """

    stream: StreamName
    first: Sequence
    records: Annotated[list[msgspec.Raw], msgspec.Meta(min_length=1, max_length=limits.BATCH_RECORDS)]
    sent_at: Instant
    origin: Origin | None = None


class LaneRange(Message, frozen=True, kw_only=True, omit_defaults=True):
    """A lane as the gateway has it: oldest number not acknowledged, and the number the next record gets."""

    stream: StreamName
    oldest: Sequence
    next: Sequence


class Hello(Message, frozen=True, kw_only=True, omit_defaults=True):
    """Said on connecting and every RESEND_AFTER_S until it is answered.

    What was in the outbox by then is history (S17).
    """

    conn: ShortText
    version: ShortText
    stamp: Stamp
    host: ShortText = ""
    lanes: dict[Lane, LaneRange]
    units: Annotated[list[ShortText], msgspec.Meta(max_length=limits.HELLO_UNITS)] = []


class Heartbeat(Message, frozen=True, kw_only=True, omit_defaults=True):
    conn: ShortText
    at: Instant
    waiting: dict[Lane, Count] = {}
    """Records not yet acknowledged, by lane."""


class Offline(Message, frozen=True, kw_only=True, omit_defaults=True):
    """The will, or the last word of a clean stop. `conn` tells a stale one."""

    conn: ShortText
    why: Literal["will", "stopped"] = "will"


class LaneAck(Message, frozen=True, kw_only=True, omit_defaults=True):
    """Everything up to `through` is stored for good (0: nothing yet).

    `again`: send from `through` + 1 once more, now.
    """

    stream: StreamName
    through: Count
    again: bool = False


class Ack(Message, frozen=True, kw_only=True, omit_defaults=True):
    """The answer to a hello (both lanes and its `conn`) or to a batch (its lane, no `conn`), sent after the commit."""

    lanes: dict[Lane, LaneAck]
    conn: ShortText = ""
