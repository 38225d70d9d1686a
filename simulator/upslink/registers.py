"""Status byte and registers of a UPS-Link unit (ups-link.md section 8)."""

from __future__ import annotations

from collections.abc import Iterator

from drivers.ups import Calibration, Cause, Flag, Settings, Snapshot, State, TestStatus

ABNORMAL = 0b1110_0110
"""Bits of register 3 whose change is an alert (8.4)."""


def status(snapshot: Snapshot, settings: Settings) -> int:
    """The answer to `Q`. With the output off neither bit 3 nor bit 4 is set (our inference, section 21)."""
    flags = snapshot.flags
    return _mask(
        (0, _running(snapshot.calibration)),
        (1, Flag.AVR_TRIM in flags),
        (2, Flag.AVR_BOOST in flags),
        (3, snapshot.state is State.ONLINE),
        (4, snapshot.state is State.ON_BATTERY),
        (5, Flag.OUTPUT_OVERLOAD in flags),
        (6, is_low(snapshot, settings)),
        (7, Flag.REPLACE_BATTERY in flags),
    )


def is_low(snapshot: Snapshot, settings: Settings) -> bool:
    """Battery low: the runtime has come down to the warning; a shutdown that was ordered is no such thing."""
    runtime_s, warning_s = snapshot.runtime_s, settings.low_battery_runtime_s
    if snapshot.state is not State.ON_BATTERY or runtime_s is None or warning_s is None:
        return False
    return Flag.SHUTDOWN_IMMINENT in snapshot.flags and runtime_s <= warning_s


def register_1(snapshot: Snapshot) -> int:
    """`~`: only bits 6 and 7 on a Smart-UPS."""
    off, mains = snapshot.state is State.OFF, Flag.INPUT_ACCEPTABLE in snapshot.flags
    returns = any(_returning(snapshot))
    return _mask((6, off and mains and not returns), (7, off and returns))


def register_2(snapshot: Snapshot) -> int:
    """`'`: bits 4 to 6 on a Smart-UPS."""
    flags = snapshot.flags
    return _mask(
        (4, Flag.TRANSFORMER_DC_IMBALANCE in flags),
        (5, Flag.BATTERY_DISCONNECTED in flags),
        (6, Flag.AVR_RELAY in flags),
    )


def register_3(snapshot: Snapshot) -> int:
    flags, off = snapshot.flags, snapshot.state is State.OFF
    outlet = snapshot.main_outlet
    return _mask(
        (0, off and snapshot.cause is Cause.LOW_BATTERY_VOLTAGE),
        (1, Flag.OUTPUT_OVERLOAD in flags and Flag.FAULT_STATE in flags),
        (2, bool(flags & {Flag.BACKFEED_RELAY, Flag.OUTPUT_RELAY})),
        (3, off and outlet is not None and (outlet.rebooting or outlet.sleeping)),
        (4, outlet is not None and outlet.shutting_down and snapshot.cause is not Cause.LOW_BATTERY_VOLTAGE),
        (5, Flag.CHARGER in flags),
        (6, Flag.BYPASS_RELAY in flags),
        (7, bool(flags & {Flag.OVERTEMPERATURE, Flag.BATTERY_OVERTEMPERATURE})),
    )


def _returning(snapshot: Snapshot) -> Iterator[bool]:
    outlet = snapshot.main_outlet
    if outlet is not None:
        yield from (outlet.rebooting, outlet.sleeping, outlet.shutting_down)


def _running(calibration: Calibration | None) -> bool:
    return calibration is not None and calibration.status is TestStatus.IN_PROGRESS


def _mask(*bits: tuple[int, bool]) -> int:
    return sum(1 << bit for bit, is_set in bits if is_set)
