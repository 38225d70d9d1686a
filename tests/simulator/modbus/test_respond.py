from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.modbus.engine import Write
from simulator.modbus.faults import FAST_WRITES_S, UPSET_S
from simulator.modbus.respond import Responder
from simulator.modbus.settings import WireSettings
from simulator.orders import Answer, Order, Task
from tests.simulator.modbus.smtl import HeldUnit


def ask(unit: HeldUnit, request: str, wire: WireSettings | None = None) -> str:
    """The reply's PDU as hex, "" for silence."""
    return said(Responder(unit, wire or WireSettings()), request, 100.0)


def said(responder: Responder, request: str, now: float) -> str:
    reply = responder.answer(bytes.fromhex(request), now).pdu
    return "" if reply is None else (bytes([reply.function_code]) + reply.encode()).hex(" ")


def test_a_read_is_answered_by_function_three_and_four() -> None:
    assert ask(HeldUnit(), "03 00 00 00 02") == "03 04 00 00 20 02"
    assert ask(HeldUnit(), "04 00 00 00 02") == "04 04 00 00 20 02"


@pytest.mark.parametrize(
    ("request_", "exception", "why"),
    [
        ("03 00 01 00 01", "83 02", "half a block"),
        ("03 00 00 00 00", "83 03", "no register"),
        ("03 00 00 00 7e", "83 03", "126 registers"),
        ("03 00 00 00", "83 03", "a short request"),
        ("03 00 00 00 02 00", "83 03", "a long request"),
        ("06 06 04", "86 03", "a short write"),
        ("10 06 04 00 01 02 00", "90 03", "fewer bytes than said"),
        ("10 06 04 00 02 02 00 01", "90 03", "a byte count that is not twice the count"),
        ("10 06 04 00 00 00", "90 03", "nothing to write"),
        ("10", "90 03", "nothing but a function"),
        ("01 00 00 00 01", "81 01", "coils"),
        ("17 00", "97 01", "read and write"),
        ("2b 0e 01 00", "ab 01", "device identification"),
        ("00", "80 01", "function zero"),
        ("10 0b b8 00 01 02 00 01", "90 02", "an undefined address"),
        ("10 06 05 00 01 02 00 04", "90 04", "an unknown command"),
    ],
)
def test_a_wrong_request_gets_its_exception_under_its_own_function(request_: str, exception: str, why: str) -> None:
    assert ask(HeldUnit(), request_) == exception, why


def test_a_write_of_many_is_answered_by_its_range_and_gives_its_order_once() -> None:
    unit = HeldUnit()
    assert ask(unit, "10 06 02 00 02 04 00 00 03 88") == "10 06 02 00 02"
    order = Order(task=Task.OUTLET_SHUTDOWN, groups=(0, 1), use_off_delay=True)
    assert unit.orders == [order]
    assert unit.writes == [
        Write(function=16, address=1538, words=(0, 0x388), order=order, exception=None, answered=True)
    ]


def test_a_single_command_is_echoed() -> None:
    unit = HeldUnit()
    assert ask(unit, "06 06 04 00 01") == "06 06 04 00 01"
    assert unit.orders == [Order(task=Task.REQUEST_SHUTDOWN)]


def test_a_single_setting_is_answered_with_what_the_register_then_holds() -> None:
    unit = HeldUnit()
    assert ask(unit, "06 04 02 00 82") == "06 04 02 00 82"
    assert ask(unit, "03 04 02 00 01") == "03 02 00 82"


def test_a_setting_reads_as_before_for_a_tenth_of_a_second_after_its_write() -> None:
    responder = Responder(HeldUnit(), WireSettings())
    assert said(responder, "06 04 02 00 82", 100.0) == "06 04 02 00 82"
    assert said(responder, "03 04 02 00 01", 100.09) == "03 02 00 7f"
    assert said(responder, "03 04 02 00 01", 100.11) == "03 02 00 82"


def test_half_of_a_block_cannot_be_written_by_a_single_write() -> None:
    assert ask(HeldUnit(), "06 06 02 00 01") == "86 02"


def refuse(answer: Answer) -> HeldUnit:
    return HeldUnit(answers=lambda _: answer)


def test_what_the_unit_refuses_is_a_device_failure_or_as_the_firmware_has_it() -> None:
    unit = refuse(Answer.ILLEGAL)
    assert ask(unit, "10 06 05 00 01 02 00 01") == "90 04"
    assert ask(unit, "10 06 05 00 01 02 00 01", WireSettings(bad_value_code=3)) == "90 03"
    assert [write.exception for write in unit.writes] == [4, 3]
    assert unit.orders == []


def test_a_firmware_without_that_exception_answers_a_refused_setting_with_the_old_value() -> None:
    wire = WireSettings(bad_value_code=0)
    assert ask(refuse(Answer.ILLEGAL), "06 04 02 01 00", wire) == "06 04 02 00 7f"


def test_a_command_that_the_model_lacks_is_a_bad_value_and_a_setting_an_illegal_address() -> None:
    assert ask(refuse(Answer.ABSENT), "10 06 00 00 02 04 00 00 00 10") == "90 04"
    assert ask(refuse(Answer.ABSENT), "06 04 02 00 82") == "86 02"


def test_in_read_only_mode_reads_work_and_every_write_is_refused_and_recorded() -> None:
    unit, wire = HeldUnit(), WireSettings(read_only=True)
    assert ask(unit, "03 00 02 00 01", wire) == "03 02 00 08"
    assert ask(unit, "06 06 04 00 01", wire) == "86 01"
    assert ask(unit, "06 04 02 00 82", WireSettings(read_only=True, read_only_code=2)) == "86 02"
    assert unit.orders == []
    assert [write.exception for write in unit.writes] == [1, 2]


def test_s1_a_swallowed_reply_leaves_a_command_that_was_carried_out_once() -> None:
    unit, wire = HeldUnit(), WireSettings(swallow=1)
    assert ask(unit, "10 06 05 00 01 02 00 01", wire) == ""
    assert unit.orders == [Order(task=Task.SELF_TEST)]
    assert [write.answered for write in unit.writes] == [False]
    assert ask(unit, "03 00 02 00 01", wire) == "03 02 00 08"
    assert wire.swallow == 0


def test_s1_swallowing_writes_leaves_reads_answered() -> None:
    unit, wire = HeldUnit(), WireSettings(swallow_writes=1)
    assert ask(unit, "03 00 02 00 01", wire) == "03 02 00 08"
    assert ask(unit, "06 06 05 00 01", wire) == ""
    assert ask(unit, "06 06 07 00 01", wire) == "06 06 07 00 01"
    assert [write.answered for write in unit.writes] == [False, True]


def upset(first: float, second: float, *, real: bool = True) -> Responder:
    responder = Responder(HeldUnit(), WireSettings(reset_on_fast_writes=real))
    for now in (first, second):
        said(responder, "06 04 02 00 82", now)
    return responder


def test_settings_written_too_fast_upset_the_unit_for_a_while() -> None:
    responder = upset(100.0, 100.0 + FAST_WRITES_S * 0.9)
    read = bytes.fromhex("03 00 02 00 01")
    replies = [responder.answer(read, 100.5 + i / 10) for i in range(6)]
    assert any(reply.damaged for reply in replies)
    assert any(reply.pdu is not None and reply.pdu.exception_code == 2 for reply in replies)
    assert not responder.answer(read, 100.2 + UPSET_S).damaged
    assert said(responder, "03 00 02 00 01", 100.2 + UPSET_S) == "03 02 00 08"


def test_settings_written_slowly_or_to_a_sturdy_unit_upset_nothing() -> None:
    for responder in (upset(100.0, 100.0 + FAST_WRITES_S), upset(100.0, 100.01, real=False)):
        assert [said(responder, "03 00 02 00 01", 100.3) for _ in range(3)] == ["03 02 00 08"] * 3


def test_commands_written_fast_upset_nothing() -> None:
    responder = Responder(HeldUnit(), WireSettings(reset_on_fast_writes=True))
    for now in (100.0, 100.05):
        said(responder, "06 06 07 00 01", now)
    assert said(responder, "03 00 02 00 01", 100.1) == "03 02 00 08"


@given(st.binary(min_size=1, max_size=253))
def test_any_request_gets_a_reply_under_its_own_function(request_: bytes) -> None:
    reply = Responder(HeldUnit(), WireSettings()).answer(request_, 0.0).pdu
    assert reply is not None
    assert reply.function_code & 0x7F == request_[0] & 0x7F
    assert len(reply.encode()) <= 252
