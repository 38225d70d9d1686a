"""Words to readings, by the literal images of apc-modbus.md 13.2 to 13.4."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus import decode
from drivers.smartups.registers import REGISTERS, register
from drivers.ups import Cause, Flag, Identity, OutletGroup, Settings, Snapshot, State, TestSource, TestStatus
from tests.conftest import lacking
from tests.drivers.memory import EPOCH, chars, smtl_image


def snapshot(image: dict[int, int], *, nmc: bool = False) -> Snapshot:
    return decode.snapshot(image, at=EPOCH, full_at=None, answer_ms=None, nmc=nmc)


def hexwords(address: int, text: str) -> dict[int, int]:
    return dict(enumerate((int(word, 16) for word in text.split()), address))


def test_the_golden_image_of_an_smtl_reads_as_nut_read_it() -> None:
    found = snapshot(smtl_image())
    assert found.state is State.ONLINE
    assert found.cause is Cause.ACCEPTABLE_INPUT
    assert found.flags == {Flag.HIGH_EFFICIENCY, Flag.BATTERY_LIFE_OK, Flag.INPUT_ACCEPTABLE}
    assert found.charge_pct == 100.0
    assert found.runtime_s == 376
    assert found.battery_v == pytest.approx(26.72, abs=0.005)
    assert found.battery_temp_c == pytest.approx(22.23, abs=0.005)
    assert found.load_pct == pytest.approx(79.05, abs=0.005)
    assert found.output_a == 9.5
    assert found.input_v == found.output_v == pytest.approx(116.41, abs=0.005)
    assert found.output_hz == 60.0
    assert found.efficiency_pct == pytest.approx(98.2, abs=0.05)
    assert found.replace_battery_on == date(2029, 10, 28)


def test_what_the_smtl_lacks_is_none_and_not_zero() -> None:
    found = snapshot(smtl_image())
    for name in (
        "battery_negative_v",
        "load_2_pct",
        "output_2_v",
        "bypass_v",
        "bypass_hz",
        "input_2_v",
        "input_3_v",
    ):
        assert getattr(found, name) is None, name
    assert found.main_outlet is not None
    assert (found.main_outlet.on, found.main_outlet.turn_off_s, found.main_outlet.stay_off_s) == (
        True,
        None,
        None,
    )
    assert [group.index for group in found.switched_outlets] == [1]


def test_the_golden_identity_of_an_smtl() -> None:
    found = decode.identity(smtl_image())
    assert found.model == "Smart-UPS 1500"
    assert found.sku == "SMTL1500RM3UC"
    assert found.firmware == "UPS 15.5"
    assert found.battery_sku == "APCRBC164-LI"
    assert found.external_battery_sku is None
    assert (found.apparent_power_va, found.real_power_w, found.nominal_output_v) == (1440, 1350, 120)
    assert found.manufactured_on == date(2018, 7, 29)
    assert found.battery_installed_on == date(2018, 10, 17)
    assert found.outlet_groups == ((0, "Unswitched Group"), (1, "Outlet Group 1"))
    assert found.reported_flags == frozenset(Flag)


def test_the_golden_settings_of_an_smtl() -> None:
    found = decode.settings(smtl_image())
    assert (found.transfer_high_v, found.transfer_low_v, found.sensitivity) == (127, 106, "normal")
    main, switched = found.delays
    assert (main.turn_off_s, main.turn_on_s, main.stay_off_s, main.minimum_return_runtime_s) == (0, 0, 8, 0)
    assert (switched.turn_off_s, switched.stay_off_s) == (90, 8)


def test_the_golden_settings_of_a_230_v_smx() -> None:
    image = dict(enumerate([268, 212, 2, 180, 0, 0, 8], 1026)) | {590: 1}
    found = decode.settings(image)
    assert (found.transfer_high_v, found.transfer_low_v, found.sensitivity) == (268, 212, "reduced")
    assert (found.delays[0].turn_off_s, found.delays[0].turn_on_s, found.delays[0].stay_off_s) == (180, 0, 8)
    assert found.delays[0].minimum_return_runtime_s is None


NMC_DYNAMIC = (
    "0000 42FC C800 06CC 0000 280E 0001 0F60 0E4A 0000 0C36 0000 002D 0000 1E86 0000 1E03 0032 6F5F 0000 "
    "0000 0000 0001 1E86"
)


def nmc_image() -> dict[int, int]:
    status = hexwords(0, "0000 2002 0008 0000 0000 0000 0000 0001 0000 0000 0001 0000 0000 0001 0000")
    rest = dict.fromkeys(range(15, 27), 0) | {23: 0x44, 24: 0x48, 25: 1}
    countdowns = dict.fromkeys(range(152, 172), 0) | {154: 0x2DA0}
    return status | rest | hexwords(128, NMC_DYNAMIC) | countdowns


def test_the_golden_trace_of_a_unit_without_a_main_group() -> None:
    found = snapshot(nmc_image(), nmc=True)
    assert found.runtime_s == 17148
    assert found.battery_v == 54.375
    assert found.battery_temp_c == 30.75
    assert found.load_pct == pytest.approx(14.29, abs=0.005)
    assert found.apparent_load_pct == pytest.approx(12.21, abs=0.005)
    assert found.output_a == pytest.approx(1.41, abs=0.005)
    assert found.output_v == found.input_v == pytest.approx(122.09, abs=0.005)
    assert found.output_hz == pytest.approx(60.02, abs=0.005)
    assert found.energy_wh == 3305311
    assert found.efficiency_pct == 91.25
    assert found.self_test is not None
    assert (found.self_test.status, found.self_test.source) == (TestStatus.PASSED, TestSource.PROTOCOL)
    assert found.calibration is not None
    assert found.calibration.status is TestStatus.FAILED
    assert found.main_outlet is None
    assert [group.index for group in found.switched_outlets] == [1, 2, 3]


def test_zeros_of_a_card_are_absent_values_but_0_v_at_the_input_is_an_outage() -> None:
    image = nmc_image() | {151: 0}
    card, unit = snapshot(image, nmc=True), snapshot(image)
    assert (card.bypass_v, card.output_2_v, card.battery_negative_v) == (None, None, None)
    assert card.switched_outlets[0].turn_off_s is None
    assert (unit.bypass_v, unit.switched_outlets[0].turn_off_s) == (0.0, 0)
    assert card.input_v == unit.input_v == 0.0


def test_an_input_voltage_of_ones_is_not_reported() -> None:
    assert snapshot(smtl_image() | {151: 0xFFFF}).input_v is None


# Live values of 7.1.
@given(image=st.dictionaries(st.integers(0, 2100), st.integers(0, 0xFFFF), max_size=400), nmc=st.booleans())
def test_s21_what_the_register_map_does_not_have_stays_unknown_whatever_is_read(
    image: dict[int, int], nmc: bool
) -> None:
    found = snapshot(image, nmc=nmc)
    for name in ("input_hz", "input_max_v", "input_min_v", "ambient_temp_c", "ambient_humidity_pct"):
        assert getattr(found, name) is None, name
    who = decode.identity(image)
    assert (who.battery_nominal_v, who.battery_packs, who.bad_battery_packs) == (None, None, None)


def test_s21_the_vocabulary_has_no_word_for_what_no_unit_says() -> None:
    words = {*Snapshot.__struct_fields__, *Identity.__struct_fields__, *OutletGroup.__struct_fields__, *map(str, Flag)}
    invented = {"charging", "input_w", "input_power_w", "ip", "ip_address", "mac", "mac_address", "warranty_until"}
    assert words & invented == set()
    assert not [word for word in OutletGroup.__struct_fields__ if word.endswith(("_w", "_v", "_a", "_pct"))]


@pytest.mark.parametrize(
    ("word", "state", "flags"),
    [
        (0x2002, State.ONLINE, {Flag.HIGH_EFFICIENCY}),
        (0x0244, State.ON_BATTERY, {Flag.INPUT_NOT_ACCEPTABLE, Flag.PENDING_OUTPUT_OFF}),
        (0x0110, State.OFF, {Flag.PENDING_OUTPUT_ON}),
        (0x0084, State.ON_BATTERY, {Flag.TEST_IN_PROGRESS}),
        (0x0408, State.BYPASS, {Flag.COMMANDED}),
        (0x2022, State.ONLINE, {Flag.HIGH_EFFICIENCY, Flag.FAULT_PRESENT}),
        (0x0000, None, set()),
        (0x0006, None, set()),
    ],
)
def test_status_words_seen_live(word: int, state: State | None, flags: set[Flag]) -> None:
    found = snapshot({0: 0, 1: word})
    assert (found.state, found.flags) == (state, frozenset(flags))


def test_bits_of_the_high_status_word_are_read() -> None:
    assert snapshot({0: 0x0020, 1: 2}).flags == {Flag.OVERLOAD_STATE}


@pytest.mark.parametrize(
    ("word", "status", "source", "reasons"),
    [
        (0x0000, TestStatus.NONE, None, ()),
        (0x0042, TestStatus.IN_PROGRESS, TestSource.PROTOCOL, ()),
        (0x0044, TestStatus.PASSED, TestSource.PROTOCOL, ()),
        (0x0310, TestStatus.REFUSED, TestSource.INTERNAL, ("invalid_state",)),
        (0x0208, TestStatus.FAILED, None, ("invalid_state",)),
    ],
)
def test_test_results_seen_live(
    word: int, status: TestStatus, source: TestSource | None, reasons: tuple[str, ...]
) -> None:
    found = snapshot({23: word}).self_test
    assert found is not None
    assert (found.status, found.source, found.reasons) == (status, source, reasons)


def test_a_contradictory_test_result_is_none() -> None:
    assert snapshot({23: 0x000C}).self_test is None


def test_an_unknown_cause_is_none() -> None:
    assert snapshot({2: 31}).cause is None
    assert snapshot({2: 30}).cause is Cause.FAILURE_BYPASS_EXPIRED


@pytest.mark.parametrize(
    ("word", "pct", "reason"),
    [
        (0x2DA0, 91.25, None),
        (0xFFFC, None, "on_battery"),
        (0xFFFF, None, "not_available"),
        (0xFF00, None, None),
    ],
    ids=["reading", "on-battery", "not-available", "unknown"],
)
def test_a_negative_efficiency_is_a_reason(word: int, pct: float | None, reason: str | None) -> None:
    found = snapshot({154: word})
    assert (found.efficiency_pct, found.efficiency_reason) == (pct, reason)


def test_signed_readings_go_below_zero() -> None:
    """-56.8 with binary point 5 is 0xF8E6 (AN176 1.2.3)."""
    assert decode.number(register("battery_negative_v"), {132: 0xF8E6}) == pytest.approx(-56.8, abs=0.02)
    assert snapshot({135: 0xFE00}).battery_temp_c == -4.0


def test_a_runtime_above_16_bits_is_read_whole() -> None:
    assert snapshot({128: 1, 129: 20864}).runtime_s == 86400


def test_countdowns_idle_expired_and_running() -> None:
    found = snapshot(smtl_image() | {155: 0xFFFF, 156: 0, 157: 0, 158: 300}).main_outlet
    assert found is not None
    assert (found.turn_off_s, found.turn_on_s, found.stay_off_s) == (None, 0, 300)


@pytest.mark.parametrize(("word", "on"), [(1, True), (2, False), (0, None), (3, None)])
def test_an_outlet_group_is_on_off_or_unknown(word: int, on: bool | None) -> None:
    found = snapshot({590: 1, 3: 0, 4: word}).main_outlet
    assert found is not None
    assert found.on is on


@pytest.mark.parametrize(
    "words",
    [
        chars("name", 8, "\0"),
        chars("name", 8, " "),
        [0, *chars("name", 7)],
        [*chars("name", 4), *[0xFFFF] * 4],
    ],
    ids=["nul", "blank", "leading-nul", "ones"],
)
def test_every_padding_seen_live_is_stripped(words: list[int]) -> None:
    assert decode.identity(dict(enumerate(words, 596))).name == "name"


def test_s6_what_a_unit_says_is_cut_to_printable_characters() -> None:
    hostile = "a\r\n\x1b[2J<s>=1+2\"'"
    assert decode.identity(dict(enumerate(chars(hostile, 16), 532))).model == "a[2J<s>=1+2\"'"


def test_an_empty_image_is_a_snapshot_of_nothing() -> None:
    assert snapshot({}) == Snapshot(at=EPOCH)
    assert decode.settings({}) == Settings()
    assert decode.identity({}) == Identity(reported_flags=frozenset(Flag))


ADDRESSES = sorted({at for row in REGISTERS for at in range(row.address, row.end)})
IMAGES = st.dictionaries(st.sampled_from(ADDRESSES), st.integers(0, 0xFFFF) | st.sampled_from([0, 1, 0xFFFF]))


@given(image=IMAGES, nmc=st.booleans())
def test_any_image_decodes(image: dict[int, int], nmc: bool) -> None:
    found = snapshot(image, nmc=nmc)
    assert isinstance(found.at, datetime)
    assert found.charge_pct is None or 0 <= found.charge_pct < 128
    identity = decode.identity(image)
    for text in (identity.serial, identity.model, identity.name):
        assert text is None or (text.isprintable() and 0 < len(text) <= 64)
    for delay in decode.settings(image).delays:
        assert delay.turn_off_s is None or 0 <= delay.turn_off_s <= 32767


CAPTURE = Path(__file__).parents[3] / "shared/captures/smtl1500rm3uc-ups15.5-modbus.txt"


def test_the_capture_of_a_real_unit_is_the_golden_image() -> None:
    if not CAPTURE.exists():
        lacking(f"{CAPTURE} is not there: the captures lie beside the checkout, not in it")
    lines = [line.split() for line in CAPTURE.read_text().splitlines() if line and not line.startswith("#")]
    image = {int(address): int(word) for address, word in lines}
    found, golden = snapshot(image), snapshot(smtl_image())
    assert (found.charge_pct, found.load_pct, found.flags) == (
        golden.charge_pct,
        golden.load_pct,
        golden.flags,
    )
    assert decode.identity(image).sku == "SMTL1500RM3UC"
