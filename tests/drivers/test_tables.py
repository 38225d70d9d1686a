"""The fact tables: registers, bits, event types."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from drivers.smartups import bits
from drivers.smartups.registers import (
    DYNAMIC,
    INVENTORY,
    REGISTERS,
    SETTINGS,
    STATUS,
    VERIFICATION,
    VERIFICATION_WORDS,
    Block,
    Kind,
    register,
    rows_in,
)
from drivers.ups import CATALOGUE, READINGS, Flag, Severity, Snapshot
from tests.conftest import lacking


def test_rows_do_not_overlap_and_stand_in_order() -> None:
    for row, following in pairwise(REGISTERS):
        assert row.end <= following.address, (row.name, following.name)


def test_every_row_names_its_source() -> None:
    assert all(row.source.strip() for row in REGISTERS)


def test_a_name_and_group_is_one_row() -> None:
    assert max(Counter((row.name, row.group) for row in REGISTERS).values()) == 1


# Typed from apc-modbus.md section 6: name, group, address, words, divisor.
GOLDEN = [
    ("ups_status", None, 0, 2, 1),
    ("change_cause", None, 2, 1, 1),
    ("outlet_status", 0, 3, 2, 1),
    ("outlet_status", 3, 12, 2, 1),
    ("simple_signaling", None, 18, 1, 1),
    ("power_system_error", None, 20, 2, 1),
    ("battery_system_error", None, 22, 1, 1),
    ("battery_test_status", None, 23, 1, 1),
    ("calibration_status", None, 24, 1, 1),
    ("runtime_s", None, 128, 2, 1),
    ("charge_pct", None, 130, 1, 512),
    ("battery_v", None, 131, 1, 32),
    ("replace_battery_on", None, 133, 1, 1),
    ("battery_temp_c", None, 135, 1, 128),
    ("load_pct", None, 136, 1, 256),
    ("apparent_load_pct", None, 138, 1, 256),
    ("output_a", None, 140, 1, 32),
    ("output_v", None, 142, 1, 64),
    ("output_hz", None, 144, 1, 128),
    ("energy_wh", None, 145, 2, 1),
    ("input_status", None, 150, 1, 1),
    ("input_v", None, 151, 1, 64),
    ("efficiency_pct", None, 154, 1, 128),
    ("turn_off_countdown_s", 0, 155, 1, 1),
    ("stay_off_countdown_s", 0, 157, 2, 1),
    ("turn_off_countdown_s", 1, 159, 1, 1),
    ("turn_off_countdown_s", 3, 167, 1, 1),
    ("firmware", None, 516, 8, 1),
    ("model", None, 532, 16, 1),
    ("sku", None, 548, 16, 1),
    ("serial", None, 564, 8, 1),
    ("apparent_power_va", None, 588, 1, 1),
    ("relay_config", None, 590, 1, 1),
    ("output_voltage_setting", None, 592, 1, 1),
    ("battery_installed_on", None, 595, 1, 1),
    ("name", None, 596, 8, 1),
    ("group_name", 0, 604, 8, 1),
    ("group_name", 3, 628, 8, 1),
    ("battery_test_interval", None, 1024, 1, 1),
    ("transfer_high_v", None, 1026, 1, 1),
    ("transfer_low_v", None, 1027, 1, 1),
    ("sensitivity", None, 1028, 1, 1),
    ("turn_off_s", 0, 1029, 1, 1),
    ("stay_off_s", 0, 1031, 2, 1),
    ("turn_off_s", 1, 1034, 1, 1),
    ("turn_off_s", 2, 1039, 1, 1),
    ("turn_off_s", 3, 1044, 1, 1),
    ("minimum_return_runtime_s", 3, 1048, 1, 1),
    ("ups_command", None, 1536, 2, 1),
    ("outlet_command", None, 1538, 2, 1),
    ("simple_signaling_command", None, 1540, 1, 1),
    ("battery_test_command", None, 1541, 1, 1),
    ("calibration_command", None, 1542, 1, 1),
    ("user_interface_command", None, 1543, 1, 1),
]


@pytest.mark.parametrize("golden", GOLDEN, ids=[f"{g[0]}-{g[2]}" for g in GOLDEN])
def test_the_map_has_the_addresses_of_the_reference(golden: tuple[str, int | None, int, int, int]) -> None:
    name, group, address, words, divisor = golden
    row = register(name, group)
    assert (row.address, row.words, row.divisor) == (address, words, divisor)


@pytest.mark.parametrize("block", [STATUS, DYNAMIC, INVENTORY, VERIFICATION], ids=str)
def test_no_polled_block_cuts_a_row(block: Block) -> None:
    inside = rows_in(block)
    touched = [row for row in REGISTERS if row.address < block.end and row.end > block.address]
    assert list(inside) == touched


def test_nuts_settings_block_ends_where_a_row_does() -> None:
    """1026/22 ends at 1047; group 3's stay-off is 1046 and 1047."""
    assert SETTINGS.end == register("stay_off_s", 3).end


def test_the_verification_words_lie_in_their_rows() -> None:
    rows = {row.address: row for row in REGISTERS}
    assert all(len(words) == rows[address].words for address, words in VERIFICATION_WORDS.items())


def test_every_bit_table_fits_its_register_and_names_each_flag_once() -> None:
    named = Counter(flag for table in bits.FLAG_BITS.values() for flag in table.values())
    assert set(named) == set(Flag)
    assert max(named.values()) == 1
    for name, table in bits.FLAG_BITS.items():
        assert register(name).kind is Kind.BITS
        assert max(table) < 16 * register(name).words


def test_causes_are_numbered_0_to_30() -> None:
    assert len(bits.CAUSES) == 31
    assert (bits.CAUSES[2], bits.CAUSES[8], bits.CAUSES[30]) == (
        "low_input_voltage",
        "acceptable_input",
        "failure_bypass_expired",
    )


def test_every_number_of_a_snapshot_is_a_reading() -> None:
    fields = set(Snapshot.__struct_fields__)
    assert {reading.name for reading in READINGS} <= fields
    others = "at full_at state cause flags self_test calibration efficiency_reason replace_battery_on"
    assert fields - {r.name for r in READINGS} == {*others.split(), "main_outlet", "switched_outlets"}


def test_the_catalogue_has_45_types_or_more_each_saying_what_to_do() -> None:
    assert len(CATALOGUE) >= 45
    for name, kind in CATALOGUE.items():
        assert name == kind.name
        assert name == name.lower()
        assert name.replace("_", "").isalnum()
        assert kind.meaning
        assert kind.do_this
        assert kind.clears is None or kind.clears in CATALOGUE


# Safety rule S20, word by word.
CRITICAL = """low_battery overload battery_disconnected battery_over_temperature output_off bypass emergency_power_off
output_short_circuit inverter_fault"""
WARNING = """on_battery replace_battery self_test_failed self_test_refused charger_fault fan_fault avr_relay_fault
site_wiring_fault communication_lost"""


@pytest.mark.parametrize("name", CRITICAL.split())
def test_s20_what_drops_the_load_is_critical(name: str) -> None:
    assert CATALOGUE[name].severity is Severity.CRITICAL


@pytest.mark.parametrize("name", WARNING.split())
def test_s20_what_needs_a_person_soon_is_a_warning(name: str) -> None:
    assert CATALOGUE[name].severity is Severity.WARNING


def test_s20_efficiency_mode_and_panel_bits_are_no_events() -> None:
    assert not {Flag.HIGH_EFFICIENCY, Flag.ALARM_SOUNDING, Flag.ALARM_MUTED, Flag.BUTTON_PRESSED} & set(CATALOGUE)


CAPTURE = Path(__file__).parents[3] / "shared/captures/smtl1500rm3uc-ups15.5-modbus.txt"


def test_the_capture_of_a_real_unit_fits_the_table() -> None:
    if not CAPTURE.exists():
        lacking(f"{CAPTURE} is not there: the captures lie beside the checkout, not in it")
    lines = [line.split() for line in CAPTURE.read_text().splitlines() if line and not line.startswith("#")]
    image = {int(address): int(word) for address, word in lines}
    known = {at for row in REGISTERS for at in range(row.address, row.end)}
    gaps = {at: image[at] for at in image if at not in known}
    assert set(gaps.values()) <= {0, 0xFFFF}
