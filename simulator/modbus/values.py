"""Which value stands in which row of the register map, for one unit at one instant."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TypeVar

import msgspec

from drivers.smartups import bits
from drivers.smartups.registers import Register
from drivers.ups import GroupDelays, Identity, OutletGroup, Settings, Snapshot, TestResult
from simulator.modbus.encode import Value

T = TypeVar("T")


class Truth(msgspec.Struct, frozen=True):
    """Everything the registers are made of."""

    snapshot: Snapshot
    identity: Identity
    settings: Settings

    def has_group(self, index: int) -> bool:
        return any(index == group for group, _ in self.identity.outlet_groups)


def value_of(row: Register, truth: Truth) -> Value | None:
    """What the row holds: number, bits as an integer, date or text; None if this unit has no such value."""
    if row.group is not None and not truth.has_group(row.group):
        return None
    if row.name == "group_name":
        return dict(truth.identity.outlet_groups)[row.group or 0]
    if row.name in bits.FLAG_BITS:
        return _flags(row.name, truth.snapshot)
    if row.name in _SPECIAL:
        return _SPECIAL[row.name](truth)
    if row.name in _GROUP_STATUS:
        group = _group(truth, row.group)
        return None if group is None else _GROUP_STATUS[row.name](group)
    return _plain(row, truth)


def _plain(row: Register, truth: Truth) -> Value | None:
    """A row that bears the name of the field it shows."""
    if row.name in GroupDelays.__struct_fields__:
        sources: tuple[msgspec.Struct, ...] = tuple(d for d in truth.settings.delays if d.index == row.group)
    else:
        sources = (truth.snapshot, truth.identity, truth.settings)
    for source in sources:
        if row.name in source.__struct_fields__:
            value: Value | None = getattr(source, row.name)
            return value
    return None


def _bit(table: Mapping[int, T], meaning: T) -> int | None:
    """The mask of the bit that has this meaning; None if no bit has."""
    return next((1 << bit for bit, known in table.items() if known == meaning), None)


def _mask(table: Mapping[int, T], meanings: Iterable[T]) -> int:
    wanted = set(meanings)
    return sum(1 << bit for bit, known in table.items() if known in wanted)


def _flags(name: str, snapshot: Snapshot) -> int:
    mask = _mask(bits.FLAG_BITS[name], snapshot.flags)
    if name == "ups_status" and snapshot.state is not None:
        mask |= _mask(bits.STATES, {snapshot.state})
    return mask


def _cause(truth: Truth) -> int:
    cause = truth.snapshot.cause
    return 0 if cause is None else bits.CAUSES.index(cause)


def _test(result: TestResult | None) -> int:
    if result is None:
        return 0
    mask = _mask(bits.TEST_STATUS_BITS, {result.status}) | _mask(bits.TEST_REASON_BITS, result.reasons)
    return mask if result.source is None else mask | _mask(bits.TEST_SOURCE_BITS, {result.source})


def _efficiency(truth: Truth) -> float | None:
    """Percent, or a reason's number as it stands in the register: reasons are not scaled (7.14)."""
    if truth.snapshot.efficiency_pct is not None:
        return truth.snapshot.efficiency_pct
    reasons = {reason: number for number, reason in bits.EFFICIENCY_REASONS.items()}
    number = reasons.get(truth.snapshot.efficiency_reason or "")
    return None if number is None else number / 128


def _outlet_status(group: OutletGroup) -> int:
    """Bits 0 to 4 only: two documents disagree on the rest (7.3)."""
    state = {None: 0, True: 1 << bits.OUTLET_ON, False: 1 << bits.OUTLET_OFF}[group.on]
    return (
        state
        | group.rebooting << bits.OUTLET_REBOOT
        | group.shutting_down << bits.OUTLET_SHUTDOWN
        | group.sleeping << bits.OUTLET_SLEEP
    )


def _group(truth: Truth, index: int | None) -> OutletGroup | None:
    groups = (truth.snapshot.main_outlet, *truth.snapshot.switched_outlets)
    return next((group for group in groups if group is not None and group.index == index), None)


def _countdown(seconds: int | None) -> int:
    return -1 if seconds is None else seconds


_GROUP_STATUS: Mapping[str, Callable[[OutletGroup], int]] = MappingProxyType(
    {
        "outlet_status": _outlet_status,
        "turn_off_countdown_s": lambda group: _countdown(group.turn_off_s),
        "turn_on_countdown_s": lambda group: _countdown(group.turn_on_s),
        "stay_off_countdown_s": lambda group: _countdown(group.stay_off_s),
    }
)


def _setting(table: Mapping[int, str], meaning: str | None) -> int | None:
    return None if meaning is None else _bit(table, meaning)


def _nominal(truth: Truth) -> int | None:
    volts = truth.identity.nominal_output_v
    return None if volts is None else _bit(bits.NOMINAL_VOLTAGES, volts)


_SPECIAL: Mapping[str, Callable[[Truth], Value | None]] = MappingProxyType(
    {
        "change_cause": _cause,
        "battery_test_status": lambda truth: _test(truth.snapshot.self_test),
        "calibration_status": lambda truth: _test(truth.snapshot.calibration),
        "efficiency_pct": _efficiency,
        "relay_config": lambda truth: _mask(
            bits.RELAY_CONFIG_GROUPS, (index for index, _ in truth.identity.outlet_groups)
        ),
        "output_voltage_setting": _nominal,
        "output_voltage_setting_long": _nominal,
        "output_frequency_setting": lambda truth: _setting(bits.OUTPUT_FREQUENCIES, truth.settings.output_frequency),
        "battery_test_interval": lambda truth: _setting(bits.TEST_INTERVALS, truth.settings.battery_test_interval),
        "sensitivity": lambda truth: _setting(bits.SENSITIVITIES, truth.settings.sensitivity),
    }
)
