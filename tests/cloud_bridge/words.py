"""What a gateway says, made for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from cloud_bridge.ingest import Parcel, unpack
from drivers.ups import Severity
from gateway.wire import codec
from gateway.wire.messages import (
    Batch,
    EventBody,
    GapBody,
    Hello,
    Kind,
    Lane,
    LaneRange,
    Origin,
    Record,
    Scalar,
    Stamp,
    StatusBody,
)

STREAM = "00000000000000aa"
OTHER_STREAM = "00000000000000bb"
T0 = 1_795_487_455_000
"""2026-11-24T02:30:55Z."""


def stamp(at: int = T0) -> Stamp:
    return Stamp(at=at, boot="boot", mono=1000, clock="synchronised")


def record(kind: str, body: msgspec.Struct, unit: str = "rack-1", at: int = T0) -> bytes:
    raw = msgspec.Raw(msgspec.json.encode(body))
    return codec.encode_record(Record(kind=kind, stamp=stamp(at), unit=unit, body=raw))


def event(
    number: int = 0, type_: str = "on_battery", details: Mapping[str, Scalar] | None = None, at: int = T0
) -> bytes:
    """Two with different `number` are different records."""
    body = EventBody(type=type_, severity=Severity.WARNING, details={"number": number, **(details or {})})
    return record(Kind.EVENT, body, at=at)


def status(full: bool = True, gone: Sequence[str] = (), at: int = T0, **values: object) -> bytes:
    raw = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in values.items()}
    return record(Kind.STATUS, StatusBody(full=full, values=raw, gone=list(gone)), at=at)


def gap(first: int, last: int, why: str = "crash") -> bytes:
    return record(Kind.GAP, GapBody(first=first, last=last, why=why), unit="")


def payload(first: int, *records: bytes, stream: str = STREAM, origin: Origin | None = None) -> bytes:
    raws = [msgspec.Raw(raw) for raw in records]
    return codec.encode(Batch(stream=stream, first=first, records=raws, sent_at=T0, origin=origin))


def parcel(
    first: int,
    *records: bytes,
    lane: Lane = Lane.EVENTS,
    stream: str = STREAM,
    origin: Origin | None = None,
) -> Parcel:
    return unpack(lane, payload(first, *records, stream=stream, origin=origin))


def hello(conn: str = "c1", next_: int = 1, units: Sequence[str] = ("rack-1",), stream: str = STREAM) -> Hello:
    lanes = {lane: LaneRange(stream=stream, oldest=1, next=next_) for lane in Lane}
    return Hello(conn=conn, version="1", stamp=stamp(), host="pi", lanes=lanes, units=list(units))
