"""What a gateway says, made for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from cloud_bridge.ingest import Parcel, unpack
from drivers.ups import Outcome, Severity
from gateway.wire import codec
from gateway.wire.messages import (
    Batch,
    ClockBody,
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
from gateway.wire.orders import CommandBody, Stage
from gateway.wire.outage import OutageBody

STREAM = "00000000000000aa"
OTHER_STREAM = "00000000000000bb"
T0 = 1_795_487_455_000
"""2026-11-24T02:30:55Z."""


def stamp(at: int = T0) -> Stamp:
    return Stamp(at=at, boot="boot", mono=1000, clock="synchronised")


def unset(mono: int, at: int = 0, boot: str = "boot") -> Stamp:
    """Of a clock that nobody has set."""
    return Stamp(at=at, boot=boot, mono=mono)


def record(kind: str, body: msgspec.Struct, unit: str = "rack-1", at: int = T0, stamped: Stamp | None = None) -> bytes:
    raw = msgspec.Raw(msgspec.json.encode(body))
    return codec.encode_record(Record(kind=kind, stamp=stamped or stamp(at), unit=unit, body=raw))


def event(
    number: int = 0,
    type_: str = "on_battery",
    details: Mapping[str, Scalar] | None = None,
    at: int = T0,
    stamped: Stamp | None = None,
    after: int | None = None,
) -> bytes:
    """Two with different `number` are different records."""
    body = EventBody(type=type_, severity=Severity.WARNING, details={"number": number, **(details or {})}, after=after)
    return record(Kind.EVENT, body, at=at, stamped=stamped)


def clock(mono: int, at: int, boot: str = "boot", quality: str = "synchronised") -> bytes:
    """The clock was set: at `mono` it is `at`."""
    stamped = Stamp(at=at, boot=boot, mono=mono, clock=quality)
    return record(Kind.CLOCK, ClockBody(moved_ms=0, why="set"), unit="", stamped=stamped)


def outage(stamped: Stamp | None = None, **changes: object) -> bytes:
    """40 s without mains, told a minute after."""
    body = OutageBody(
        id="o1",
        began_at=T0 - 100_000,
        ended_at=T0 - 60_000,
        ended="restored",
        cause="input_voltage_low",
        delivered_s=40.0,
        expected_runtime_s=1200.0,
        lowest_input_v=0.0,
        lowest_charge_pct=91.0,
        energy_wh=7.5,
        trace=[(-1000, 230.0, 230.0, 20.0, 100.0, False), (0, 0.0, 228.0, 20.0, 100.0, True)],
    )
    return record(Kind.OUTAGE, msgspec.structs.replace(body, **changes), stamped=stamped)


def command(id_: str, stage: Stage, reason: str = "", outcome: Outcome | None = None, **more: object) -> bytes:
    """A step of a command."""
    body = CommandBody(id=id_, stage=stage, reason=reason or stage.value, outcome=outcome)
    return record(Kind.COMMAND, msgspec.structs.replace(body, **more))


def status(
    full: bool = True, gone: Sequence[str] = (), at: int = T0, stamped: Stamp | None = None, **values: object
) -> bytes:
    raw = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in values.items()}
    return record(Kind.STATUS, StatusBody(full=full, values=raw, gone=list(gone)), at=at, stamped=stamped)


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
