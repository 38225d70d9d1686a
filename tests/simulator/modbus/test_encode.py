from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.smartups.registers import REGISTERS, Absent, Kind, Register, register
from simulator.modbus.encode import encode, scale, words_of


def test_the_example_of_the_application_note_rounds_half_up_on_its_magnitude() -> None:
    assert words_of(scale(-56.8, 32), 1) == (0xF8E6,)


@pytest.mark.parametrize(
    ("value", "raw"), [(0.5, 1), (-0.5, -1), (1.49, 1), (-1.49, -1), (2.5, 3), (-2.5, -3), (0.0, 0)]
)
def test_halves_go_away_from_zero(value: float, raw: int) -> None:
    assert scale(value, 1) == raw


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("charge_pct", 100.0, (51200,)),
        ("battery_v", 26.72, (855,)),
        ("battery_v", 54.38, (0x06CC,)),
        ("battery_temp_c", 22.23, (2845,)),
        ("battery_temp_c", -10.0, (0xFB00,)),
        ("load_pct", 79.05, (20237,)),
        ("output_a", 9.5, (304,)),
        ("input_v", 116.41, (7450,)),
        ("output_hz", 60.0, (7680,)),
        ("energy_wh", 3305311, (0x0032, 0x6F5F)),
        ("runtime_s", 86400, (1, 0x5180)),
        ("runtime_s", 376, (0, 376)),
        ("efficiency_pct", 98.21, (12571,)),
        ("replace_battery_on", date(2029, 10, 28), (10893,)),
        ("replace_battery_on", date(2000, 1, 1), (0,)),
        ("test_4b_2", -5, (0xFFFF, 0xFFFB)),
        ("test_bp_2", -128.5, (0xDFE0,)),
        ("test_bp_1", 128.5, (0x2020,)),
    ],
)
def test_a_value_becomes_the_words_seen_on_real_units(name: str, value: float | date, words: tuple[int, ...]) -> None:
    assert encode(register(name), value) == words


@pytest.mark.parametrize(
    ("name", "text", "data"),
    [
        ("firmware", "UPS 15.5", b"UPS 15.5" + bytes(8)),
        ("model", "Smart-UPS 1500", b"Smart-UPS 1500" + b" " * 18),
        ("sku", "SMTL1500RM3UC", b"SMTL1500RM3UC   " + bytes(16)),
        ("sku", "SMX3000RMHV2UNC-XL", b"SMX3000RMHV2UNC-XL" + bytes(14)),
        ("serial", "AS0000000000", b"AS0000000000    "),
        ("battery_sku", "APCRBC164-LI", b"APCRBC164-LI    "),
        ("name", "a name that is far too long", b"a name that is f"),
        ("name", "caf\u00e9", b"caf?            "),
    ],
)
def test_a_text_is_padded_as_that_field_of_a_real_unit_is(name: str, text: str, data: bytes) -> None:
    assert b"".join(word.to_bytes(2, "big") for word in encode(register(name), text)) == data


def test_a_number_too_large_stays_at_the_limit_and_never_reads_as_absent() -> None:
    assert encode(register("input_v"), 1e9) == (0xFFFE,)
    assert encode(register("load_pct"), 1e9) == (0xFFFF,)
    assert encode(register("load_pct"), -3.0) == (0,)
    assert encode(register("battery_v"), 1e9) == (0x7FFF,)
    assert encode(register("battery_v"), -1e9) == (0x8000,)


NUMBERS = [r for r in REGISTERS if r.kind in (Kind.UNSIGNED, Kind.SIGNED) and r.absent is Absent.NEVER]


@given(st.sampled_from(NUMBERS), st.floats(-1e7, 1e7, allow_nan=False))
def test_any_number_fits_its_row_and_is_right_to_half_a_step_unless_held_at_a_limit(
    row: Register, value: float
) -> None:
    words = encode(row, value)
    assert len(words) == row.words
    raw = int.from_bytes(b"".join(word.to_bytes(2, "big") for word in words), "big", signed=row.kind is Kind.SIGNED)
    bits = 16 * row.words
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if row.kind is Kind.SIGNED else (0, (1 << bits) - 1)
    assert raw in (low, high) or abs(raw - value * row.divisor) <= 0.5
