from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.modbus.respond import Responder
from simulator.modbus.settings import WireSettings
from simulator.modbus.wire import (
    SILENCE_S,
    MbapReceiver,
    NotModbus,
    Request,
    RtuReceiver,
    rtu_frame,
    tcp_frame,
    wire_s,
)
from tests.simulator.modbus.smtl import HeldUnit

READ_STATUS = bytes.fromhex("01 03 00 00 00 1B 05 C1")
READ_TEST = bytes.fromhex("01 03 08 02 00 04 E7 A9")
FAST = WireSettings(baud=0)


def receiver(*, unit_id: int = 1, require_gap_ms: int = 0) -> RtuReceiver:
    return RtuReceiver(WireSettings(baud=0, unit_id=unit_id, require_gap_ms=require_gap_ms))


def pdus(requests: list[Request]) -> list[str]:
    return [request.pdu.hex(" ") for request in requests]


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        ("01 03 08 02 00 04 E7 A9", "01 03 08 31 32 33 34 35 36 37 38 08 EB"),
        ("01 06 06 04 00 01 09 43", "01 06 06 04 00 01 09 43"),
        ("01 10 06 04 00 01 02 00 01 00 14", "01 10 06 04 00 01 40 80"),
        ("01 10 06 02 00 02 04 00 00 03 88 59 40", "01 10 06 02 00 02 E0 80"),
        ("01 03 00 01 00 01 D5 CA", "01 83 02 C0 F1"),
        ("01 10 06 04 00 02 04 00 01 00 00 88 3C", "01 90 02 CD C1"),
        ("01 10 06 05 00 01 02 00 04 C1 C6", "01 90 04 4D C3"),
    ],
)
def test_the_reference_s_frames_on_the_serial_line(request_: str, reply: str) -> None:
    (got,) = RtuReceiver(FAST).receive(bytes.fromhex(request_), 0.0)
    pdu = Responder(HeldUnit(), FAST).answer(got.pdu, 0.0).pdu
    assert pdu is not None
    assert rtu_frame(pdu, 1) == bytes.fromhex(reply)


@pytest.mark.parametrize(
    "frame",
    [
        "01 03 00 00 00 1B 05 C1",
        "01 03 00 80 00 2C 45 FF",
        "01 03 02 04 00 78 05 91",
        "01 03 04 02 00 16 64 F4",
        "01 03 08 00 00 0E C6 6E",
        "01 10 06 05 00 01 02 00 01 01 C5",
    ],
)
def test_the_requests_of_the_reference_are_understood(frame: str) -> None:
    assert pdus(RtuReceiver(FAST).receive(bytes.fromhex(frame), 0.0)) == [frame[3:-6].lower()]


def test_a_reply_over_tcp_bears_its_transaction_unit_and_length() -> None:
    pdu = Responder(HeldUnit(), FAST).answer(bytes.fromhex("03 00 00 00 1B"), 0.0).pdu
    assert pdu is not None
    frame = tcp_frame(pdu, 1, 0x1234)
    assert frame[:9] == bytes.fromhex("12 34 00 00 00 39 01 03 36")
    assert len(frame) == 9 + 54


def test_a_frame_comes_together_from_pieces() -> None:
    line = receiver()
    assert line.receive(READ_STATUS[:3], 0.0) == []
    assert line.receive(READ_STATUS[3:7], 0.030) == []
    assert pdus(line.receive(READ_STATUS[7:], 0.060)) == ["03 00 00 00 1b"]


def test_a_frame_broken_by_35_ms_is_forgotten_and_does_not_swallow_the_next() -> None:
    line = receiver()
    assert line.receive(READ_STATUS[:5], 0.0) == []
    assert pdus(line.receive(READ_TEST, SILENCE_S)) == ["03 08 02 00 04"]


def test_half_a_frame_and_a_good_one_without_silence_between_are_both_lost() -> None:
    line = receiver()
    assert line.receive(READ_STATUS[:5] + READ_TEST, 0.0) == []
    assert line.receive(READ_TEST, 0.01) == []
    assert pdus(line.receive(READ_TEST, 0.05)) == ["03 08 02 00 04"]


def test_a_wrong_check_sum_is_no_request_nor_is_what_follows_without_silence() -> None:
    line = receiver()
    assert line.receive(READ_STATUS[:-1] + b"\x00" + READ_TEST, 0.0) == []
    assert pdus(line.receive(READ_TEST, 0.035)) == ["03 08 02 00 04"]


@pytest.mark.parametrize(
    "frame",
    ["02 03 00 00 00 1B 05 F2", "00 03 00 00 00 1B 04 10", "00 10 06 04 00 01 02 00 01 0D 84"],
)
def test_another_unit_s_requests_and_broadcasts_are_not_ours(frame: str) -> None:
    line = receiver()
    assert line.receive(bytes.fromhex(frame), 0.0) == []
    assert pdus(line.receive(READ_TEST, 0.001)) == ["03 08 02 00 04"]


def test_a_unit_with_another_id_answers_only_to_that() -> None:
    line = receiver(unit_id=2)
    assert line.receive(READ_STATUS, 0.0) == []
    assert pdus(line.receive(bytes.fromhex("02 03 00 00 00 1B 05 F2"), 0.1)) == ["03 00 00 00 1b"]


def test_an_unknown_function_is_closed_by_silence() -> None:
    line = receiver()
    assert line.receive(bytes.fromhex("01 11 C0 2C"), 0.0) == []
    assert line.closes_at == pytest.approx(SILENCE_S)
    assert line.silence(0.034) == []
    assert pdus(line.silence(SILENCE_S)) == ["11"]
    assert line.closes_at is None
    assert line.silence(0.1) == []


def test_an_unknown_function_with_a_wrong_check_sum_is_nothing() -> None:
    line = receiver()
    assert line.receive(bytes.fromhex("01 11 C0 2D"), 0.0) == []
    assert line.silence(0.04) == []


@pytest.mark.parametrize(("data", "check", "requests"), [(252, "DB B4", 1), (253, "F4 5B", 0)])
def test_a_frame_of_more_than_256_bytes_is_none(data: int, check: str, requests: int) -> None:
    line = receiver()
    assert line.receive(b"\x01\x64" + bytes(data) + bytes.fromhex(check), 0.0) == []
    assert len(line.silence(0.04)) == requests


def test_an_unknown_function_s_request_is_not_lost_when_the_next_comes_first() -> None:
    line = receiver()
    line.receive(bytes.fromhex("01 11 C0 2C"), 0.0)
    assert pdus(line.receive(READ_TEST, 0.04)) == ["11", "03 08 02 00 04"]


def test_two_frames_at_once_are_two_requests_in_their_order() -> None:
    assert pdus(receiver().receive(READ_STATUS + READ_TEST, 0.0)) == ["03 00 00 00 1b", "03 08 02 00 04"]


def test_a_strict_unit_does_not_understand_a_request_too_soon_after_its_reply() -> None:
    line = receiver(require_gap_ms=35)
    line.replied(1.0)
    assert line.receive(READ_STATUS, 1.030) == []
    assert pdus(line.receive(READ_STATUS, 1.066)) == ["03 00 00 00 1b"]
    patient = receiver()
    patient.replied(1.0)
    assert pdus(patient.receive(READ_STATUS, 1.001)) == ["03 00 00 00 1b"]


def test_a_request_is_over_when_its_bytes_would_be_at_the_line_s_speed() -> None:
    line = RtuReceiver(WireSettings(baud=9600))
    first, second = line.receive(READ_STATUS + READ_TEST, 10.0)
    assert first.ended_at == pytest.approx(10.0 + 8 * 10 / 9600)
    assert second.ended_at == pytest.approx(10.0 + 16 * 10 / 9600)
    (slow,) = line.receive(READ_STATUS[:1], 20.0) + line.receive(READ_STATUS[1:], 20.03)
    assert slow.ended_at == pytest.approx(20.03)


def test_a_reply_of_120_registers_takes_a_quarter_of_a_second() -> None:
    assert wire_s(245, 9600) == pytest.approx(0.255, abs=0.001)
    assert wire_s(245, 0) == 0.0


def test_a_line_full_of_noise_keeps_little_and_recovers() -> None:
    line = receiver()
    for i in range(1000):
        assert line.receive(b"\x01\x2a" * 500, i / 1000) == []
    assert line.closes_at is not None
    assert pdus(line.receive(READ_TEST, 2.0)) == ["03 08 02 00 04"]


@given(st.lists(st.tuples(st.binary(max_size=300), st.floats(0, 0.1)), max_size=12))
def test_any_bytes_on_the_serial_line_end_in_requests_or_silence_and_it_recovers(
    pieces: list[tuple[bytes, float]],
) -> None:
    line, unit, now = receiver(), HeldUnit(), 0.0
    responder = Responder(unit, FAST)
    for data, gap in pieces:
        now += gap
        for request in line.receive(data, now) + line.silence(now):
            assert responder.answer(request.pdu, now).pdu is not None
    assert "03 08 02 00 04" in pdus(line.receive(READ_TEST, now + 0.04))


@given(st.lists(st.integers(1, 7), max_size=7), st.integers(0, 34))
def test_however_a_frame_is_cut_it_is_the_same_request(cuts: list[int], gap_ms: int) -> None:
    line, now, got = receiver(), 0.0, []
    edges = [0, *sorted(set(cuts)), 8]
    for start, end in zip(edges, edges[1:], strict=False):
        got += line.receive(READ_STATUS[start:end], now)
        now += gap_ms / 1000
    assert pdus(got) == ["03 00 00 00 1b"]


def mbap(transaction: int, pdu: str, unit: int = 1, protocol: int = 0) -> bytes:
    body = bytes([unit]) + bytes.fromhex(pdu)
    return b"".join(n.to_bytes(2, "big") for n in (transaction, protocol, len(body))) + body


def test_requests_sent_together_keep_their_own_transactions() -> None:
    got = MbapReceiver(FAST).receive(mbap(7, "03 00 00 00 02") + mbap(9, "03 08 02 00 04"))
    assert [(request.transaction, request.pdu.hex(" ")) for request in got] == [
        (7, "03 00 00 00 02"),
        (9, "03 08 02 00 04"),
    ]


def test_a_request_comes_together_from_single_bytes() -> None:
    session = MbapReceiver(FAST)
    data = mbap(1, "03 00 00 00 02")
    assert [r.pdu for byte in data for r in session.receive(bytes([byte]))] == [data[7:]]


def test_over_tcp_another_unit_s_request_is_passed_over() -> None:
    got = MbapReceiver(FAST).receive(mbap(1, "03 00 00 00 02", unit=9) + mbap(2, "03 00 00 00 02"))
    assert [request.transaction for request in got] == [2]


@pytest.mark.parametrize(
    "data",
    [
        mbap(1, "03 00 00 00 02", protocol=1),
        b"GET / HTTP/1.1\r\n\r\n",
        bytes.fromhex("00 01 00 00 00 01 01"),
        bytes.fromhex("00 01 00 00 00 FF 01"),
        bytes.fromhex("00 01 00 00 00 00 01"),
    ],
)
def test_another_protocol_or_an_impossible_length_ends_the_session(data: bytes) -> None:
    with pytest.raises(NotModbus) as caught:
        MbapReceiver(FAST).receive(data)
    assert caught.value.header == data[:7]


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_any_bytes_over_tcp_end_in_requests_or_the_end_of_the_session(pieces: list[bytes]) -> None:
    session, responder = MbapReceiver(FAST), Responder(HeldUnit(), FAST)
    try:
        for data in pieces:
            for request in session.receive(data):
                assert responder.answer(request.pdu, 0.0).pdu is not None
    except NotModbus:
        return
