"""Events and identities as records of the wire."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import msgspec

from drivers.ups import Event, Identity, clean_text
from gateway.readings import Detail
from gateway.wire import limits
from gateway.wire.messages import EventBody, IdentityBody, Kind, Message, Record, Scalar, Stamp

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def milliseconds(at: datetime) -> int:
    """An aware instant as the wire says it: UTC milliseconds, at least 0."""
    return max(0, (at - _EPOCH) // timedelta(milliseconds=1))


def event_body(event: Event, read_ms: float | None = None) -> EventBody:
    """`read_ms`: time that the reading took which showed the event, the unit's answer time included."""
    return EventBody(
        type=event.type,
        severity=event.severity,
        after=None if event.after is None else milliseconds(event.after),
        found_afterwards=event.found_afterwards,
        read_ms=None if read_ms is None else round(read_ms, 1),
        details=_fitting(event.details),
    )


def identity_body(identity: Identity, transport: str = "") -> IdentityBody:
    """`transport`: over what the unit is reached.

    What its protocol can report stays here: a cloud of the version before must not stumble over a new flag.
    """
    told = msgspec.structs.replace(identity, reported_flags=frozenset())
    return IdentityBody(identity=told, transport=clean_text(transport))


def record(kind: Kind, stamp: Stamp, unit: str, body: Message) -> Record:
    """A record of `unit`, ready to be frozen."""
    return Record(kind=kind.value, stamp=stamp, unit=unit, body=msgspec.Raw(msgspec.json.encode(body)))


def _fitting(details: dict[str, Detail]) -> dict[str, Scalar]:
    """Clean texts (S6) and finite numbers, in order, as many as DETAILS_BYTES holds."""
    kept: dict[str, Scalar] = {}
    for name, value in details.items():
        if isinstance(value, float) and not math.isfinite(value):
            continue
        kept[clean_text(name)] = clean_text(value) if isinstance(value, str) else value
        if len(msgspec.json.encode(kept)) > limits.DETAILS_BYTES:
            del kept[clean_text(name)]
            break
    return kept
