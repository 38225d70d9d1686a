from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.constants import ExcCodes

from drivers import ups
from drivers.smartups.registers import REGISTERS
from drivers.ups import Cause, Flag, OutletGroup, Settings, Snapshot, State
from simulator.modbus.image import ROW_AT, read
from simulator.modbus.settings import Personality
from simulator.modbus.values import Truth
from tests.simulator.modbus import card, smtl

UPS, NMC = Personality.UPS, Personality.NMC


def words(address: int, count: int = 1, truth: Truth = smtl.TRUTH, who: Personality = UPS) -> tuple[int, ...]:
    got = read(truth, address, count, who)
    assert not isinstance(got, ExcCodes), f"{address}/{count}: {got!r}"
    return got


def text(address: int, count: int) -> bytes:
    return b"".join(word.to_bytes(2, "big") for word in words(address, count))


def with_snapshot(**changes: object) -> Truth:
    return Truth(msgspec.structs.replace(smtl.SNAPSHOT, **changes), smtl.IDENTITY, smtl.SETTINGS)


def test_the_status_of_the_smtl_reads_as_its_owner_dumped_it() -> None:
    assert words(0, 27) == smtl.STATUS_WORDS


def test_the_readings_of_the_smtl_read_as_its_owner_dumped_them() -> None:
    assert words(128, 44) == smtl.DYNAMIC_WORDS


def test_the_settings_of_the_smtl_read_as_its_owner_dumped_them() -> None:
    assert words(1026, 22) == smtl.DELAY_WORDS


def test_the_inventory_of_the_smtl_reads_as_its_owner_dumped_it() -> None:
    assert text(516, 8) == b"UPS 15.5" + bytes(8)
    assert words(524, 8) == (0xFFFF,) * 8
    assert text(532, 16) == b"Smart-UPS 1500".ljust(32)
    assert text(548, 16) == b"SMTL1500RM3UC   " + bytes(16)
    assert text(572, 8) == b"APCRBC164-LI    "
    assert text(580, 8) == bytes(16)
    assert words(588, 8) == (1440, 1350, 3, 6784, 2, 0, 0, 6864)
    assert text(596, 8) == b"APC UPS         "
    assert text(604, 8) == b"Unswitched Group"
    assert text(612, 8) == b"Outlet Group 1  "
    assert text(620, 16) == bytes(32)
    assert words(512, 2) == (1026, 0)


def test_the_unit_behind_a_card_reads_as_in_its_trace() -> None:
    assert words(0, 27, card.TRUTH, NMC) == card.STATUS_WORDS
    expected = list(card.DYNAMIC_WORDS)
    expected[card.UNDEFINED - 128] = 0
    assert words(128, 24, card.TRUTH, NMC) == tuple(expected)
    assert words(154, 1, card.TRUTH, NMC) == (0x2DA0,)
    assert words(155, 4, card.TRUTH, NMC) == (0,) * 4


def test_the_verification_block_reads_the_fixed_words() -> None:
    assert words(2048, 14) == (
        *(0x3030, 0x2E35, 0x3132, 0x3334, 0x3536, 0x3738, 0x1234),
        *(0x5678, 0xFFFF, 0xFFFB, 0x1234, 0xFFFB, 0x2020, 0xDFE0),
    )


def test_the_230_volt_smx750_reads_its_settings() -> None:
    settings = Settings(
        transfer_high_v=268,
        transfer_low_v=212,
        sensitivity="reduced",
        delays=(msgspec.structs.replace(smtl.SETTINGS.delays[0], turn_off_s=180),),
    )
    assert words(1026, 7, Truth(smtl.SNAPSHOT, smtl.IDENTITY, settings)) == (268, 212, 2, 180, 0, 0, 8)


@pytest.mark.parametrize(("address", "count"), [(1, 1), (0, 1), (1, 26), (0, 4), (129, 2), (517, 1), (516, 7)])
def test_a_range_that_cuts_a_block_is_an_illegal_address(address: int, count: int) -> None:
    for who in Personality:
        assert read(smtl.TRUTH, address, count, who) is ExcCodes.ILLEGAL_ADDRESS


@pytest.mark.parametrize(
    ("address", "count"),
    [(0, 27), (128, 32), (128, 44), (516, 88), (516, 120), (1026, 7), (1026, 22), (1026, 48), (2048, 14)],
)
@pytest.mark.parametrize("who", Personality)
def test_every_range_that_a_known_driver_reads_is_answered(address: int, count: int, who: Personality) -> None:
    """NUT by release, and the dumps' owners (14.1)."""
    for truth in (smtl.TRUTH, card.TRUTH):
        assert len(words(address, count, truth, who)) == count


def test_a_range_beyond_the_last_register_is_an_illegal_address() -> None:
    assert read(smtl.TRUTH, 65535, 2, UPS) is ExcCodes.ILLEGAL_ADDRESS
    assert words(65535) == (0xFFFF,)


@pytest.mark.parametrize("address", [5, 8, 11, 14, 17, 594])
def test_gaps_of_the_status_read_zero_and_others_ones(address: int) -> None:
    assert words(address) == (0,)
    assert words(134) == words(524) == words(3000) == (0xFFFF,)


def test_a_card_refuses_an_undefined_start_and_fills_later_gaps_with_zeros() -> None:
    assert read(smtl.TRUTH, 134, 1, NMC) is ExcCodes.ILLEGAL_ADDRESS
    assert words(132, 4, who=NMC) == (0, 10893, 0, 2846)


def test_command_registers_read_zero() -> None:
    assert words(1536, 8) == (0,) * 8


def test_what_the_model_lacks_reads_ones_or_zeros_as_the_map_says() -> None:
    assert words(132) == words(152) == (0xFFFF,)
    assert words(9, 2) == (0, 0)
    assert words(593) == (0,)
    assert words(1064) == (0xFFFF,)
    assert words(1054, 2) == (0, 0)


def test_countdowns_tell_idle_from_expired() -> None:
    idle, ran_out = (
        OutletGroup(index=0, on=True),
        OutletGroup(index=0, on=True, turn_off_s=0, stay_off_s=70000),
    )
    assert words(155, 4, with_snapshot(main_outlet=idle)) == (0xFFFF,) * 4
    assert words(155, 4, with_snapshot(main_outlet=ran_out)) == (0, 0xFFFF, 1, 4464)


@pytest.mark.parametrize(
    ("group", "low_word"),
    [
        (OutletGroup(index=0, on=True), 1),
        (OutletGroup(index=0, on=False), 2),
        (OutletGroup(index=0, on=False, rebooting=True), 6),
        (OutletGroup(index=0, on=True, shutting_down=True), 9),
        (OutletGroup(index=0, on=False, sleeping=True), 18),
    ],
)
def test_outlet_status_uses_the_five_bits_of_which_documents_agree(group: OutletGroup, low_word: int) -> None:
    assert words(3, 2, with_snapshot(main_outlet=group)) == (0, low_word)


@pytest.mark.parametrize(
    ("state", "flags", "status"),
    [
        (State.ONLINE, {Flag.HIGH_EFFICIENCY}, 0x2002),
        (State.ON_BATTERY, {Flag.INPUT_NOT_ACCEPTABLE, Flag.PENDING_OUTPUT_OFF}, 0x0244),
        (State.ONLINE, {Flag.HIGH_EFFICIENCY, Flag.PENDING_OUTPUT_OFF}, 0x2202),
        (State.OFF, {Flag.PENDING_OUTPUT_ON}, 0x0110),
        (State.OFF, {Flag.PENDING_OUTPUT_ON, Flag.INPUT_NOT_ACCEPTABLE}, 0x0150),
        (State.ON_BATTERY, {Flag.TEST_IN_PROGRESS}, 0x0084),
        (State.BYPASS, {Flag.COMMANDED}, 0x0408),
        (State.ONLINE, {Flag.FAULT_PRESENT, Flag.HIGH_EFFICIENCY}, 0x2022),
        (State.ONLINE, {Flag.OVERLOAD_STATE}, 0x200002),
    ],
)
def test_status_words_seen_live_come_of_their_meaning(state: State, flags: set[Flag], status: int) -> None:
    truth = with_snapshot(state=state, flags=frozenset(flags))
    assert words(0, 2, truth) == (status >> 16, status & 0xFFFF)


@pytest.mark.parametrize(
    ("result", "word"),
    [
        (ups.TestResult(status=ups.TestStatus.NONE), 0),
        (ups.TestResult(status=ups.TestStatus.IN_PROGRESS, source=ups.TestSource.PROTOCOL), 0x0042),
        (ups.TestResult(status=ups.TestStatus.PASSED, source=ups.TestSource.PROTOCOL), 0x0044),
        (
            ups.TestResult(status=ups.TestStatus.REFUSED, source=ups.TestSource.INTERNAL, reasons=("invalid_state",)),
            0x0310,
        ),
    ],
)
def test_test_results_seen_live_come_of_their_meaning(result: ups.TestResult, word: int) -> None:
    assert words(23, 1, with_snapshot(self_test=result)) == (word,)


def test_a_flag_of_each_error_register_stands_at_its_bit() -> None:
    flags = {Flag.SITE_WIRING, Flag.FAN, Flag.REPLACE_BATTERY, Flag.ALARM_SOUNDING, Flag.SHUTDOWN_IMMINENT}
    truth = with_snapshot(flags=frozenset(flags), cause=Cause.FAILURE_BYPASS_EXPIRED)
    assert words(18, 5, truth) == (2, 1, 0, 1 << 10, 4)
    assert words(26, 1, truth) == (2,)
    assert words(2, 1, truth) == (30,)


def test_efficiency_is_a_percentage_or_the_number_of_a_reason() -> None:
    assert words(154, 1, with_snapshot(efficiency_pct=None, efficiency_reason="on_battery")) == (0xFFFC,)
    assert words(154, 1, with_snapshot(efficiency_pct=None, efficiency_reason="battery_disconnected")) == (0xFFF8,)


def test_an_empty_snapshot_can_still_be_read_whole() -> None:
    empty = Truth(Snapshot(at=smtl.SNAPSHOT.at), msgspec.structs.replace(smtl.IDENTITY, outlet_groups=()), Settings())
    assert words(0, 27, empty) == (0,) * 27
    assert words(590, 1, empty) == (0,)
    assert len(words(128, 44, empty)) == 44


@given(st.integers(0, 65535), st.integers(1, 125), st.sampled_from(Personality))
def test_any_range_reads_as_so_many_words_or_is_an_illegal_address(address: int, count: int, who: Personality) -> None:
    got = read(smtl.TRUTH, address, count, who)
    assert got is ExcCodes.ILLEGAL_ADDRESS or (
        not isinstance(got, ExcCodes) and len(got) == count and all(0 <= word <= 0xFFFF for word in got)
    )


@given(st.integers(0, 1100), st.integers(1, 125))
def test_a_range_reads_what_its_blocks_read_one_by_one(address: int, count: int) -> None:
    whole = read(smtl.TRUTH, address, count, UPS)
    if isinstance(whole, ExcCodes):
        return
    parts: list[int] = []
    while len(parts) < count:
        row = ROW_AT.get(address + len(parts))
        parts += words(address + len(parts), 1 if row is None else row.words)
    assert tuple(parts) == whole


def test_every_block_of_the_map_reads_by_itself() -> None:
    for row in REGISTERS:
        for who in Personality:
            assert len(words(row.address, row.words, who=who)) == row.words
