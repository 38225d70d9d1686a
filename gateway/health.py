"""What is wrong with the gateway itself, judged by its own health record, in sentences for its owner."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gateway.wire.health import (
    CERTIFICATE_DAYS,
    CLOCK_PATIENCE_S,
    DISK_LOW_BYTES,
    HOT_C,
    Health,
    UnitHealth,
)
from gateway.wire.messages import Clock

SILENT_S = 60.0
"""A unit that has not answered for so long, its own pace apart."""

_MEBIBYTE = 1024 * 1024


def warnings(health: Health) -> dict[str, str]:
    """A sentence for each thing that is wrong, by a stable name."""
    return dict(_found(health))


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[tuple[bool, str]]:
    """What is worth a line of the log: each warning that is new (True), and each that is over (False)."""
    yield from ((True, now[name]) for name in now if name not in before)
    yield from ((False, f"over: {before[name]}") for name in before if name not in now)


def sentence(health: Health, *, connected: bool) -> str:
    """The gateway in one line, for `systemctl status`."""
    silent = [name for name, unit in health.units.items() if _is_silent(unit)]
    units = f"{len(health.units)} ({len(silent)} silent)" if silent else f"{len(health.units)}"
    cloud = "connected" if connected else "no connection"
    return f"units: {units}; cloud: {cloud}; records waiting for it: {sum(health.outbox.waiting.values())}"


def _is_silent(unit: UnitHealth) -> bool:
    return unit.answered_ago_s is None or unit.answered_ago_s > SILENT_S + unit.fast_s


def _found(health: Health) -> Iterator[tuple[str, str]]:
    host = health.host
    if host.under_voltage:
        yield "under_voltage", "under-voltage: the power supply is too weak or its cable too thin; the card is at risk"
    if host.cpu_temp_c is not None and host.cpu_temp_c >= HOT_C:
        yield "hot", f"the processor is too hot: {host.cpu_temp_c:.0f} °C, from {HOT_C:.0f} °C on it slows down"
    if host.disk_free_bytes is not None and host.disk_free_bytes < DISK_LOW_BYTES:
        free, least = host.disk_free_bytes // _MEBIBYTE, DISK_LOW_BYTES // _MEBIBYTE
        yield "disk", f"the disk of the outbox is nearly full: {free} MiB free, less than {least}"
    if health.stamp.clock != Clock.SYNCHRONISED.value and health.running_s > CLOCK_PATIENCE_S:
        yield "clock", "nothing keeps the clock right (no NTP): records are dated by the cloud afterwards"
    days = health.certificate_days_left
    if days is not None and days < CERTIFICATE_DAYS:
        left = f"ends in {days:.0f} days" if days >= 0 else f"ended {-days:.0f} days ago"
        yield "certificate", f"the gateway's certificate {left} and has not been renewed"
