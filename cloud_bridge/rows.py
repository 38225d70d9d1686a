"""What is read from the telemetry database, as values. Instants are UTC milliseconds."""

from __future__ import annotations

import msgspec

from drivers.ups import Severity
from gateway.wire.health import Health
from gateway.wire.messages import Hello, IdentityBody, Lane, Scalar
from gateway.wire.outage import OutageBody


class EventRow(msgspec.Struct, frozen=True, kw_only=True):
    """One stored event. `id` grows in the order of storing; `seq` is its number in its stream.

    `dated_at`: when it was, if `at` came from a clock that was not set.
    """

    id: int
    gateway: str
    unit: str
    lane: str
    stream: str
    seq: int
    type: str
    severity: Severity
    at: int
    after_at: int | None
    found_afterwards: bool
    history: bool
    read_ms: float | None
    sent_at: int | None
    received_at: int
    stored_at: int
    clock: str
    boot: str
    mono: int
    details: dict[str, Scalar]
    dated_at: int | None = None


class OutageRow(msgspec.Struct, frozen=True, kw_only=True):
    """One stored outage. `at`, `dated_at`: of its record, as an event's."""

    id: int
    gateway: str
    unit: str
    at: int
    dated_at: int | None
    clock: str
    history: bool
    received_at: int
    body: OutageBody


class OutageFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which outages. `newest`: at most so many, of the end."""

    newest: int | None = None
    since: int | None = None
    gateway: str | None = None
    unit: str | None = None


class EventFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which events. `newest`: at most so many, of the end."""

    after_id: int = 0
    up_to_id: int | None = None
    newest: int | None = None
    since: int | None = None
    gateway: str | None = None
    unit: str | None = None
    severity: Severity | None = None


class StreamRow(msgspec.Struct, frozen=True, kw_only=True):
    """How far one stream is stored."""

    lane: str
    stream: str
    through: int


class GatewayRow(msgspec.Struct, frozen=True, kw_only=True):
    """One gateway. `health_at`: when it came. `audit_broken_at`: since when its audit log is shorter than it was."""

    name: str
    first_seen_at: int
    last_seen_at: int
    offline_at: int | None
    offline_why: str | None
    hello: Hello | None
    waiting: dict[Lane, int]
    letters: int
    letters_dropped: int
    streams: tuple[StreamRow, ...]
    health: Health | None = None
    health_at: int | None = None
    audit_broken_at: int | None = None


class UnitRow(msgspec.Struct, frozen=True, kw_only=True):
    """The newest that is known of a unit. `status` holds Snapshot fields as their JSON; `dated_at` as an event's.
    `record`: id of its newest report; `is_full`: that one named every field."""

    gateway: str
    name: str
    at: int | None
    sent_at: int | None
    received_at: int | None
    status: dict[str, msgspec.Raw]
    identity: IdentityBody | None
    dated_at: int | None = None
    record: int = 0
    is_full: bool = False


class IngestRow(msgspec.Struct, frozen=True, kw_only=True):
    """The last word of ingest about itself; `connected_at` None: it does not hear the broker."""

    started_at: int
    alive_at: int
    connected_at: int | None


class LetterRow(msgspec.Struct, frozen=True, kw_only=True):
    gateway: str
    lane: str
    stream: str
    seq: int
    reason: str
    times: int
    received_at: int
    last_at: int
    raw: bytes
