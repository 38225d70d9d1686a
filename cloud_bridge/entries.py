"""A record's frozen bytes as what is stored of it, its texts cleaned (safety rule S6). Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

import msgspec

from drivers.ups import Severity, clean_text
from gateway.wire import codec, limits
from gateway.wire.errors import Malformed, TooLarge
from gateway.wire.messages import (
    Clock,
    ClockBody,
    EventBody,
    GapBody,
    IdentityBody,
    Kind,
    Record,
    Scalar,
    Stamp,
    StatusBody,
)
from gateway.wire.orders import CommandBody
from gateway.wire.outage import OutageBody

Body = EventBody | StatusBody | IdentityBody | ClockBody | OutageBody | CommandBody
Texts = TypeVar("Texts", bound=msgspec.Struct)

CLOUD_LANE = "cloud"
"""Lane of the events that ingest itself writes; gateways have no such lane."""

_details_encoder = msgspec.json.Encoder()


class Stored(StrEnum):
    """What stands under a number.

    UNKNOWN: a kind of a later version, kept raw. REPEAT: stored under its origin's name already (S16).
    """

    EVENT = "event"
    STATUS = "status"
    IDENTITY = "identity"
    GAP = "gap"
    CLOCK = "clock"
    OUTAGE = "outage"
    COMMAND = "command"
    UNKNOWN = "unknown"
    DEAD_LETTER = "dead_letter"
    REPEAT = "repeat"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What to store under the numbers `first` to `last`; `body` is `kind`'s, its texts cleaned (S6)."""

    first: int
    last: int
    kind: Stored
    digest: bytes
    raw: bytes = b""
    unit: str = ""
    stamp: Stamp | None = None
    body: Body | None = None
    history: bool = False


def read_record(raw: bytes, first: int, last: int) -> Entry:
    """A record's frozen bytes as what is stored. Raises WireError."""
    record = codec.decode_record(raw)
    kind, body = _body(record)
    if kind is Stored.GAP and codec.decode_body(record, GapBody).last != last:
        raise Malformed(f"a gap record that does not fit the number {first}")
    return Entry(
        first=first,
        last=last,
        kind=kind,
        digest=codec.digest(raw),
        raw=raw,
        unit=clean_text(record.unit),
        stamp=cleaned_stamp(record.stamp),
        body=body,
    )


def _body(record: Record) -> tuple[Stored, Body | None]:
    match record.kind:
        case Kind.EVENT:
            return Stored.EVENT, _cleaned_event(codec.decode_body(record, EventBody))
        case Kind.STATUS:
            return Stored.STATUS, codec.decode_body(record, StatusBody)
        case Kind.IDENTITY:
            return Stored.IDENTITY, _cleaned_identity(codec.decode_body(record, IdentityBody))
        case Kind.CLOCK:
            return Stored.CLOCK, _cleaned_texts(codec.decode_body(record, ClockBody))
        case Kind.OUTAGE:
            return Stored.OUTAGE, _cleaned_texts(codec.decode_body(record, OutageBody))
        case Kind.COMMAND:
            return Stored.COMMAND, _cleaned_command(codec.decode_body(record, CommandBody))
        case Kind.GAP:
            return Stored.GAP, None
        case _:
            return Stored.UNKNOWN, None


def cleaned_stamp(stamp: Stamp) -> Stamp:
    return msgspec.structs.replace(stamp, boot=clean_text(stamp.boot), clock=clean_text(stamp.clock))


def _cleaned_event(body: EventBody) -> EventBody:
    type_ = clean_text(body.type)
    if not type_:
        raise Malformed("an event without a type")
    details = {clean_text(key): _cleaned(value) for key, value in body.details.items()}
    if (size := len(_details_encoder.encode(details))) > limits.DETAILS_BYTES:
        raise TooLarge(f"details of {size} bytes, {limits.DETAILS_BYTES} are allowed")
    return msgspec.structs.replace(body, type=type_, details=details)


def _cleaned(value: Scalar) -> Scalar:
    return clean_text(value) if isinstance(value, str) else value


def _cleaned_identity(body: IdentityBody) -> IdentityBody:
    identity = body.identity
    groups = tuple((index, clean_text(name)) for index, name in identity.outlet_groups)
    cleaned = msgspec.structs.replace(_cleaned_texts(identity), outlet_groups=groups)
    return IdentityBody(identity=cleaned, transport=clean_text(body.transport))


def _cleaned_command(body: CommandBody) -> CommandBody:
    by = _cleaned_texts(body.by) if body.by else None
    return msgspec.structs.replace(_cleaned_texts(body), by=by)


def _cleaned_texts(body: Texts) -> Texts:
    """Its own texts; those of what it holds are the caller's. Only a command's sentence may be long."""
    texts = {
        name: clean_text(value, limits.DETAIL_LENGTH if name == "detail" else limits.TEXT_LENGTH)
        for name in body.__struct_fields__
        if isinstance(value := getattr(body, name), str) and not isinstance(value, StrEnum)
    }
    return msgspec.structs.replace(body, **texts)


def cloned_record(lane: str, stream: str, number: int, now_ms: int) -> bytes:
    """The event that two gateways use one identity (S16), as a record of the cloud's own lane."""
    details: dict[str, Scalar] = {"lane": lane, "stream": stream, "seq": number}
    body = EventBody(type="gateway_cloned", severity=Severity.CRITICAL, details=details)
    stamp = Stamp(at=now_ms, boot="", mono=0, clock=Clock.SYNCHRONISED.value)
    raw = msgspec.Raw(msgspec.json.encode(body))
    return codec.encode_record(Record(kind=Kind.EVENT, stamp=stamp, body=raw))
