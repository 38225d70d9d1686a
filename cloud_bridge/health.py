"""How gateways themselves are: what is kept of a health record, and what an owner should hear of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from cloud_bridge.entries import cleaned_stamp
from cloud_bridge.rows import GatewayRow
from cloud_bridge.views import ago_text, iso
from drivers.ups import clean_text
from gateway.wire.health import CERTIFICATE_DAYS, CLOCK_PATIENCE_S, DISK_LOW_BYTES, HOT_C, Health
from gateway.wire.limits import HEALTH_S
from gateway.wire.messages import Clock

CLOCK_OFF_S = 60.0
"""Between a gateway's clock and ours: more is neither the way here nor rounding."""

OUTBOX_SHARE = 0.8
OLD_AFTER_S = 3 * HEALTH_S
"""A health record older than this says how it was, not how it is."""

_MEBIBYTE = 1024 * 1024
_decoder = msgspec.json.Decoder(Health)


def stored_health(text: bytes | None) -> Health | None:
    """A health record as the database keeps it; None if there is none, or none that this version understands."""
    try:
        return _decoder.decode(text) if text else None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def cleaned_health(health: Health) -> Health:
    """The same with its texts cleaned (S6)."""
    return msgspec.structs.replace(
        health,
        conn=clean_text(health.conn),
        stamp=cleaned_stamp(health.stamp),
        version=clean_text(health.version),
        units={clean_text(name): unit for name, unit in health.units.items()},
        outbox=msgspec.structs.replace(health.outbox, trouble=clean_text(health.outbox.trouble)),
        audit_head=clean_text(health.audit_head),
    )


class Log(msgspec.Struct, frozen=True):
    """A gateway's audit log by its last line: how many there are, and the digest that chains them."""

    length: int
    head: str


def is_cut(before: Log | None, now: Log) -> bool:
    """Whether lines that were there are gone or others (S16 tells of the card that may be behind it)."""
    if before is None:
        return False
    return now.length < before.length or (now.length == before.length and now.head != before.head)


def concerns(row: GatewayRow, now_ms: int) -> list[str]:
    """What is wrong with a gateway, in sentences; with its age, where it is what was."""
    if row.health is None or row.health_at is None:
        return []
    age_s = (now_ms - row.health_at) / 1000
    ago = f" ({ago_text(age_s)} ago)" if age_s > OLD_AFTER_S else ""
    found = [*_machine(row.health), *_clock(row.health, row.health_at), *_outbox(row.health), *_keys(row)]
    return [f"{clean_text(row.name)}: {what}{ago}" for what in found]


def _machine(health: Health) -> Iterator[str]:
    host = health.host
    if host.under_voltage:
        yield "under-voltage: its power supply is too weak or the cable too thin; the card is at risk"
    if host.cpu_temp_c is not None and host.cpu_temp_c >= HOT_C:
        yield f"its processor is at {host.cpu_temp_c:.0f} °C, and slows down from {HOT_C:.0f} °C on"
    if host.disk_free_bytes is not None and host.disk_free_bytes < DISK_LOW_BYTES:
        yield f"its disk is nearly full: {host.disk_free_bytes // _MEBIBYTE} MiB free"


def _clock(health: Health, received_at: int) -> Iterator[str]:
    if health.stamp.clock != Clock.SYNCHRONISED:
        if health.running_s > CLOCK_PATIENCE_S:
            yield "nothing keeps its clock right: what it records is dated once something does"
    elif (off_s := abs(health.stamp.at - received_at) / 1000) > CLOCK_OFF_S:
        yield f"its clock, or this machine's, is off: they are {ago_text(off_s)} apart"


def _outbox(health: Health) -> Iterator[str]:
    outbox = health.outbox
    if outbox.trouble:
        yield f"its outbox can't be written: {clean_text(outbox.trouble)}"
    if outbox.quota_bytes and outbox.bytes > OUTBOX_SHARE * outbox.quota_bytes:
        held, quota = outbox.bytes / _MEBIBYTE, outbox.quota_bytes / _MEBIBYTE
        yield f"its outbox holds {held:.0f} MiB of {quota:.0f}: soon the oldest status is thinned"


def _keys(row: GatewayRow) -> Iterator[str]:
    days = row.health.certificate_days_left if row.health else None
    if days is not None and days < 0:
        yield f"its certificate ended {-days:.0f} days ago"
    elif days is not None and days < CERTIFICATE_DAYS:
        yield f"its certificate ends in {days:.0f} days and is not renewed"
    if row.audit_broken_at is not None:
        since = iso(row.audit_broken_at)
        yield f"its audit log lost lines that it had ({since}): see `ridethrough gateway audit --verify` there"
