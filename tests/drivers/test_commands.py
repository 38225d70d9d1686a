"""Commands to writes, and the allow-list that nothing gets past."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.driver import Transport
from drivers.errors import NotAllowed
from drivers.modbus.allowed import is_outlet_command, permit
from drivers.modbus.commands import BY_POLICY, FIXED, OUTLETS, SETTINGS, WITHOUT_REGISTER, plan
from drivers.modbus.frames import Write
from drivers.smartups.registers import REGISTERS, Access
from drivers.ups import Command, Verb
from tests.drivers.memory import chars

GROUPS = (0, 1, 2)
NOTHING: Mapping[str, object] = MappingProxyType({})
SERIAL, TCP = Transport.SERIAL, Transport.TCP


def planned(verb: Verb, fields: Mapping[str, object] = NOTHING, transport: Transport = TCP) -> Write:
    made = Command(verb=verb, serial="S", **fields)  # type: ignore[arg-type]  # each test names real fields
    return plan(made, GROUPS, transport, frozenset(BY_POLICY))


def test_every_verb_has_a_plan_or_no_register() -> None:
    assert set(FIXED) | set(OUTLETS) | set(SETTINGS) == set(Verb) - WITHOUT_REGISTER


@pytest.mark.parametrize(
    ("verb", "address", "words"),
    [
        (Verb.BEEP, 1543, (1,)),
        (Verb.MUTE, 1543, (4,)),
        (Verb.UNMUTE, 1543, (8,)),
        (Verb.SELF_TEST, 1541, (1,)),
        (Verb.SELF_TEST_ABORT, 1541, (2,)),
        (Verb.CALIBRATION, 1542, (1,)),
        (Verb.CALIBRATION_ABORT, 1542, (2,)),
        (Verb.SHUTDOWN, 1540, (1,)),
        (Verb.BYPASS_ON, 1536, (0, 0x10)),
        (Verb.BYPASS_OFF, 1536, (0, 0x20)),
        (Verb.CLEAR_FAULTS, 1536, (0, 0x200)),
    ],
)
def test_simple_verbs_are_one_value_of_one_register(verb: Verb, address: int, words: tuple[int, ...]) -> None:
    assert planned(verb) == Write(address, words)


# The low half as NUT writes it (apc-modbus.md 8.2); the source bit is ours: 14 on the serial port, 17 on the network.
@pytest.mark.parametrize(
    ("verb", "fields", "low"),
    [
        (Verb.OUTLET_OFF, {"groups": (0, 1)}, 0x0304),
        (Verb.OUTLET_ON, {"groups": (0, 1)}, 0x0302),
        (Verb.OUTLET_REBOOT, {"groups": (0, 1)}, 0x0310),
        (Verb.OUTLET_OFF, {"groups": (0, 1), "use_off_delay": True}, 0x0384),
        (Verb.OUTLET_ON, {"groups": (0, 1), "use_on_delay": True}, 0x0342),
        (Verb.OUTLET_SHUTDOWN, {"groups": (0, 1), "use_off_delay": True}, 0x0388),
        (Verb.OUTLET_REBOOT, {"groups": (0, 1), "use_off_delay": True}, 0x0390),
        (Verb.OUTLET_OFF, {"groups": (1,)}, 0x0204),
        (Verb.OUTLET_CANCEL, {"groups": (2,)}, 0x0401),
        (Verb.OUTLET_ON, {"groups": (1,), "cold_boot": True}, 0x0222),
    ],
)
def test_outlet_commands_are_high_word_first(verb: Verb, fields: dict[str, object], low: int) -> None:
    assert planned(verb, fields) == Write(1538, (0x0002, low))
    assert planned(verb, fields, SERIAL) == Write(1538, (0x0000, low | 0x4000))


@pytest.mark.parametrize(
    ("verb", "fields", "write"),
    [
        (Verb.SET_NAME, {"value": "rack 1"}, Write(596, tuple(chars("rack 1", 8)))),
        (Verb.SET_GROUP_NAME, {"value": "lamps", "groups": (1,)}, Write(612, tuple(chars("lamps", 8)))),
        (Verb.SET_BATTERY_DATE, {"value": date(2018, 10, 17)}, Write(595, (6864,))),
        (Verb.SET_TRANSFER_HIGH, {"value": 127}, Write(1026, (127,))),
        (Verb.SET_TRANSFER_LOW, {"value": 106}, Write(1027, (106,))),
        (Verb.SET_SENSITIVITY, {"value": "low"}, Write(1028, (4,))),
        (Verb.SET_BATTERY_TEST_INTERVAL, {"value": "never"}, Write(1024, (1,))),
        (Verb.SET_TURN_OFF_DELAY, {"value": 90, "groups": (1,)}, Write(1034, (90,))),
        (Verb.SET_TURN_ON_DELAY, {"value": 5, "groups": (0,)}, Write(1030, (5,))),
        (Verb.SET_STAY_OFF_DELAY, {"value": 8, "groups": (0,)}, Write(1031, (0, 8))),
        (Verb.SET_MINIMUM_RETURN_RUNTIME, {"value": 60, "groups": (2,)}, Write(1043, (60,))),
    ],
)
def test_settings_are_their_row(verb: Verb, fields: dict[str, object], write: Write) -> None:
    assert planned(verb, fields) == write


@pytest.mark.parametrize(
    ("verb", "fields", "problem"),
    [
        (Verb.BEEP, {"groups": (1,)}, "neither outlet groups"),
        (Verb.BEEP, {"value": 1}, "value"),
        (Verb.SHUTDOWN, {"use_off_delay": True}, "outlet groups"),
        (Verb.OUTLET_OFF, {}, "name each outlet group once; this unit has 0, 1, 2"),
        (Verb.OUTLET_OFF, {"groups": (1, 1)}, "once"),
        (Verb.OUTLET_OFF, {"groups": (3,)}, "no outlet group 3; this unit has 0, 1, 2"),
        (Verb.OUTLET_OFF, {"groups": (1,), "use_on_delay": True}, "no on delay"),
        (Verb.OUTLET_CANCEL, {"groups": (1,), "use_off_delay": True}, "no off delay"),
        (Verb.OUTLET_SHUTDOWN, {"groups": (1,), "cold_boot": True}, "no cold boot"),
        (Verb.SET_TURN_OFF_DELAY, {"value": 32768, "groups": (1,)}, "0 to 32767"),
        (Verb.SET_TURN_OFF_DELAY, {"value": -1, "groups": (1,)}, "0 to 32767"),
        (Verb.SET_TURN_OFF_DELAY, {"value": True, "groups": (1,)}, "whole"),
        (Verb.SET_TURN_OFF_DELAY, {"value": 5}, "name one outlet group"),
        (Verb.SET_TURN_OFF_DELAY, {"value": 5, "groups": (4,)}, "no outlet group 4"),
        (Verb.SET_MINIMUM_RETURN_RUNTIME, {"value": 5, "groups": (4,)}, "has none"),
        (Verb.SET_NAME, {"value": "x" * 17}, "at most 16"),
        (Verb.SET_NAME, {"value": "caf\u00e9"}, "ASCII"),
        (Verb.SET_NAME, {"value": "a\nb"}, "ASCII"),
        (Verb.SET_NAME, {"value": 5}, "text"),
        (Verb.SET_NAME, {"value": "x", "groups": (1,)}, "no outlet group"),
        (Verb.SET_BATTERY_DATE, {"value": date(1999, 12, 31)}, "2000-01-01"),
        (Verb.SET_SENSITIVITY, {"value": "high"}, "normal, reduced, low"),
        (Verb.SET_TRANSFER_HIGH, {"value": 1000}, "50 to 300"),
    ],
)
def test_a_senseless_command_says_what_would_be_right(verb: Verb, fields: dict[str, object], problem: str) -> None:
    with pytest.raises(NotAllowed, match=problem):
        planned(verb, fields)


@pytest.mark.parametrize("verb", sorted(BY_POLICY))
def test_s2_bypass_and_clear_faults_need_local_policy(verb: Verb) -> None:
    made = Command(verb=verb, serial="S")
    with pytest.raises(NotAllowed, match="policy"):
        plan(made, GROUPS, TCP)
    with pytest.raises(NotAllowed):
        permit(planned(verb))
    permit(planned(verb), frozenset({verb}))


FORBIDDEN = [
    Write(1536, (0, 1 << 3)),
    Write(1536, (0, 1 << 13)),
    Write(1536, (0, 1 << 14)),
    Write(1536, (0, 0x30)),
    Write(1536, (0x10, 0)),
    Write(1540, (2,)),
    Write(1540, (4,)),
    Write(1540, (0,)),
    Write(1540, (3,)),
    Write(593, (1,)),
    Write(1541, (3,)),
    Write(1543, (2,)),
    Write(1538, (0x0304, 0x0002)),
    Write(1538, (0, 0x0304)),
    Write(1538, (2, 0x0306)),
    Write(1538, (2, 0x0004)),
    Write(1538, (6, 0x0304)),
    Write(1538, (2, 0x1304)),
    Write(1538, (2, 0x0381)),
    Write(1539, (0x0304,)),
    Write(1538, (0x0304,)),
    Write(1056, (0, 1)),
    Write(0, (1,)),
    Write(596, (0x2020,)),
    Write(596, (0,) * 8),
    Write(1029, (32768,)),
    Write(1031, (1, 0)),
]


@pytest.mark.parametrize("write", FORBIDDEN, ids=[f"{w.address}-{w.words[:2]}" for w in FORBIDDEN])
def test_s2_what_is_not_on_the_list_is_never_written(write: Write) -> None:
    with pytest.raises(NotAllowed):
        permit(write, frozenset(BY_POLICY))


COMMANDS = st.builds(
    Command,
    verb=st.sampled_from(sorted(set(Verb) - WITHOUT_REGISTER)),
    serial=st.just("S"),
    groups=st.lists(st.integers(0, 4), max_size=3).map(tuple),
    use_off_delay=st.booleans(),
    use_on_delay=st.booleans(),
    cold_boot=st.booleans(),
    value=st.none() | st.text(max_size=20) | st.integers(-5, 70000) | st.dates(),
)


@given(command=COMMANDS, transport=st.sampled_from(Transport))
def test_s2_every_plan_is_on_the_list_or_declared_not_allowed(command: Command, transport: Transport) -> None:
    try:
        write = plan(command, (0, 1, 2, 3, 4), transport)
    except NotAllowed:
        return
    permit(write)


@given(value=st.integers(0, 0xFFFFFFFF))
def test_s2_an_outlet_command_is_one_order_to_named_groups(value: int) -> None:
    if is_outlet_command(value):
        assert (value & 0x1F).bit_count() == 1
        assert value & 0x80F00
        assert value & ~(0x1F | 0xE0 | 0x80F00) in (1 << 14, 1 << 17)


@given(address=st.integers(0, 0xFFFF), words=st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=8).map(tuple))
def test_s2_only_writable_rows_are_written_and_whole(address: int, words: tuple[int, ...]) -> None:
    try:
        permit(Write(address, words), frozenset(BY_POLICY))
    except NotAllowed:
        return
    assert any(
        row.address == address and row.words == len(words) and row.access is not Access.READ for row in REGISTERS
    )
