"""Register words to the words of drivers.ups. Nothing that a unit can say makes these fail: what can't be
read is None.

`Image` is what was read so far, address to word. Rules of representation: apc-modbus.md section 4.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta

from drivers.smartups import bits
from drivers.smartups.registers import DYNAMIC, Absent, Kind, Register, register, rows_in
from drivers.ups import (
    READINGS,
    Calibration,
    Flag,
    GroupDelays,
    Identity,
    OutletGroup,
    Settings,
    Snapshot,
    State,
    TestResult,
    TestStatus,
    clean_text,
)

Image = Mapping[int, int]

EPOCH = date(2000, 1, 1)
ONES = 0xFFFF
GROUPS = range(5)

ZERO_ON_A_CARD = frozenset(
    {
        "battery_negative_v",
        "load_2_pct",
        "apparent_load_2_pct",
        "output_2_a",
        "output_2_v",
        "bypass_v",
        "bypass_hz",
        "input_2_v",
        "input_3_v",
        "turn_off_countdown_s",
        "turn_on_countdown_s",
        "stay_off_countdown_s",
    }
)
"""Rows whose 0 is "not there" when a management card says it (apc-modbus.md 5.3; NUT#139). Not input_v: 0 V
is an outage.
"""

_READING_NAMES = {reading.name for reading in READINGS} - {"efficiency_pct"}
_NUMBERS: tuple[Register, ...] = tuple(row for row in rows_in(DYNAMIC) if row.name in _READING_NAMES)
_FLAG_ROWS = tuple((register(name), tuple(table.items())) for name, table in bits.FLAG_BITS.items())


def raw(row: Register, image: Image) -> int | None:
    """The words of a row as one unsigned number, most significant word first; None if not read or marked
    absent.
    """
    number = 0
    for address in range(row.address, row.end):
        word = image.get(address)
        if word is None:
            return None
        number = number << 16 | word
    all_ones = number == (1 << 16 * row.words) - 1
    if all_ones and (row.absent is Absent.ONES or row.kind is not Kind.SIGNED):
        return None
    return number


def signed(row: Register, number: int) -> int:
    width = 16 * row.words
    return number - (1 << width) if number >> (width - 1) else number


def number(row: Register, image: Image, *, nmc: bool = False) -> int | float | None:
    """A scaled reading; whole where the row has no divisor."""
    found = raw(row, image)
    if found is None or (nmc and found == 0 and row.name in ZERO_ON_A_CARD):
        return None
    value = found if row.kind is Kind.UNSIGNED else signed(row, found)
    return value if row.divisor == 1 else value / row.divisor


def seconds(row: Register, image: Image, *, nmc: bool = False) -> int | None:
    """A countdown or delay; None where it is idle (negative) or not reported."""
    found = number(row, image, nmc=nmc)
    return int(found) if found is not None and found >= 0 else None


def day(row: Register, image: Image) -> date | None:
    found = raw(row, image)
    return None if found is None else EPOCH + timedelta(days=found)


def text(row: Register, image: Image) -> str | None:
    """Two characters a register; padding by NUL, blank or 0xFF; None if nothing printable is left (S6)."""
    if any(address not in image for address in range(row.address, row.end)):
        return None
    octets = b"".join(image[address].to_bytes(2, "big") for address in range(row.address, row.end))
    return clean_text(octets.strip(b"\0\xff").decode("ascii", "replace").replace("\ufffd", "")) or None


def _set_bits(found: int) -> Iterator[int]:
    return (bit for bit in range(found.bit_length()) if found >> bit & 1)


def state(image: Image) -> State | None:
    """None unless exactly one of the four bits is set."""
    found = raw(register("ups_status"), image) or 0
    states = [bits.STATES[bit] for bit in _set_bits(found) if bit in bits.STATES]
    return states[0] if len(states) == 1 else None


def flags(image: Image) -> frozenset[Flag]:
    found: list[Flag] = []
    for row, table in _FLAG_ROWS:
        if value := raw(row, image):
            found.extend(flag for bit, flag in table if value >> bit & 1)
    return frozenset(found)


def last_test(image: Image, name: str = "battery_test_status") -> TestResult | None:
    """Register 23, or with `calibration_status` 24; None if not reported or contradictory."""
    found = raw(register(name), image)
    if found is None:
        return None
    on = tuple(_set_bits(found))
    statuses = [bits.TEST_STATUS_BITS[bit] for bit in on if bit in bits.TEST_STATUS_BITS]
    sources = [bits.TEST_SOURCE_BITS[bit] for bit in on if bit in bits.TEST_SOURCE_BITS]
    if len(statuses) > 1:
        return None
    kind = TestResult if name == "battery_test_status" else Calibration
    return kind(
        status=statuses[0] if statuses else TestStatus.NONE,
        source=sources[0] if len(sources) == 1 else None,
        reasons=tuple(bits.TEST_REASON_BITS[bit] for bit in on if bit in bits.TEST_REASON_BITS),
    )


def outlet_group(index: int, image: Image, *, nmc: bool = False) -> OutletGroup:
    found = raw(register("outlet_status", index), image) or 0
    on, off = found >> bits.OUTLET_ON & 1, found >> bits.OUTLET_OFF & 1
    return OutletGroup(
        index=index,
        on=bool(on) if on != off else None,
        rebooting=bool(found >> bits.OUTLET_REBOOT & 1),
        shutting_down=bool(found >> bits.OUTLET_SHUTDOWN & 1),
        sleeping=bool(found >> bits.OUTLET_SLEEP & 1),
        turn_off_s=seconds(register("turn_off_countdown_s", index), image, nmc=nmc),
        turn_on_s=seconds(register("turn_on_countdown_s", index), image, nmc=nmc),
        stay_off_s=seconds(register("stay_off_countdown_s", index), image, nmc=nmc),
    )


def group_indices(image: Image) -> tuple[int, ...]:
    """The outlet groups a unit has: by register 590; where that is 0, those whose status is not
    (apc-modbus.md 7.13).
    """
    config = raw(register("relay_config"), image) or 0
    if config:
        return tuple(index for bit, index in bits.RELAY_CONFIG_GROUPS.items() if config >> bit & 1)
    return tuple(index for index in GROUPS if raw(register("outlet_status", index), image))


def snapshot(
    image: Image, *, at: datetime, full_at: datetime | None, answer_ms: float | None, nmc: bool = False
) -> Snapshot:
    """Everything that the image says about now."""
    cause = raw(register("change_cause"), image)
    efficiency = raw(register("efficiency_pct"), image)
    efficiency = None if efficiency is None else signed(register("efficiency_pct"), efficiency)
    groups = [outlet_group(index, image, nmc=nmc) for index in group_indices(image)]
    return Snapshot(
        at=at,
        full_at=full_at,
        state=state(image),
        cause=bits.CAUSES[cause] if cause is not None and cause < len(bits.CAUSES) else None,
        flags=flags(image),
        self_test=last_test(image),
        calibration=_calibration(image),
        efficiency_pct=efficiency / 128 if efficiency is not None and efficiency >= 0 else None,
        efficiency_reason=_efficiency_reason(image, efficiency),
        replace_battery_on=day(register("replace_battery_on"), image),
        answer_ms=answer_ms,
        main_outlet=next((group for group in groups if group.index == 0), None),
        switched_outlets=tuple(group for group in groups if group.index > 0),
        **{row.name: number(row, image, nmc=nmc) for row in _NUMBERS},  # type: ignore[arg-type]  # named by READINGS
    )


def _calibration(image: Image) -> Calibration | None:
    found = last_test(image, "calibration_status")
    return found if isinstance(found, Calibration) else None


def _efficiency_reason(image: Image, efficiency: int | None) -> str | None:
    """-1 is also what an absent register says; only a unit that is there says "not available"."""
    if efficiency is None:
        return bits.EFFICIENCY_REASONS[-1] if image.get(register("efficiency_pct").address) == ONES else None
    return bits.EFFICIENCY_REASONS.get(efficiency)


def identity(image: Image) -> Identity:
    voltage = raw(register("output_voltage_setting"), image) or 0
    volts = [value for bit, value in bits.NOMINAL_VOLTAGES.items() if voltage >> bit & 1]
    return Identity(
        serial=text(register("serial"), image),
        model=text(register("model"), image),
        sku=text(register("sku"), image),
        firmware=text(register("firmware"), image),
        product_id=raw(register("product_id"), image) or None,
        name=text(register("name"), image),
        manufactured_on=day(register("manufactured_on"), image),
        battery_sku=text(register("battery_sku"), image),
        external_battery_sku=text(register("external_battery_sku"), image),
        battery_installed_on=day(register("battery_installed_on"), image),
        apparent_power_va=raw(register("apparent_power_va"), image),
        real_power_w=raw(register("real_power_w"), image),
        nominal_output_v=volts[0] if len(volts) == 1 else None,
        outlet_groups=tuple((index, _group_name(index, image)) for index in group_indices(image)),
        reported_flags=frozenset(flag for _, table in _FLAG_ROWS for _, flag in table),
    )


def _group_name(index: int, image: Image) -> str:
    return (text(register("group_name", index), image) if index < 4 else None) or ""


def settings(image: Image) -> Settings:
    return Settings(
        transfer_high_v=raw(register("transfer_high_v"), image),
        transfer_low_v=raw(register("transfer_low_v"), image),
        sensitivity=_chosen(register("sensitivity"), bits.SENSITIVITIES, image),
        battery_test_interval=_chosen(register("battery_test_interval"), bits.TEST_INTERVALS, image),
        output_frequency=_chosen(register("output_frequency_setting"), bits.OUTPUT_FREQUENCIES, image),
        delays=tuple(_delays(index, image) for index in group_indices(image)),
    )


def _chosen(row: Register, names: Mapping[int, str], image: Image) -> str | None:
    found = [names[bit] for bit in _set_bits(raw(row, image) or 0) if bit in names]
    return found[0] if len(found) == 1 else None


def _delays(index: int, image: Image) -> GroupDelays:
    least = register("minimum_return_runtime_s", index) if index < 4 else None
    return GroupDelays(
        index=index,
        turn_off_s=seconds(register("turn_off_s", index), image),
        turn_on_s=seconds(register("turn_on_s", index), image),
        stay_off_s=seconds(register("stay_off_s", index), image),
        minimum_return_runtime_s=seconds(least, image) if least else None,
    )
