"""Frames, by the literal bytes of apc-modbus.md 13.1 and 13.2."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.frames import (
    Frame,
    Odd,
    Read,
    Refusal,
    Reply,
    Request,
    Write,
    read_rtu,
    read_tcp,
    rtu_frame,
    tcp_frame,
)
from tests.drivers.memory import crc16

REQUESTS: list[tuple[Request, str]] = [
    (Read(0, 27), "01 03 00 00 00 1B 05 C1"),
    (Read(128, 44), "01 03 00 80 00 2C 45 FF"),
    (Read(516, 120), "01 03 02 04 00 78 05 91"),
    (Read(1026, 22), "01 03 04 02 00 16 64 F4"),
    (Read(2048, 14), "01 03 08 00 00 0E C6 6E"),
    (Write(1540, (1,)), "01 06 06 04 00 01 09 43"),
    (Write(1538, (0, 0x388)), "01 10 06 02 00 02 04 00 00 03 88 59 40"),
]


@pytest.mark.parametrize(("request_", "frame"), REQUESTS, ids=[text[:17] for _, text in REQUESTS])
def test_rtu_requests_are_the_golden_frames(request_: Request, frame: str) -> None:
    assert rtu_frame(request_, 1) == bytes.fromhex(frame)


def test_the_golden_reply_to_2050_is_read() -> None:
    frame = bytes.fromhex("01 03 08 31 32 33 34 35 36 37 38 08 EB")
    assert read_rtu(frame, Read(2050, 4), 1) == Reply((0x3132, 0x3334, 0x3536, 0x3738))
    assert all(read_rtu(frame[:cut], Read(2050, 4), 1) is None for cut in range(len(frame)))


def test_the_golden_replies_to_writes_are_read() -> None:
    assert read_rtu(bytes.fromhex("01 06 06 04 00 01 09 43"), Write(1540, (1,)), 1) == Reply((1,))
    assert read_rtu(bytes.fromhex("01 10 06 02 00 02 E0 80"), Write(1538, (0, 0x388)), 1) == Reply(())


@pytest.mark.parametrize(
    ("request_", "frame", "code"),
    [
        (Read(0, 3), "01 83 02 C0 F1", 2),
        (Write(1538, (0, 1)), "01 90 02 CD C1", 2),
        (Write(1538, (0, 1)), "01 90 04 4D C3", 4),
    ],
    ids=["read-2", "write-2", "write-4"],
)
def test_golden_exceptions_are_read(request_: Request, frame: str, code: int) -> None:
    assert read_rtu(bytes.fromhex(frame), request_, 1) == Refusal(code)


def with_crc(text: str) -> bytes:
    data = bytes.fromhex(text)
    return data + crc16(data)


@pytest.mark.parametrize(
    "frame",
    [
        with_crc("02 03 02 00 01"),
        with_crc("01 04 02 00 01"),
        with_crc("01 06 00 00 00 01"),
        with_crc("01 03 04 00 01 00 02"),
        with_crc("01 90 02"),
        with_crc("01 03 02 00 01") + b"\0",
        bytes.fromhex("01 03 02 00 01 00 00"),
    ],
    ids=["unit", "function", "write-reply", "length", "other-exception", "surplus", "crc"],
)
def test_what_is_not_the_asked_answer_is_odd(frame: bytes) -> None:
    assert isinstance(read_rtu(frame, Read(0, 1), 1), Odd)


def test_only_a_wrong_checksum_is_told_as_noise() -> None:
    right = with_crc("01 03 02 00 01")
    assert read_rtu(right[:-1] + b"\0", Read(0, 1), 1) == Odd("wrong checksum", bad_crc=True)
    assert read_rtu(right + b"\0", Read(0, 1), 1) == Odd("1 bytes too many")


@pytest.mark.parametrize("text", ["01 06 06 05 00 01", "01 06 06 04 00"], ids=["register", "short"])
def test_the_reply_to_a_write_must_name_its_register(text: str) -> None:
    assert not isinstance(read_rtu(with_crc(text), Write(1540, (1,)), 1), Reply)


# NUT#139, a unit with three switched groups (13.2).
MBAP_REPLY = bytes.fromhex(
    "0007 0000 0039 01 03 36 00002002 0008 00000000 0000 00000001 0000 00000001 0000 00000001 0000"
    + "0000" * 8
    + "0044 0048 0001 0000"
)


def test_the_golden_tcp_reply_is_read() -> None:
    found = read_tcp(MBAP_REPLY, Read(0, 27), 1, 7)
    assert found is not None
    assert found.used == len(MBAP_REPLY) == 63
    assert isinstance(found.verdict, Reply)
    assert found.verdict.words[:3] == (0, 0x2002, 8)
    assert found.verdict.words[-4:] == (0x44, 0x48, 1, 0)


def test_a_tcp_request_is_an_mbap_header_and_the_pdu() -> None:
    assert tcp_frame(Read(0, 27), 1, 0x0102) == bytes.fromhex("0102 0000 0006 01 03 0000 001B")


@pytest.mark.parametrize(("unit", "transaction"), [(2, 7), (1, 8)], ids=["unit", "transaction"])
def test_a_foreign_tcp_frame_is_passed_over_whole(unit: int, transaction: int) -> None:
    assert read_tcp(MBAP_REPLY, Read(0, 27), unit, transaction) == Frame(63, None)


def test_a_tcp_reply_of_another_length_is_odd() -> None:
    found = read_tcp(MBAP_REPLY, Read(0, 26), 1, 7)
    assert found is not None
    assert isinstance(found.verdict, Odd)


@pytest.mark.parametrize(
    "header",
    ["0007 0001 0039 01", "0007 0000 0002 01", "0007 0000 00FF 01"],
    ids=["protocol", "short", "long"],
)
def test_an_impossible_header_is_not_trusted(header: str) -> None:
    found = read_tcp(bytes.fromhex(header), Read(0, 27), 1, 7)
    assert found is not None
    assert found.used == 0


REQUEST = st.one_of(
    st.builds(Read, st.integers(0, 0xFFFF), st.integers(1, 125)),
    st.builds(Write, st.integers(0, 0xFFFF), st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=16).map(tuple)),
)


@given(data=st.binary(max_size=300), request=REQUEST)
def test_any_bytes_are_a_verdict_or_a_wait(data: bytes, request: Request) -> None:
    found = read_rtu(data, request, 1)
    assert found is None or isinstance(found, Reply | Refusal | Odd)
    framed = read_tcp(data, request, 1, 1)
    assert framed is None or framed.used <= len(data)


@given(data=st.binary(max_size=253), request=REQUEST)
def test_any_well_framed_body_is_a_verdict(data: bytes, request: Request) -> None:
    """Right header or checksum, arbitrary PDU."""
    body = bytes([1, request.function]) + data
    assert isinstance(read_rtu(body + crc16(body), request, 1), Reply | Refusal | Odd | None)
    framed = read_tcp(b"\0\1\0\0" + len(body).to_bytes(2, "big") + body, request, 1, 1)
    assert framed is not None


@given(words=st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=125))
def test_what_a_unit_answers_is_what_is_read(words: list[int]) -> None:
    body = bytes([1, 3, 2 * len(words)]) + b"".join(word.to_bytes(2, "big") for word in words)
    assert read_rtu(body + crc16(body), Read(0, len(words)), 1) == Reply(tuple(words))
