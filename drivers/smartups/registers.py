"""The Modbus register map of Smart-UPS as one table: a row a value, addresses 0-based as on the wire.

Facts only; codecs stand elsewhere. Source tags as in apc-modbus.md section 1 (AN176, AN177, MAP, ...), whose
section 6 holds the whole table. A row is one indivisible block (AN176 3.1): a read must not cut it, a write
takes it whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType

import msgspec


class Kind(StrEnum):
    """How the words of a row are to be read (AN176 1.2, 1.3; apc-modbus.md section 4)."""

    UNSIGNED = "unsigned"
    SIGNED = "signed"
    BITS = "bits"
    ENUM = "enum"
    DATE = "date"
    TEXT = "text"


class Access(StrEnum):
    READ = "read"
    READ_WRITE = "read_write"
    COMMAND = "command"


class Absent(StrEnum):
    """What a model without this value reads here (AN176 3.2.2; SMTL dump)."""

    NEVER = "never"
    ONES = "ones"
    ZEROS = "zeros"


class Register(msgspec.Struct, frozen=True):
    """One row: `words` registers from `address`; value = raw / `divisor`; `group`: outlet group index."""

    name: str
    address: int
    words: int
    kind: Kind
    source: str
    divisor: int = 1
    access: Access = Access.READ
    absent: Absent = Absent.NEVER
    group: int | None = None

    @property
    def end(self) -> int:
        """The address after the last word."""
        return self.address + self.words


class Block(msgspec.Struct, frozen=True):
    """A range that one request reads (apc-modbus.md 6.7)."""

    address: int
    count: int

    @property
    def end(self) -> int:
        return self.address + self.count


FAST_STATUS = Block(0, 3)
STATUS = Block(0, 27)
DYNAMIC = Block(128, 44)
INVENTORY = Block(516, 120)
SETTINGS = Block(1026, 22)
VERIFICATION = Block(2048, 14)
SERIAL = Block(564, 8)
TEST_STRING = Block(2050, 4)

PRODUCT_ID = Block(512, 1)

_U, _S, _B, _E, _D, _T = Kind.UNSIGNED, Kind.SIGNED, Kind.BITS, Kind.ENUM, Kind.DATE, Kind.TEXT
_ONES, _ZEROS = Absent.ONES, Absent.ZEROS
_RW = Access.READ_WRITE

_STATUS_ROWS = (
    Register("ups_status", 0, 2, _B, "AN176"),
    Register("change_cause", 2, 1, _E, "AN176"),
    Register("outlet_status", 3, 2, _B, "AN176", absent=_ZEROS, group=0),
    Register("outlet_status", 6, 2, _B, "AN176", absent=_ZEROS, group=1),
    Register("outlet_status", 9, 2, _B, "AN176", absent=_ZEROS, group=2),
    Register("outlet_status", 12, 2, _B, "AN176", absent=_ZEROS, group=3),
    Register("outlet_status", 15, 2, _B, "AN176", absent=_ZEROS, group=4),
    Register("simple_signaling", 18, 1, _B, "AN176"),
    Register("general_error", 19, 1, _B, "AN176"),
    Register("power_system_error", 20, 2, _B, "AN176"),
    Register("battery_system_error", 22, 1, _B, "AN176"),
    Register("battery_test_status", 23, 1, _B, "AN176"),
    Register("calibration_status", 24, 1, _B, "AN176"),
    Register("battery_lifetime", 25, 1, _B, "AN176"),
    Register("user_interface", 26, 1, _B, "AN176"),
)

_DYNAMIC_ROWS = (
    Register("runtime_s", 128, 2, _U, "AN176"),
    Register("charge_pct", 130, 1, _U, "AN176", 512),
    Register("battery_v", 131, 1, _S, "AN176", 32),
    Register("battery_negative_v", 132, 1, _S, "MAP", 32, absent=_ONES),
    Register("replace_battery_on", 133, 1, _D, "AN176"),
    Register("battery_temp_c", 135, 1, _S, "AN176", 128),
    Register("load_pct", 136, 1, _U, "AN176", 256),
    Register("load_2_pct", 137, 1, _U, "MAP", 256, absent=_ONES),
    Register("apparent_load_pct", 138, 1, _U, "AN176", 256),
    Register("apparent_load_2_pct", 139, 1, _U, "MAP", 256, absent=_ONES),
    Register("output_a", 140, 1, _U, "AN176", 32),
    Register("output_2_a", 141, 1, _U, "MAP", 32, absent=_ONES),
    Register("output_v", 142, 1, _U, "AN176", 64),
    Register("output_2_v", 143, 1, _U, "MAP", 64, absent=_ONES),
    Register("output_hz", 144, 1, _U, "AN176", 128),
    Register("energy_wh", 145, 2, _U, "AN176"),
    Register("bypass_status", 147, 1, _B, "MAP", absent=_ZEROS),
    Register("bypass_v", 148, 1, _U, "MAP", 64, absent=_ONES),
    Register("bypass_hz", 149, 1, _U, "MAP", 128, absent=_ONES),
    Register("input_status", 150, 1, _B, "AN176"),
    Register("input_v", 151, 1, _U, "AN176", 64, absent=_ONES),
    Register("input_2_v", 152, 1, _U, "HA-DOC", 64, absent=_ONES),
    Register("input_3_v", 153, 1, _U, "HA-DOC", 64, absent=_ONES),
    Register("efficiency_pct", 154, 1, _E, "AN176, MAP, SMTL", 128),
)


def _countdown_rows() -> Iterator[Register]:
    """Countdowns of group 0 at 155, then four registers a switched group (AN176; -1 is idle)."""
    for group in range(5):
        base = 155 + 4 * group
        yield Register("turn_off_countdown_s", base, 1, _E, "AN176", absent=_ONES, group=group)
        yield Register("turn_on_countdown_s", base + 1, 1, _E, "AN176", absent=_ONES, group=group)
        yield Register("stay_off_countdown_s", base + 2, 2, _E, "AN176", absent=_ONES, group=group)


_INVENTORY_ROWS = (
    Register("product_id", 512, 1, _U, "SRT-DOC"),
    Register("firmware", 516, 8, _T, "AN176"),
    Register("model", 532, 16, _T, "AN176"),
    Register("sku", 548, 16, _T, "AN176"),
    Register("serial", 564, 8, _T, "AN176"),
    Register("battery_sku", 572, 8, _T, "AN176"),
    Register("external_battery_sku", 580, 8, _T, "AN176"),
    Register("apparent_power_va", 588, 1, _U, "AN176"),
    Register("real_power_w", 589, 1, _U, "AN176"),
    Register("relay_config", 590, 1, _B, "AN176"),
    Register("manufactured_on", 591, 1, _D, "AN176"),
    Register("output_voltage_setting", 592, 1, _B, "AN176"),
    Register("output_frequency_setting", 593, 1, _B, "MAP via SRT-DOC", access=_RW, absent=_ZEROS),
    Register("battery_installed_on", 595, 1, _D, "AN176", access=_RW),
    Register("name", 596, 8, _T, "AN176", access=_RW),
    Register("group_name", 604, 8, _T, "MAP, NUT", access=_RW, absent=_ZEROS, group=0),
    Register("group_name", 612, 8, _T, "MAP, NUT", access=_RW, absent=_ZEROS, group=1),
    Register("group_name", 620, 8, _T, "MAP, NUT", access=_RW, absent=_ZEROS, group=2),
    Register("group_name", 628, 8, _T, "MAP, NUT", access=_RW, absent=_ZEROS, group=3),
    Register("output_voltage_setting_long", 644, 2, _B, "MAP via SMT-DOC", absent=_ZEROS),
)

_SETTING_ROWS = (
    Register("battery_test_interval", 1024, 1, _B, "MAP via SMT/SRT-DOC", access=_RW),
    Register("transfer_high_v", 1026, 1, _U, "MAP, NUT", access=_RW),
    Register("transfer_low_v", 1027, 1, _U, "MAP, NUT", access=_RW),
    Register("sensitivity", 1028, 1, _B, "MAP via SMT-DOC", access=_RW, absent=_ZEROS),
)


def _delay_rows() -> Iterator[Register]:
    """Delay settings: five registers a group from 1029 (AN176, MAP, NUT; apcupsd's 4 is wrong, 6.4)."""
    for group in range(5):
        base = 1029 + 5 * group
        yield Register("turn_off_s", base, 1, _E, "AN176", access=_RW, absent=_ONES, group=group)
        yield Register("turn_on_s", base + 1, 1, _E, "AN176", access=_RW, absent=_ONES, group=group)
        yield Register("stay_off_s", base + 2, 2, _E, "AN176", access=_RW, absent=_ONES, group=group)
        if group < 4:
            yield Register("minimum_return_runtime_s", base + 4, 1, _U, "MAP", access=_RW, absent=_ONES, group=group)


def _load_shed_rows() -> Iterator[Register]:
    """Load shedding (MAP via SMT/SRT-DOC): groups 0 to 3; thresholds of 32767 s are off on SRT."""
    for group in range(4):
        yield Register(
            "load_shed_config",
            1054 + 2 * group,
            2,
            _B,
            "MAP via SMT/SRT-DOC",
            access=_RW,
            absent=_ZEROS,
            group=group,
        )
    for group in range(1, 4):
        yield Register(
            "load_shed_runtime_s",
            1063 + group,
            1,
            _U,
            "MAP via SMT/SRT-DOC",
            access=_RW,
            absent=_ONES,
            group=group,
        )
        yield Register(
            "load_shed_on_battery_s",
            1067 + group,
            1,
            _U,
            "MAP via SMT/SRT-DOC",
            access=_RW,
            absent=_ONES,
            group=group,
        )
    yield Register("load_shed_runtime_s", 1072, 1, _U, "MAP via SMT/SRT-DOC", access=_RW, absent=_ONES, group=0)
    yield Register("load_shed_on_battery_s", 1073, 1, _U, "MAP via SMT/SRT-DOC", access=_RW, absent=_ONES, group=0)


_COMMAND_ROWS = (
    Register("ups_command", 1536, 2, _B, "AN176", access=Access.COMMAND),
    Register("outlet_command", 1538, 2, _B, "AN176", access=Access.COMMAND),
    Register("simple_signaling_command", 1540, 1, _B, "AN176", access=Access.COMMAND),
    Register("battery_test_command", 1541, 1, _B, "AN176", access=Access.COMMAND),
    Register("calibration_command", 1542, 1, _B, "AN176", access=Access.COMMAND),
    Register("user_interface_command", 1543, 1, _B, "AN176", access=Access.COMMAND),
)

VERIFICATION_WORDS: Mapping[int, tuple[int, ...]] = MappingProxyType(
    {
        2048: (0x3030, 0x2E35),
        2050: (0x3132, 0x3334, 0x3536, 0x3738),
        2054: (0x1234, 0x5678),
        2056: (0xFFFF, 0xFFFB),
        2058: (0x1234,),
        2059: (0xFFFB,),
        2060: (0x2020,),
        2061: (0xDFE0,),
    }
)
"""Fixed words by address (AN176, seen by SMT-DOC): the cheapest proof of word and byte order."""

_VERIFICATION_ROWS = (
    Register("map_id", 2048, 2, _T, "AN176, SMT-DOC"),
    Register("test_string", 2050, 4, _T, "AN176, SMT-DOC"),
    Register("test_4b_1", 2054, 2, _U, "AN176, SMT-DOC"),
    Register("test_4b_2", 2056, 2, _S, "AN176, SMT-DOC"),
    Register("test_2b_1", 2058, 1, _U, "AN176, SMT-DOC"),
    Register("test_2b_2", 2059, 1, _S, "AN176, SMT-DOC"),
    Register("test_bp_1", 2060, 1, _S, "AN176, SMT-DOC", 64),
    Register("test_bp_2", 2061, 1, _S, "AN176, SMT-DOC", 64),
)

REGISTERS: tuple[Register, ...] = tuple(
    sorted(
        (
            *_STATUS_ROWS,
            *_DYNAMIC_ROWS,
            *_countdown_rows(),
            *_INVENTORY_ROWS,
            *_SETTING_ROWS,
            *_delay_rows(),
            *_load_shed_rows(),
            *_COMMAND_ROWS,
            *_VERIFICATION_ROWS,
        ),
        key=lambda row: row.address,
    )
)
"""Every row in the order of its address; rows do not overlap."""

_BY_NAME: Mapping[tuple[str, int | None], Register] = MappingProxyType({(r.name, r.group): r for r in REGISTERS})


def register(name: str, group: int | None = None) -> Register:
    """The row of that name (and outlet group index); KeyError if there is none."""
    return _BY_NAME[name, group]


def rows_in(block: Block) -> tuple[Register, ...]:
    """The rows that lie wholly inside a block."""
    return tuple(r for r in REGISTERS if block.address <= r.address and r.end <= block.end)
