from __future__ import annotations

from datetime import date

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.constants import ExcCodes

from drivers.smartups.registers import REGISTERS, Access, register
from drivers.ups import Settings
from simulator.modbus.values import Truth
from simulator.modbus.writes import order_of, row_written
from simulator.orders import Order, Task
from tests.simulator.modbus import smtl

BAD = ExcCodes.DEVICE_FAILURE
ILLEGAL = ExcCodes.ILLEGAL_ADDRESS
SHORTEST_SRT = Truth(smtl.SNAPSHOT, smtl.IDENTITY, msgspec.structs.replace(smtl.SETTINGS, output_frequency="auto"))


def order(address: int, *words: int, truth: Truth = smtl.TRUTH, swap: bool = False) -> Order | ExcCodes:
    row = row_written(address, len(words), truth)
    return row if isinstance(row, ExcCodes) else order_of(row, words, truth, swap_1538=swap)


@pytest.mark.parametrize(
    ("address", "words", "task"),
    [
        (1536, (0, 0x10), Task.BYPASS_ON),
        (1536, (0, 0x20), Task.BYPASS_OFF),
        (1536, (0, 0x200), Task.CLEAR_FAULTS),
        (1536, (0, 0x08), Task.FACTORY_SETTINGS),
        (1540, (1,), Task.REQUEST_SHUTDOWN),
        (1540, (2,), Task.REMOTE_OFF),
        (1540, (4,), Task.REMOTE_ON),
        (1541, (1,), Task.SELF_TEST),
        (1541, (2,), Task.SELF_TEST_ABORT),
        (1542, (1,), Task.CALIBRATION),
        (1542, (2,), Task.CALIBRATION_ABORT),
        (1543, (1,), Task.PANEL_TEST),
        (1543, (2,), Task.PANEL_TEST_CONTINUOUS),
        (1543, (4,), Task.MUTE),
        (1543, (8,), Task.UNMUTE),
        (1543, (32,), Task.ACKNOWLEDGE_BATTERY),
        (1543, (64,), Task.ACKNOWLEDGE_SITE_WIRING),
    ],
)
def test_each_command_value_is_its_task(address: int, words: tuple[int, ...], task: Task) -> None:
    assert order(address, *words) == Order(task=task)


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (0x0304, Order(task=Task.OUTLET_OFF, groups=(0, 1))),
        (0x0302, Order(task=Task.OUTLET_ON, groups=(0, 1))),
        (0x0310, Order(task=Task.OUTLET_REBOOT, groups=(0, 1))),
        (0x0384, Order(task=Task.OUTLET_OFF, groups=(0, 1), use_off_delay=True)),
        (0x0342, Order(task=Task.OUTLET_ON, groups=(0, 1), use_on_delay=True)),
        (0x0388, Order(task=Task.OUTLET_SHUTDOWN, groups=(0, 1), use_off_delay=True)),
        (0x0390, Order(task=Task.OUTLET_REBOOT, groups=(0, 1), use_off_delay=True)),
        (0x0204, Order(task=Task.OUTLET_OFF, groups=(1,))),
        (0x4130, Order(task=Task.OUTLET_REBOOT, groups=(0,), cold_boot=True)),
        (0x0101, Order(task=Task.OUTLET_CANCEL, groups=(0,))),
    ],
)
def test_an_outlet_command_of_nut_is_its_task_with_groups_and_delays(mask: int, expected: Order) -> None:
    assert order(1538, 0, mask) == expected


@pytest.mark.parametrize(
    ("mask", "why"),
    [
        (0x0300, "no command"),
        (0x0306, "two commands"),
        (0x0004, "no target"),
        (0x0404, "a group that this unit has not"),
        (0x80104, "a fifth group that this unit has not"),
        (0x0181, "cancelling takes no modifier"),
        (0x0182, "switching on takes no off delay"),
        (0x0144, "switching off takes no on delay"),
        (0x0128, "a shutdown is no cold boot"),
        (0x100104, "an unknown bit"),
    ],
)
def test_a_senseless_outlet_command_is_a_bad_value(mask: int, why: str) -> None:
    assert order(1538, mask >> 16, mask & 0xFFFF) is BAD, why


def test_a_unit_with_exchanged_words_understands_only_those() -> None:
    assert order(1538, 0x0304, 0, swap=True) == Order(task=Task.OUTLET_OFF, groups=(0, 1))
    assert order(1538, 0, 0x0304, swap=True) is BAD
    assert order(1538, 0x0304, 0) is BAD
    assert order(1536, 0, 0x10, swap=True) == Order(task=Task.BYPASS_ON)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (1536, (0, 0)),
        (1536, (0, 0x30)),
        (1540, (0,)),
        (1540, (3,)),
        (1541, (4,)),
        (1542, (3,)),
        (1543, (16,)),
    ],
)
def test_no_bit_two_bits_or_an_unknown_bit_is_a_bad_value(address: int, words: tuple[int, ...]) -> None:
    assert order(address, *words) is BAD


@pytest.mark.parametrize(
    ("address", "words", "why"),
    [
        (1538, (0x0304,), "half a block"),
        (1539, (0x0304,), "the other half"),
        (1539, (0, 0x0304), "half of a block and another"),
        (597, (0x2020,) * 8, "a text that begins late"),
        (596, (0x2020,) * 7, "part of a text"),
        (597, (0x2020,) * 7, "part of a text"),
        (1026, (127, 106), "two blocks"),
        (1540, (1, 0), "two blocks"),
        (3000, (1,), "undefined"),
        (5, (0,), "a gap"),
        (130, (51200,), "a reading"),
        (564, (0x2020,) * 8, "the serial number"),
        (2048, (0x3030, 0x2E35), "the verification block"),
        (620, (0x2020,) * 8, "the name of a group that this unit has not"),
        (1039, (10,), "a delay of a group that this unit has not"),
        (593, (1,), "a frequency that this unit does not set"),
        (1056, (0, 1), "load shed, which this unit has not"),
    ],
)
def test_what_cannot_be_written_is_an_illegal_address(address: int, words: tuple[int, ...], why: str) -> None:
    assert order(address, *words) is ILLEGAL, why


@pytest.mark.parametrize(
    ("address", "words", "expected"),
    [
        (595, (9000,), Order(task=Task.SET_BATTERY_DATE, value=date(2024, 8, 22))),
        (1024, (0x0010,), Order(task=Task.SET_BATTERY_TEST_INTERVAL, value="start_up_7d_since_last")),
        (1026, (130,), Order(task=Task.SET_TRANSFER_HIGH, value=130)),
        (1027, (100,), Order(task=Task.SET_TRANSFER_LOW, value=100)),
        (1028, (4,), Order(task=Task.SET_SENSITIVITY, value="low")),
        (1029, (32767,), Order(task=Task.SET_TURN_OFF_DELAY, groups=(0,), value=32767)),
        (1035, (7,), Order(task=Task.SET_TURN_ON_DELAY, groups=(1,), value=7)),
        (1036, (0, 300), Order(task=Task.SET_STAY_OFF_DELAY, groups=(1,), value=300)),
        (1033, (60,), Order(task=Task.SET_MINIMUM_RETURN_RUNTIME, groups=(0,), value=60)),
    ],
)
def test_each_setting_is_its_task_with_its_value(address: int, words: tuple[int, ...], expected: Order) -> None:
    assert order(address, *words) == expected


def test_the_output_frequency_can_be_set_where_a_model_has_it() -> None:
    assert order(593, 8, truth=SHORTEST_SRT) == Order(task=Task.SET_OUTPUT_FREQUENCY, value="50 Hz +-3")


@pytest.mark.parametrize(
    ("address", "words"),
    [(1029, (32768,)), (1034, (0xFFFF,)), (1031, (1, 0)), (1031, (0xFFFF, 0xFFFF)), (1033, (40000,))],
)
def test_a_delay_above_32767_seconds_is_a_bad_value(address: int, words: tuple[int, ...]) -> None:
    assert order(address, *words) is BAD


@pytest.mark.parametrize(("address", "word"), [(1024, 0), (1024, 3), (1024, 64), (1028, 0), (1028, 8)])
def test_a_choice_with_no_bit_two_bits_or_an_unknown_bit_is_a_bad_value(address: int, word: int) -> None:
    assert order(address, word) is BAD


def text_words(text: bytes) -> tuple[int, ...]:
    return tuple(int.from_bytes(text[i : i + 2], "big") for i in range(0, 16, 2))


def test_a_name_is_taken_left_justified_without_its_padding() -> None:
    assert order(596, *text_words(b"rack one        ")) == Order(task=Task.SET_NAME, value="rack one")
    assert order(612, *text_words(b"  switches ~    ")) == Order(
        task=Task.SET_GROUP_NAME, groups=(1,), value="  switches ~"
    )


@pytest.mark.parametrize("byte", [0x00, 0x0D, 0x1F, 0x7F, 0x80, 0xFF])
def test_a_name_with_anything_but_printable_ascii_is_a_bad_value(byte: int) -> None:
    assert order(596, *text_words(b"rack" + bytes([byte]) + b" " * 11)) is BAD


def test_every_row_that_can_be_written_is_understood() -> None:
    everything = Truth(
        smtl.SNAPSHOT,
        msgspec.structs.replace(smtl.IDENTITY, outlet_groups=tuple((i, str(i)) for i in range(5))),
        Settings(
            **{f: getattr(smtl.SETTINGS, f) for f in set(Settings.__struct_fields__) - {"delays", "output_frequency"}},
            output_frequency="auto",
            delays=tuple(msgspec.structs.replace(smtl.SETTINGS.delays[0], index=i) for i in range(5)),
        ),
    )
    for row in REGISTERS:
        if row.access is Access.READ_WRITE and not row.name.startswith("load_shed"):
            assert order(row.address, *[0x2020] * row.words, truth=everything) is not ILLEGAL, row.name


@given(st.integers(0, 2100), st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=16), st.booleans())
def test_any_write_is_an_order_or_an_exception(address: int, words: list[int], swap: bool) -> None:
    assert isinstance(order(address, *words, swap=swap), Order | ExcCodes)


@given(st.integers(0, 0xFFFFFFFF))
def test_any_outlet_command_targets_only_groups_of_the_unit(mask: int) -> None:
    got = order_of(register("outlet_command"), (mask >> 16, mask & 0xFFFF), smtl.TRUTH)
    assert got is BAD or (isinstance(got, Order) and got.groups and set(got.groups) <= {0, 1})
